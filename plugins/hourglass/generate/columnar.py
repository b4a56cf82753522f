"""Parquet and Avro: a file knows its columns' types, so that only values that fit can be written."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path as File
from typing import Any

from hourglass.config.schema import SchemaField, SourceSchema
from hourglass.generate.core import GenerateError, Line
from hourglass.generate.encode import Encoder, json_text
from hourglass.generate.record import as_moment, own_path

_NUMERIC_SCALE = Decimal("1e-9")


@dataclass
class Node:
    """A column of the data: a schema's field, or a record that only leads to one (by `source_path`).

    Args:
        type: As in a schema file.
        repeated: A list of them.
        below: The columns of a record.
    """

    type: str
    repeated: bool
    below: dict[str, Node]


def tree(fields: list[SchemaField]) -> dict[str, Node]:
    """The columns of the data, by name."""
    root: dict[str, Node] = {}
    for field in fields:
        *above, name = own_path(field)
        level = root
        for step in above:
            level = level.setdefault(step, Node("RECORD", False, {})).below
        level[name] = Node(field.type, field.mode == "REPEATED", tree(field.fields))
    return root


def typed(value: Any, node: Node) -> Any:
    """A value as its column holds it; None where there is none."""
    if node.repeated:
        return [_one(item, node) for item in value or []]
    return _one(value, node)


def _one(value: Any, node: Node) -> Any:
    if value is None:
        return None
    if node.type == "RECORD":
        return {name: typed(value.get(name), inner) for name, inner in node.below.items()}
    convert = _VALUES.get(node.type)
    return convert(value) if convert else value


def _date(value: Any) -> date | None:
    moment = as_moment(value)
    return moment.date() if moment else None


_VALUES: dict[str, Callable[[Any], Any]] = {
    "TIMESTAMP": as_moment,
    "DATE": _date,
    "NUMERIC": lambda value: Decimal(str(value)).quantize(_NUMERIC_SCALE),
    "FLOAT64": float,
    "JSON": lambda value: value if isinstance(value, str) else json_text(value),
    "BYTES": lambda value: value if isinstance(value, bytes) else b64decode(value),
}


@dataclass(frozen=True)
class Parquet(Encoder):
    """Parquet with snappy, as Spark writes it by default.

    Args:
        schema: Names the columns and their types.
    """

    schema: SourceSchema

    def write(self, path: File, lines: list[Line]) -> None:
        """Write one object."""
        import pyarrow as pa
        from pyarrow import parquet

        nodes = tree(self.schema.fields)
        rows = [{name: typed(line.record.get(name), node) for name, node in nodes.items()} for line in lines]
        columns = pa.schema([pa.field(name, self._type(node)) for name, node in nodes.items()])
        parquet.write_table(pa.Table.from_pylist(rows, schema=columns), str(path), compression="snappy")

    def _type(self, node: Node) -> Any:
        import pyarrow as pa

        scalars = {
            "STRING": pa.string(),
            "JSON": pa.string(),
            "BYTES": pa.binary(),
            "INT64": pa.int64(),
            "FLOAT64": pa.float64(),
            "NUMERIC": pa.decimal128(38, 9),
            "BOOL": pa.bool_(),
            "TIMESTAMP": pa.timestamp("us", "UTC"),
            "DATE": pa.date32(),
        }
        if node.type == "RECORD":
            kind = pa.struct([pa.field(name, self._type(inner)) for name, inner in node.below.items()])
        else:
            kind = scalars[node.type]
        return pa.list_(kind) if node.repeated else kind


@dataclass(frozen=True)
class Avro(Encoder):
    """Avro object container files, compressed with deflate; every column may be null.

    Args:
        schema: Names the columns and their types.
    """

    schema: SourceSchema

    def write(self, path: File, lines: list[Line]) -> None:
        """Write one object.

        Raises:
            GenerateError: The package fastavro is missing.
        """
        try:
            import fastavro  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            message = "Avro is written by the package fastavro, which is not installed; run `make setup`"
            raise GenerateError(message) from None
        nodes = tree(self.schema.fields)
        rows = [{name: typed(line.record.get(name), node) for name, node in nodes.items()} for line in lines]
        shape = avro_record(self.schema.source_id, nodes)
        # The mark between two blocks is random unless it is given.
        mark = hashlib.sha256(json.dumps(shape).encode()).digest()[:16]
        with path.open("wb") as file:
            fastavro.writer(file, fastavro.parse_schema(shape), rows, codec="deflate", sync_marker=mark)


_AVRO: dict[str, Any] = {
    "STRING": "string",
    "JSON": "string",
    "BYTES": "bytes",
    "INT64": "long",
    "FLOAT64": "double",
    "NUMERIC": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9},
    "BOOL": "boolean",
    "TIMESTAMP": {"type": "long", "logicalType": "timestamp-micros"},
    "DATE": {"type": "int", "logicalType": "date"},
}


def avro_record(name: str, nodes: dict[str, Node]) -> dict[str, Any]:
    """The Avro schema of some columns."""
    fields: list[dict[str, Any]] = []
    for column, node in nodes.items():
        inner = node.type == "RECORD"
        kind: Any = avro_record(f"{name}_{column}", node.below) if inner else _AVRO[node.type]
        if node.repeated:
            fields.append({"name": column, "type": {"type": "array", "items": ["null", kind]}, "default": []})
        else:
            fields.append({"name": column, "type": ["null", kind], "default": None})
    return {"type": "record", "name": name, "fields": fields}
