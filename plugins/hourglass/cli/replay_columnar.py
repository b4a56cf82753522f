"""Replays in Parquet and Avro: JSON records become rows of a file whose columns are the schema's."""

from __future__ import annotations

import math
import re
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hourglass.cli.replay_forms import Json, LineError, parsed, plain
from hourglass.config.schema import SchemaField, SourceSchema
from hourglass.generate.columnar import Avro, Node, Parquet, tree
from hourglass.generate.core import Line
from hourglass.generate.encode import json_text
from hourglass.generate.record import as_moment

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRITERS = {"parquet": Parquet, "avro": Avro}
_INT64 = 2**63


@dataclass(frozen=True)
class Columnar(Json):
    """Records of Parquet or Avro objects.

    A column has its schema's type. Fields that the schema does not name become columns too.

    Args:
        format: parquet or avro.
        schema: The source's schema.
    """

    format: str
    schema: SourceSchema

    def check(self, raw: bytes) -> None:
        """See `Form`."""
        self._record(raw)

    def content(self, lines: Sequence[bytes]) -> bytes:
        """See `Form`."""
        records = [self._record(line) for line in lines]
        known = tree(self.schema.fields)
        more = {name: value for r in records for name, value in r.items() if name not in known}
        schema = self.schema.model_copy(
            update={"fields": [*self.schema.fields, *(_field(name, records) for name in more)]}
        )
        unknown = {name: inner for name, inner in tree(schema.fields).items() if name in more}
        shaped = [{**r, **{n: _unknown(r.get(n), inner) for n, inner in unknown.items()}} for r in records]
        with tempfile.TemporaryDirectory(prefix="hourglass-replay-") as folder:
            path = Path(folder, "replay")
            _WRITERS[self.format](schema).write(path, [Line(record) for record in shaped])
            return path.read_bytes()

    def _record(self, raw: bytes) -> dict[str, Any]:
        record: dict[str, Any] = plain(parsed(raw), Decimal)
        return {name: _fitting(record, name, tree(self.schema.fields).get(name)) for name in record}


def _fitting(record: Mapping[str, Any], name: str, node: Node | None) -> Any:
    if node is None:
        if not _NAME.fullmatch(name):
            raise LineError(f"its field {name!r} can be no column of a new object; take it away with --set")
        return record[name]
    return _fits(record[name], node, name)


def _fits(value: Any, node: Node, where: str) -> Any:
    """The value as its column takes it; a value that the writer would lose is refused."""
    if value is None:
        return None
    if node.repeated:
        if not isinstance(value, list):
            raise LineError(f"its {where} is no list")
        single = Node(node.type, False, node.below)
        return [_fits(item, single, where) for item in value]
    if node.type == "RECORD":
        return _record_fits(value, node, where)
    try:
        fine, shaped = _SCALARS[node.type](value)
    except (ValueError, TypeError, InvalidOperation):
        fine, shaped = False, value
    if not fine:
        raise LineError(
            f"its {where} is {str(value)[:40]!r}, which is no {node.type}; give another with --set"
        )
    return shaped


def _record_fits(value: Any, node: Node, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LineError(f"its {where} is no record")
    if other := [name for name in value if name not in node.below]:
        raise LineError(f"its {where}.{other[0]} is in no column; take it away with --set")
    return {name: _fits(inner, node.below[name], f"{where}.{name}") for name, inner in value.items()}


def _json(value: Any) -> str:
    # A text that is JSON itself would be read as what it says.
    return json_text(value)


def _int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and math.isfinite(float(value))


_SCALARS: dict[str, Callable[[Any], tuple[bool, Any]]] = {
    "STRING": lambda v: (isinstance(v, str), v),
    "JSON": lambda v: (True, _json(v)),
    "BYTES": lambda v: (True, b64decode(v, validate=True)),
    "INT64": lambda v: (_int(v), v),
    "FLOAT64": lambda v: (_number(v), v),
    "NUMERIC": lambda v: (abs(Decimal(v)) < Decimal(10) ** 29 and not isinstance(v, bool), Decimal(v)),
    "BOOL": lambda v: (isinstance(v, bool), v),
    "TIMESTAMP": lambda v: (as_moment(v) is not None and not isinstance(v, bool), v),
    "DATE": lambda v: (isinstance(v, str) and as_moment(v) is not None, v),
}


def _field(name: str, records: Sequence[Mapping[str, Any]]) -> SchemaField:
    """A column for a field that the schema does not name: of the type that all its values have, else of text."""
    values = [r[name] for r in records if r.get(name) is not None]
    for kind in ("BOOL", "INT64", "FLOAT64", "STRING"):
        if all(_SCALARS[kind](value)[0] for value in values):
            return SchemaField(name=name, type=kind)
    return SchemaField(name=name, type="STRING")


def _unknown(value: Any, node: Node) -> Any:
    return json_text(value) if node.type == "STRING" and not isinstance(value, str | None) else value


def kinds_of(schema: SourceSchema, form: str) -> dict[str, str]:
    """The type of each field by its dotted path in the data; `structured` where it holds JSON.

    Args:
        schema: The source's schema.
        form: The source's format.
    """
    from hourglass.generate.record import data_paths

    paths = {name: ".".join(path) for name, path in data_paths(schema, form).items()}
    return {paths[name]: kind for name, kind in _kinds(schema) if name in paths}


def _kinds(schema: SourceSchema) -> Iterator[tuple[str, str]]:
    for name, found in schema.paths().items():
        whole = found.mode == "REPEATED" or found.type in ("RECORD", "JSON")
        yield name, "structured" if whole else found.type
