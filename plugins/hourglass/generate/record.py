"""Records as they look in the data: where a schema's field is in them, and how moments are written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from hourglass.config.schema import SchemaField, SourceSchema

Record = dict[str, Any]
Path = tuple[str, ...]


def data_paths(schema: SourceSchema, form: str = "json") -> dict[str, Path]:
    """Where each field is in the data, by its dotted path in the schema; nothing inside lists.

    Args:
        schema: The schema.
        form: The source's format; the columns of a CSV are flat, so that dots in their names lead nowhere.
    """
    return dict(_paths(schema.fields, form, (), ""))


def own_path(field: SchemaField, form: str = "json") -> Path:
    """A field's place below the record it is in; see `data_paths`."""
    name = field.source_path or field.name
    return (name,) if form == "csv" else tuple(name.split("."))


def _paths(fields: list[SchemaField], form: str, above: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for field in fields:
        here = (*above, *own_path(field, form))
        yield f"{prefix}{field.name}", here
        if field.mode != "REPEATED":
            yield from _paths(field.fields, form, here, f"{prefix}{field.name}.")


def get(record: Record, path: Path) -> Any:
    """The value at a path; None where there is none."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def put(record: Record, path: Path, value: Any) -> bool:
    """Set (or with None remove) the value at a path; False when the record above it is not there."""
    above = get(record, path[:-1]) if path[:-1] else record
    if not isinstance(above, dict):
        return False
    if value is None:
        above.pop(path[-1], None)
    else:
        above[path[-1]] = value
    return True


def as_moment(value: Any) -> datetime | None:
    """The moment that a value stands for; None when it is no moment.

    Args:
        value: A datetime, a date, ISO 8601 text (UTC where it names no zone), or seconds since 1970.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    return None


def like(example: Any, moment: datetime) -> Any:
    """A moment written as the example is."""
    if isinstance(example, str):
        return iso(moment) if len(example) > len("2021-07-21") else f"{moment:%Y-%m-%d}"
    if isinstance(example, date) and not isinstance(example, datetime):
        return moment.date()
    if isinstance(example, int | float):
        return int(moment.timestamp())
    return moment


def iso(value: date) -> str:
    """ISO 8601; a moment ends with Z and has milliseconds, or microseconds where it needs them."""
    if not isinstance(value, datetime):
        return value.isoformat()
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
