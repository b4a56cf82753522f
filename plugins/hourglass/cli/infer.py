"""From a sample's profile to a schema: types, modes, keys and the event's time, each with how sure it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hourglass.cli.describe import described, legal_name, snake
from hourglass.cli.profile import Profile
from hourglass.cli.sample import Sample
from hourglass.config.schema import SYSTEM_COLUMNS

_RESERVED = {name for name, _, _ in SYSTEM_COLUMNS}
_TIMES = ("event_timestamp", "event_time", "timestamp", "created_at", "occurred_at")
_PERSONAL = re.compile(
    r"e?mail|phone|user_?name|first_?name|last_?name|full_?name|^ip(_address)?$|user_agent|street|login|ssn|iban",
    re.IGNORECASE,
)
# Unit, how many of it make a second, and Spark's conversion.
_EPOCHS = (
    ("seconds", 1, "timestamp_seconds({})"),
    ("milliseconds", 1_000, "timestamp_millis({})"),
    ("microseconds", 1_000_000, "timestamp_micros({})"),
    ("nanoseconds", 1_000_000_000, "timestamp_micros({} div 1000)"),
)
# Who or what an event is about has an id of its own, which is unique only in a short sample.
_ACTORS = re.compile(
    r"user|customer|account|actor|session|device|visitor|anonymous|product|item|content|owner|org"
)
_DOUBTFUL = 4
ENOUGH = 20
MANY = 100  # lines without a gap before a field is called REQUIRED, or a key a key


@dataclass(frozen=True)
class Note:
    """One decision and its grounds.

    Args:
        subject: The field or the question.
        answer: What was decided.
        sure: high, medium or low.
        why: The grounds.
    """

    subject: str
    answer: str
    sure: str
    why: str


@dataclass
class Inferred:
    """A schema that fits a sample.

    Args:
        fields: As in a schema file.
        enrichment: Columns to add, as in a source file.
        key: The fields that identify an event; empty when none do.
        event_time: The field with the event's own time, if there is one.
        notes: Every decision.
    """

    fields: list[dict[str, Any]] = field(default_factory=list)
    enrichment: list[dict[str, str]] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    event_time: str | None = None
    notes: list[Note] = field(default_factory=list)


def infer(sample: Sample) -> Inferred:
    """Decide on types, modes, key and event time.

    Args:
        sample: What was read.
    """
    found = Inferred()
    found.fields = list(_fields(sample.root, sample.lines, "", found.notes))
    found.enrichment = _enrichment(found, sample)
    found.key = _key(found, sample)
    found.event_time = _event_time(found)
    return found


def _fields(profile: Profile, parents: int, prefix: str, notes: list[Note]) -> Iterator[dict[str, Any]]:
    names = _names(profile.fields, set() if prefix else _RESERVED)
    for key, inner in profile.fields.items():
        if key in names:
            yield _field(names[key], key, inner, parents, prefix, notes)
        else:
            why = "a key that is empty or has a dot cannot be named; its values stay in unknown_fields"
            notes.append(Note(f"{prefix}{key}", "left out", "high", why))


def _names(keys: Iterable[str], reserved: set[str]) -> dict[str, str]:
    """A column's name for every key that can be named."""
    taken, names = set(reserved), {}
    nameable = [key for key in keys if key and "." not in key]
    # A key that is a legal name as it is comes before one that must take another.
    for key in sorted(nameable, key=lambda k: legal_name(k, ()) != k):
        names[key] = legal_name(key, taken)
        taken.add(names[key].lower())
    return names


def _field(
    name: str, key: str, profile: Profile, parents: int, prefix: str, notes: list[Note]
) -> dict[str, Any]:
    kind, sure, why, inner = _type(profile)
    made: dict[str, Any] = {"name": name, "type": kind}
    if inner is not None and profile.kinds["list"]:
        made["mode"] = "REPEATED"
    else:
        made["mode"] = "REQUIRED" if profile.seen == parents >= MANY else "NULLABLE"
    if name != key:
        made["source_path"] = key
        why = "; ".join(filter(None, [f"from {key!r}, which BigQuery or Hourglass does not allow", why]))
    why = "; ".join(filter(None, [why, _presence(profile, parents)]))
    notes.append(Note(f"{prefix}{name}", f"{kind} {made['mode']}", sure, why))
    personal = bool(_PERSONAL.search(name) and kind == "STRING")
    made["description"] = described(key, profile, kind, personal=personal)
    if personal:
        made["classification"] = "pii"
    if kind == "RECORD" and inner is not None:
        made["fields"] = list(_fields(inner, inner.kinds["object"], f"{prefix}{name}.", notes))
        if not made["fields"]:
            del made["fields"]
            made |= {"type": "JSON", "mode": "NULLABLE"}
    return made


