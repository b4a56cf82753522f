"""Realistic app events for the benchmarks: about 1.2 kB each, seeded, with every kind of bad line among them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2021, 7, 21, 6, tzinfo=UTC)
OBJECTS = 4
BAD_SHARE, DUPLICATE_SHARE, UNKNOWN_SHARE = 0.005, 0.008, 0.01
SCREENS = ("home", "search", "detail", "cart", "checkout", "profile", "settings", "help")
CITIES = (
    ("DE", "BE", "Berlin"),
    ("US", "CA", "San Francisco"),
    ("JP", "13", "東京"),
    ("BR", "SP", "São Paulo"),
)
PHONES = (("Google", "Pixel 5"), ("Samsung", "SM-G991B"), ("Apple", "iPhone12,1"), ("Xiaomi", "M2101K6G"))


def _field(name: str, kind: str, mode: str = "NULLABLE", fields: list[Any] | None = None) -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": mode} | ({"fields": fields} if fields else {})


def _record(name: str, **kinds: str) -> dict[str, Any]:
    return _field(name, "RECORD", "NULLABLE", [_field(n, k) for n, k in kinds.items()])


SCHEMA = [
    _field("event_id", "STRING", "REQUIRED"),
    _field("event_name", "STRING", "REQUIRED"),
    _field("event_ts", "TIMESTAMP", "REQUIRED"),
    _field("received_ts", "TIMESTAMP"),
    _field("user_id", "STRING"),
    _field("session_id", "STRING"),
    _field("session_seq", "INT64"),
    _record("app", id="STRING", version="STRING", build="INT64", install_source="STRING"),
    _record(
        "device",
        os="STRING",
        os_version="STRING",
        manufacturer="STRING",
        model="STRING",
        screen="STRING",
        locale="STRING",
        carrier="STRING",
        network="STRING",
        timezone="STRING",
        advertising_id="STRING",
        battery="INT64",
        is_emulator="BOOL",
    ),
    _record(
        "geo", country="STRING", region="STRING", city="STRING", lat="FLOAT64", lon="FLOAT64", ip="STRING"
    ),
    _record("user", plan="STRING", signup_date="DATE", ltv="NUMERIC", cohort="STRING"),
    _field("tags", "STRING", "REPEATED"),
    _field("params", "JSON"),
]


def spec(objects: list[Path], folder: Path, table: str) -> dict[str, Any]:
    """The refine job's spec for the generated objects."""
    return {
        "version": 1,
        "source": "bench",
        "batch_id": "refine-bench-2021072106-00000000-1",
        "partition": {
            "key": f"{START:%Y-%m-%dT%H}",
            "grain": "hour",
            "start": START.isoformat(),
            "end": (START + timedelta(hours=1)).isoformat(),
        },
        "manifest": {
            "hash": "0" * 64,
            "uri": "file:///none",
            "objects": [{"uri": p.as_uri(), "generation": None, "size": p.stat().st_size} for p in objects],
        },
        "format": {"type": "json", "compression": "gzip"},
        "schema": {"version": "1.0", "fields": SCHEMA},
        "unknown_fields": "keep",
        "event_time": {"field": "event_ts", "max_lateness_seconds": 604800, "max_ahead_seconds": 300},
        "deduplication": {"key": ["event_id"]},
        "rules": [{"name": "on_earth", "field": "geo.lat", "expression": "geo.lat BETWEEN -90 AND 90"}],
        "enrichment": [
            {"name": "app_major", "type": "INT64", "expression": "split_part(app.version, '.', 1)"},
        ],
        "tables": {"silver": f"lake.silver.{table}", "quarantine": f"lake.quarantine.{table}"},
        "outcome": (folder / "outcome.json").as_uri(),
    }


def generate(folder: Path, events: int) -> list[Path]:
    """Write the events as gzip objects, or find them written.

    Args:
        folder: where the objects go.
        events: how many lines in all.

    Returns:
        The objects.
    """
    paths = [folder / f"events-{i:03}.json.gz" for i in range(OBJECTS)]
    done = folder / "done"
    if done.exists():
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20210721)
    lines = _lines(rng, events)
    for number, path in enumerate(paths):
        share = events // OBJECTS + (1 if number < events % OBJECTS else 0)
        with gzip.open(path, "wb", compresslevel=6) as out:
            for _ in range(share):
                out.write(next(lines) + b"\n")
    done.touch()
    return paths


