"""Readings of sensors: each device measures one quantity about once a minute, its battery running down."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_DEVICES = 400
_SITES = ("berlin-plant", "austin-office", "mumbai-plant", "london-office")
# Share of the devices, unit, usual value, spread of one device's readings, decimals.
_KINDS: dict[str, tuple[int, str, float, float, int]] = {
    "temperature": (45, "celsius", 21.5, 1.2, 2),
    "humidity": (25, "percent", 46.0, 4.0, 1),
    "pressure": (15, "hectopascal", 1013.0, 4.0, 1),
    "vibration": (15, "millimeters_per_second", 2.8, 0.6, 3),
}
_LIMITS = {"temperature": (-60, 150), "humidity": (0, 100), "pressure": (800, 1200), "vibration": (0, 500)}
_FIRMWARES = ("2.4.1", "2.4.1", "2.4.1", "2.3.0", "3.0.0-rc1")


@dataclass(frozen=True, slots=True)
class _Device:
    id: str
    kind: str
    unit: str
    usual: float
    spread: float
    digits: int
    fixed: dict[str, Any]


def _impossible(record: dict[str, Any]) -> None:
    record["reading"] = _LIMITS[record["sensor_type"]][1] + 1.0


BREAK = {"reading_is_possible": _impossible}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct readings.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    since = int(partition.start.timestamp()) // 60
    for number in range(count):
        device = _device(draw.whole(0, _DEVICES - 1))
        low, high = _LIMITS[device.kind]
        reading = min(max(draw.random.gauss(device.usual, device.spread), low), high)
        yield {
            "message_id": draw.uuid(),
            "device_id": device.id,
            "sensor_type": device.kind,
            "reading": round(reading, device.digits),
            "unit": device.unit,
            "event_timestamp": iso(draw.moment()),
            "sequence": since + number,
            "battery_level": round(draw.random.betavariate(5, 1.5), 3),
            "signal_strength_dbm": -draw.whole(40, 115),
            **device.fixed,
        }


@lru_cache(maxsize=_DEVICES)
def _device(index: int) -> _Device:
    """The `index`-th device, the same in all partitions."""
    own = random.Random(f"device/{index}")
    kind = own.choices(list(_KINDS), [share for share, *_ in _KINDS.values()])[0]
    _, unit, usual, spread, digits = _KINDS[kind]
    fixed = {
        "firmware_version": own.choice(_FIRMWARES),
        "site_id": own.choice(_SITES),
        "location": {
            "latitude": round(own.uniform(-60, 60), 5),
            "longitude": round(own.uniform(-180, 180), 5),
            "floor": own.randint(0, 12),
        },
    }
    return _Device(f"dev-{index:05d}", kind, unit, own.gauss(usual, 2 * spread), spread, digits, fixed)