def _presence(profile: Profile, parents: int) -> str:
    if profile.seen < parents:
        return f"there in {profile.seen} of {parents}"
    return f"always there, {parents} times" + ("" if parents >= MANY else ", too few to call it REQUIRED")


def _type(profile: Profile) -> tuple[str, str, str, Profile | None]:
    """Type, how sure, why, and the profile of a record's fields or a list's items."""
    kinds = set(profile.kinds)
    if not kinds:
        return "JSON", "low", "only null was seen; give it a type when you know it", None
    if kinds == {"list"}:
        return _list_type(profile)
    if kinds == {"object"}:
        return _object_type(profile)
    kind, why = _scalar_type(profile)
    if kind is None:
        return "JSON", "medium", f"values of several kinds: {_counts(profile)}", None
    return kind, "high" if profile.seen >= ENOUGH else "medium", why, None


def _object_type(profile: Profile) -> tuple[str, str, str, Profile | None]:
    objects, fields = profile.kinds["object"], profile.fields
    if not fields:
        return "JSON", "low", "only empty objects were seen", None
    usual = sum(f.seen + f.nulls for f in fields.values()) / (objects * len(fields))
    if usual < 0.35 and len(fields) > 5:
        why = f"{len(fields)} different keys, each in {usual:.0%} of the objects: no fixed shape"
        return "JSON", "medium", why, None
    return (
        "RECORD",
        "high" if objects >= ENOUGH else "medium",
        f"{len(fields)} field{'s' if len(fields) != 1 else ''}",
        profile,
    )


def _list_type(profile: Profile) -> tuple[str, str, str, Profile | None]:
    items = profile.items
    if items is None or not items.kinds:
        return "JSON", "low", "only empty lists were seen", None
    if items.nulls:
        return "JSON", "medium", "lists with null in them, which BigQuery's arrays cannot hold", None
    kind, sure, why, _ = ("", "", "", None) if items.kinds["list"] else _type(items)
    if kind in ("", "JSON"):
        return "JSON", "medium", "lists of lists, or of values of several kinds", None
    return kind, sure, f"lists of {why or kind}", items


def _scalar_type(profile: Profile) -> tuple[str | None, str]:
    kinds = set(profile.kinds)
    if kinds == {"bytes"}:
        return "BYTES", ""
    if kinds <= {"timestamp", "zoneless"}:
        return "TIMESTAMP", "ISO 8601" + ("; no time zone: read as UTC" if "zoneless" in kinds else "")
    if kinds == {"date"}:
        return "DATE", "ISO 8601"
    if kinds <= {"text", "timestamp", "zoneless", "date"}:
        return "STRING", "" if kinds == {"text"} else f"text of several forms: {_counts(profile)}"
    if kinds == {"bool"}:
        return "BOOL", ""
    return _number_type(profile, kinds), _range(profile)


def _range(profile: Profile) -> str:
    return " to ".join(str(n) if isinstance(n, int) else f"{n:g}" for n in (profile.low, profile.high))


def _number_type(profile: Profile, kinds: set[str]) -> str | None:
    if kinds == {"int"}:
        return "INT64"
    if kinds <= {"int", "bigint", "decimal"} and max(-profile.low, profile.high) < 1e28:
        return "NUMERIC"
    return "FLOAT64" if kinds <= {"int", "float", "decimal"} else None


def _counts(profile: Profile) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in profile.kinds.most_common())


def _enrichment(found: Inferred, sample: Sample) -> list[dict[str, str]]:
    """A TIMESTAMP beside every number that counts time since 1970."""
    taken = {f["name"].lower() for f in found.fields} | _RESERVED
    made = []
    for path, profile in _single(found.fields, sample.root):
        epoch = _epoch(path, profile)
        if epoch is None:
            continue
        unit, convert = epoch
        name = legal_name(f"{snake(path)}_utc", taken)
        taken.add(name.lower())
        why = f"{unit} since 1970; {path} stays as it is, and what is computed cannot be event_time"
        found.notes.append(Note(name, "added, TIMESTAMP", "medium", why))
        made.append(
            {
                "name": name,
                "type": "TIMESTAMP",
                "expression": convert.format(path),
                "description": f"{path}, which counts {unit} since 1970, as a timestamp",
            }
        )
    return made


