"""Records as lines and files of one format. The same records give the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path as File
from typing import IO, Any

from hourglass.config.ingestion import CsvFormat
from hourglass.config.schema import SourceSchema
from hourglass.generate.core import Line
from hourglass.generate.record import get, iso, own_path


class Encoder:
    """Turns the lines of one object into a file."""

    def write(self, path: File, lines: list[Line]) -> None:
        """Write one object.

        Args:
            path: The file.
            lines: Its lines.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class JsonLines(Encoder):
    """JSON, one object a line.

    Args:
        gzipped: Compress it.
    """

    gzipped: bool

    def write(self, path: File, lines: list[Line]) -> None:
        """Write one object; a line that is cut ends where it was cut."""
        with _opened(path, self.gzipped) as file:
            for line in lines:
                text = json_text(line.record)
                if line.cut is not None:
                    text = text[: max(1, int(len(text) * line.cut))]
                file.write(text + "\n")


@dataclass(frozen=True)
class JsonArray(Encoder):
    """One JSON array, an element a record.

    Args:
        gzipped: Compress it.
    """

    gzipped: bool

    def write(self, path: File, lines: list[Line]) -> None:
        """Write one object."""
        with _opened(path, self.gzipped) as file:
            file.write("[\n" + ",\n".join(json_text(line.record) for line in lines) + "\n]\n")


@dataclass(frozen=True)
class Csv(Encoder):
    """Comma separated values.

    Args:
        schema: Names the columns, in order.
        gzipped: Compress it.
        form: Delimiter, quote and the like.
    """

    schema: SourceSchema
    gzipped: bool
    form: CsvFormat

    def write(self, path: File, lines: list[Line]) -> None:
        """Write one object; a record that is cut lacks its last values."""
        columns = [own_path(field, "csv") for field in self.schema.fields]
        with _opened(path, self.gzipped) as file:
            writer = csv.writer(
                file,
                delimiter=self.form.delimiter,
                quotechar=self.form.quote,
                escapechar=self.form.escape,
                doublequote=self.form.escape is None,
                lineterminator="\n",
            )
            if self.form.header:
                writer.writerow([name for (name,) in columns])
            for line in lines:
                values = [self._text(get(line.record, path)) for path in columns]
                if line.cut is not None:
                    values = _cut(values, line.cut)
                writer.writerow(values)

    def _text(self, value: Any) -> str:
        if value is None:
            return self.form.null_value
        if isinstance(value, str):
            return value
        text = json_text(value)
        return text[1:-1] if isinstance(value, date | bytes) else text


def _cut(values: list[str], share: float) -> list[str]:
    if len(values) == 1:
        return [*values, "surplus"]
    return values[: max(1, min(len(values) - 1, int(len(values) * share)))]


def json_text(value: Any) -> str:
    """Compact JSON; moments and dates as ISO 8601, bytes as base64."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return iso(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError(f"{value!r} has no form in JSON; give text, numbers, dates, lists and dicts")


@contextmanager
def _opened(path: File, gzipped: bool) -> Iterator[IO[str]]:
    # Without name and time in the gzip header, so that the same lines give the same bytes.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) if gzipped else raw as data,
        io.TextIOWrapper(data, "utf-8", newline="\n") as file,
    ):
        yield file
