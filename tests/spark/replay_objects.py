"""Writes a replay object of every format into a folder; runs in the main environment, as `replay_objects.py FOLDER`."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from hourglass.cli.replay_columnar import Columnar, kinds_of
from hourglass.cli.replay_forms import Csv, Form, Json, JsonArray
from hourglass.config.ingestion import CsvFormat
from hourglass.config.schema import SourceSchema

SCHEMA = SourceSchema.model_validate(
    {
        "source_id": "crafted",
        "version": "1.0",
        "fields": [
            {"name": "id", "type": "STRING", "mode": "REQUIRED"},
            {"name": "at", "type": "TIMESTAMP", "mode": "REQUIRED"},
            {"name": "amount", "type": "NUMERIC"},
            {"name": "body", "type": "JSON"},
            {"name": "actor", "type": "RECORD", "fields": [{"name": "id", "type": "INT64"}]},
        ],
    }
)
LINE = b'{"id":"%d","at":"2021-07-21T06:10:00Z","amount":"1,5","body":{"x":[1]},"actor":{"id":7},"more":"%d"}'
RECORD = b'%d,2021-07-21T06:10:00Z,"1,5",%d'


def main(folder: Path) -> None:
    """Repair two lines in every format, and write them."""
    for name in ("json", "json_array", "parquet", "avro", "csv"):
        form, line = form_of(name), RECORD if name == "csv" else LINE
        lines = [form.changed(line % (n, n), {"amount": "0.100000001"}) for n in (1, 2)]
        for one in lines:
            form.check(one)
        content = form.content(lines)
        zipped = name in ("json", "csv")
        path = folder / f"hourglass-replay-2021072106-0123456789abcdef.{name}{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)


def form_of(name: str) -> Form:
    """How lines of a format are changed and written."""
    if name == "csv":
        return Csv(CsvFormat(), ("id", "at", "amount", "more"))
    kinds = kinds_of(SCHEMA, name)
    if name in ("parquet", "avro"):
        return Columnar(kinds, name, SCHEMA)
    return JsonArray(kinds) if name == "json_array" else Json(kinds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