def _epoch(path: str, profile: Profile) -> tuple[str, str] | None:
    """Unit and conversion of a number that counts time since 1970."""
    last = path.rsplit(".", 1)[-1]
    named = re.search(r"time|date|_at$|At$|^ts(_|$)|_ts$|_[mun]?s$|epoch|micros|millis", last, re.IGNORECASE)
    if set(profile.kinds) != {"int"} or not named:
        return None
    for unit, size, convert in _EPOCHS:
        # 2001 to 2100
        if 978_307_200 * size <= profile.low <= profile.high < 4_102_444_800 * size:
            return unit, convert
    return None


def _key(found: Inferred, sample: Sample) -> list[str]:
    """The field that identifies an event, only when its name says so too.

    A wrong key makes refine count events as duplicates that are none, so that a doubtful one is not used.
    """
    names = _single(found.fields, sample.root)
    unique = [path for path, p in names if p.seen == sample.lines == len(p.values)]
    ranked = sorted(unique, key=_rank)
    sound = [path for path in ranked if _rank(path) < (_DOUBTFUL if sample.lines >= MANY else 2)]
    if not sound:
        seen = (
            f"{', '.join(ranked[:4])} would do by their values, but "
            if ranked
            else "no field differs in every line: "
        )
        why = f"{seen}a wrong key drops events; choose one, or repeated events are kept"
        found.notes.append(Note("deduplication key", "none", "low", why))
        return []
    others = f"; so do those of {', '.join(ranked[1:4])}" if ranked[1:] else ""
    sure = "high" if sample.lines >= MANY and _rank(sound[0]) < 2 else "medium"
    why = f"its {sample.lines} values differ{others}"
    found.notes.append(Note("deduplication key", sound[0], sure, why))
    return sound[:1]


def _single(
    fields: list[dict[str, Any]], profile: Profile, prefix: str = ""
) -> Iterator[tuple[str, Profile]]:
    """The fields that a row has once and that could be a key."""
    for item in fields:
        inner = profile.fields[item.get("source_path", item["name"])]
        if item["type"] == "RECORD" and item["mode"] != "REPEATED":
            yield from _single(item["fields"], inner, f"{prefix}{item['name']}.")
        elif item["type"] in ("STRING", "INT64") and item["mode"] != "REPEATED":
            yield f"{prefix}{item['name']}", inner


def _rank(path: str) -> int:
    """How much a name sounds like an event's key; lower is more."""
    name = path.lower()
    last = name.rsplit(".", 1)[-1]
    if _ACTORS.search(name) or not re.search(r"id$|uuid$|key$", last):
        return _DOUBTFUL
    if re.fullmatch(r"(event_?|message_?|record_?|row_?|_)?(id|uuid)", last):
        return 0 if last == name else 1
    return 2 if last == name else 3


def _event_time(found: Inferred) -> str | None:
    stamps = list(_stamps(found.fields))
    names = [path for path, _ in stamps]
    usual = next((name for name in _TIMES if name in names), None)
    always = next((path for path, required in stamps if required), None)
    best = usual or always or (names[0] if names else None)
    if best is None:
        why = "no field holds timestamps; every event gets the date of its partition"
        found.notes.append(Note("event_time", "none", "low", why))
        return None
    others = [name for name in names if name != best]
    sure = "high" if usual or not others else "medium"
    why = (
        "the usual name"
        if usual
        else "the only timestamp"
        if not others
        else "the first that is always there"
    )
    more = f"; others: {', '.join(others)}" if others else ""
    found.notes.append(Note("event_time", best, sure, why + more))
    return best


def _stamps(
    fields: list[dict[str, Any]], prefix: str = "", required: bool = True
) -> Iterator[tuple[str, bool]]:
    """The timestamps that a row has once, those of its own first, and whether every row has them."""
    single = [f for f in fields if f["mode"] != "REPEATED"]
    for item in single:
        if item["type"] == "TIMESTAMP":
            yield f"{prefix}{item['name']}", required and item["mode"] == "REQUIRED"
    for item in single:
        if item["type"] == "RECORD":
            inside = required and item["mode"] == "REQUIRED"
            yield from _stamps(item["fields"], f"{prefix}{item['name']}.", inside)
