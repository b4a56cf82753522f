"""What refine must make of the crafted schema's lines, in plain Python and without any of the job's code."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from refine_hour import SCHEMA, START

LOW = datetime.fromisoformat(START) - timedelta(days=1)
HIGH = datetime.fromisoformat(START) + timedelta(hours=1, seconds=300)
RECORD_FIELDS = {"actor": {"id", "email"}, "items": {"sku", "detail"}}


class Bad(Exception):  # noqa: N818
    """Carries the reason."""


@dataclass
class Expected:
    """What one hour should come to; places are (object, line number)."""

    lines: int = 0
    silver: dict[tuple[str, int], str] = field(default_factory=dict)
    quarantine: dict[tuple[str, int], tuple[str, bytes]] = field(default_factory=dict)
    duplicates: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    unknown_json: dict[tuple[str, int], Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A record as JSON text, or with the fault that kept it from becoming that, and as it was read."""

    text: bytes
    raw: bytes
    fault: str | None = None


def refine(objects: dict[str, list[bytes]]) -> Expected:
    """Judge every line; `objects` are lines by object name."""
    return refine_records({name: [Record(raw, raw) for raw in lines] for name, lines in objects.items()})


def refine_records(objects: dict[str, list[Record]]) -> Expected:
    """Judge every record; `objects` are records by object name."""
    result, seen = Expected(), set()
    for name in sorted(objects):
        for number, record in enumerate(objects[name], 1):
            result.lines += 1
            try:
                if record.fault:
                    raise Bad(record.fault)
                row = judge(record.text)
            except Bad as why:
                result.quarantine[name, number] = (str(why), record.raw)
                continue
            key = _text(row["id"])
            if key in seen:
                result.duplicates += 1
                continue
            seen.add(key)
            result.silver[name, number] = key
            rest, paths = unknown(row)
            result.unknown.update(paths)
            if rest:
                result.unknown_json[name, number] = rest
    return result


def judge(raw: bytes) -> dict[str, Any]:
    """The row of a valid line; raises Bad with the reason for any other."""
    if not raw.strip(b" \t\r"):
        raise Bad("blank_line")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad("invalid_utf8") from None
    row = _parse(text)
    if not isinstance(row, dict) or not _typed(row):
        raise Bad("wrong_type")
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise Bad("invalid_utf8") from None  # half of an escaped surrogate pair
    if _missing(row):
        raise Bad("missing_required")
    if not LOW <= _moment(row["at"]) < HIGH:
        raise Bad("event_time_out_of_range")
    if row.get("n") is not None and row["n"] <= -100:
        raise Bad("n_above_minus_100")
    return row


def _refuse(name: str) -> Any:
    raise ValueError(name)


_STRICT = json.JSONDecoder(parse_constant=_refuse, parse_float=Decimal)


def _parse(text: str) -> Any:
    try:
        return _STRICT.decode(text)
    except ValueError:
        pass
    start = text.lstrip(" \t\r")
    try:
        value, _ = _STRICT.raw_decode(start)
    except ValueError:
        raise Bad("not_json") from None
    raise Bad("trailing_data" if isinstance(value, dict) else "not_json")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _moment(value: Any) -> datetime:
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _typed(row: dict[str, Any]) -> bool:
    checks = {
        "id": lambda v: not isinstance(v, dict | list),
        "at": _is_moment,
        "n": _is_int,
        "x": _is_number,
        "amount": _is_number,
        "ok": lambda v: isinstance(v, bool),
        "day": _is_day,
        "blob": _is_base64,
        "actor": lambda v: isinstance(v, dict) and _inside(v, {"id": _is_int, "email": _is_text}),
        "items": lambda v: isinstance(v, list) and all(_is_item(i) for i in v),
        "tags": lambda v: isinstance(v, list),
    }
    return _inside(row, checks)


def _inside(row: dict[str, Any], checks: dict[str, Any]) -> bool:
    return all(row.get(name) is None or check(row[name]) for name, check in checks.items())


def _is_text(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _is_item(value: Any) -> bool:
    if value is None:
        return True
    detail = {"detail": lambda d: isinstance(d, dict) and _inside(d, {"q": _is_int})}
    return isinstance(value, dict) and _inside(value, detail)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and abs(value) < 10**29


def _is_moment(value: Any) -> bool:
    if _is_int(value):
        return -62135596800 <= value <= 253402300799
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return len(value) >= 16


def _is_day(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_base64(value: Any) -> bool:
    try:
        b64decode(value, validate=True)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _missing(row: dict[str, Any]) -> bool:
    if row.get("id") is None or row.get("at") is None:
        return True
    if row.get("actor") is not None and row["actor"].get("id") is None:
        return True
    if None in (row.get("tags") or []):
        return True
    for item in row.get("items") or []:
        if item is None or item.get("sku") is None:
            return True
        if item.get("detail") is not None and item["detail"].get("q") is None:
            return True
    return False


def unknown(row: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The fields that the schema does not name: nested where they were, and their dotted paths."""
    names = {f["name"] for f in SCHEMA}
    rest = {k: v for k, v in row.items() if k not in names}
    paths = set(rest)
    actor = {k: v for k, v in (row.get("actor") or {}).items() if k not in RECORD_FIELDS["actor"]}
    paths |= {f"actor.{k}" for k in actor}
    items = []
    for item in row.get("items") or []:
        kept = {k: v for k, v in item.items() if k not in RECORD_FIELDS["items"]}
        paths |= {f"items.{k}" for k in kept}
        detail = {k: v for k, v in (item.get("detail") or {}).items() if k != "q"}
        paths |= {f"items.detail.{k}" for k in detail}
        items.append(kept | ({"detail": detail} if detail else {}))
    rest |= {"actor": actor} if actor else {}
    rest |= {"items": items} if any(items) else {}
    return rest, paths


def loads(text: str) -> Any:
    """JSON with exact decimals, as `unknown` gives them."""
    return _STRICT.decode(text)