def _lines(rng: random.Random, events: int) -> Iterator[bytes]:
    recent: list[bytes] = []
    for number in range(events):
        chance = rng.random()
        if recent and chance < DUPLICATE_SHARE:
            yield rng.choice(recent)
            continue
        event = _event(rng, number)
        if chance > 1 - UNKNOWN_SHARE:
            event["experiment"] = {"arm": rng.randrange(3), "weight": 0.50}
            event["device"]["thermal_state"] = "nominal"
        line = _bytes(event)
        if 0.5 < chance < 0.5 + BAD_SHARE:
            yield _spoiled(rng, event, line)
            continue
        if number % 50 == 0:
            recent = [*recent[-999:], line]
        yield line


def _bytes(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _event(rng: random.Random, number: int) -> dict[str, Any]:
    moment = START + timedelta(milliseconds=rng.randrange(3_600_000) - 600_000)
    maker, model = rng.choice(PHONES)
    country, region, city = rng.choice(CITIES)
    user = rng.getrandbits(40)
    return {
        "event_id": f"{rng.getrandbits(64):016x}{number:08x}",
        "event_name": rng.choice(("screen_view", "tap", "purchase", "scroll", "error")),
        "event_ts": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z",
        "received_ts": (moment + timedelta(seconds=rng.randrange(90))).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user_id": f"u{user:011x}",
        "session_id": f"{rng.getrandbits(96):024x}",
        "session_seq": rng.randrange(400),
        "app": {"id": "com.example.shop", "version": f"{rng.randrange(3, 6)}.{rng.randrange(20)}.1", "build": rng.randrange(4000), "install_source": "store"},
        "device": {
            "os": "ios" if maker == "Apple" else "android",
            "os_version": str(rng.randrange(10, 15)),
            "manufacturer": maker,
            "model": model,
            "screen": "1080x2340",
            "locale": "de-DE",
            "carrier": "Example Mobile",
            "network": rng.choice(("wifi", "4g", "5g")),
            "timezone": "Europe/Berlin",
            "advertising_id": f"{rng.getrandbits(128):032x}",
            "battery": rng.randrange(101),
            "is_emulator": False,
        },
        "geo": {"country": country, "region": region, "city": city, "lat": round(rng.uniform(-60, 60), 5), "lon": round(rng.uniform(-180, 180), 5), "ip": f"203.0.113.{rng.randrange(256)}"},
        "user": {"plan": rng.choice(("free", "pro", None)), "signup_date": f"20{rng.randrange(15, 21)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}", "ltv": rng.randrange(100000) / 100, "cohort": "2021-w29"},
        "tags": [rng.choice(("sale", "new", "vip", "app")) for _ in range(rng.randrange(4))],
        "params": {
            "screen": rng.choice(SCREENS),
            "element": f"button_{rng.randrange(100)}",
            "value": rng.randrange(10000) / 100,
            "items": [{"sku": f"SKU{rng.randrange(10**6):06}", "quantity": rng.randrange(1, 5), "price": rng.randrange(9999) / 100} for _ in range(rng.randrange(3))],
            "referrer": f"https://example.com/campaign/{rng.getrandbits(60):015x}?source=mail&medium=push",
            "engagement_ms": rng.randrange(100000),
        },
    }  # fmt: skip


def _spoiled(rng: random.Random, event: dict[str, Any], line: bytes) -> bytes:
    kind = rng.randrange(8)
    if kind == 0:
        event["device"]["battery"] = "full"
    elif kind == 1:
        del event["event_id"]
    elif kind == 2:
        event["event_ts"] = "2001-01-01T00:00:00Z"
    elif kind == 3:
        event["geo"]["lat"] = 91.5
    else:
        return (line.replace(b"com.example", b"com.\xff\xfeample"), line[: len(line) // 2], line + line, b"")[
            kind - 4
        ]
    return _bytes(event)
