"""Writes a partition's lines as the source's objects, and the tally beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from hourglass.config.ingestion import CsvFormat
from hourglass.config.source import Source
from hourglass.generate.columnar import Avro, Parquet
from hourglass.generate.core import GenerateError, Line, Rates, Tally, make_partition, module_of
from hourglass.generate.encode import Csv, Encoder, JsonArray, JsonLines
from hourglass.generate.layout import Layout
from hourglass.generate.record import Record, get
from hourglass.partition import Partition

# Beside the prefixes of all sources, and with a name that completeness and refine take for no data.
TALLIES = "_tally"


def generate(
    source: Source,
    partition: Partition,
    folder: Path,
    count: int,
    rates: Rates,
    seed: int = 1,
    objects: int = 1,
) -> Tally:
    """Write one partition below a folder that stands for the bucket.

    Args:
        source: The source.
        partition: One of its partitions.
        folder: What stands for the bucket; what was generated there for the partition before is removed.
        count: Good rows; repeats and bad lines come on top.
        rates: How many of these, and how many good rows are late.
        seed: The same arguments write the same bytes.
        objects: How many objects a prefix gets.

    Returns:
        What a run of the pipeline must come to; also written to `tally_file`.

    Raises:
        GenerateError: The source has not so many rows, or nothing in it can be bad.
    """
    if count < 1 or objects < 1:
        raise GenerateError(f"{count} rows in {objects} objects cannot be written; ask for 1 or more of both")
    layout, encoder = Layout(source, partition, objects), encoder_for(source)
    lines, total, tally = make_partition(source, partition, count, rates, seed)
    _remove_earlier(folder, tally_file(folder, source, partition))
    waiting: dict[str, list[Line]] = {}
    written: list[Path] = []
    chunk = 0
    for number, line in enumerate(lines):
        if (now := number * objects // total) != chunk:
            written += _flush(encoder, folder, waiting)
            chunk = now
        waiting.setdefault(
            layout.name(table_of(source, line.record), chunk, dead_letter=line.dead_letter), []
        ).append(line)
    written += _flush(encoder, folder, waiting)
    for marker in layout.markers():
        _place(folder, marker).touch()
    told = {
        "source": source.id,
        "partition": partition.key,
        **tally.to_dict(),
        "objects": sorted(str(path.relative_to(folder)) for path in written),
        "asked": {"seed": seed, "rows": count, **asdict(rates)},
    }
    tally_file(folder, source, partition).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return tally


def tally_file(folder: Path, source: Source, partition: Partition) -> Path:
    """Where the tally of a partition is; its folder is made."""
    return _place(folder, f"{TALLIES}/{source.id}/{partition.key}.json")


def table_of(source: Source, record: Record) -> str | None:
    """The table of a database_cdc record: what its generator says, else Datastream's own place for it."""
    module = module_of(source.id)
    named = getattr(module, "table_of", None)
    table = named(record) if named else get(record, ("source_metadata", "table"))
    return str(table) if table else None


def encoder_for(source: Source) -> Encoder:
    """What writes the objects of a source's format."""
    ingestion = source.file.ingestion
    gzipped = ingestion.compression == "gzip"
    encoders: dict[str, Callable[[], Encoder]] = {
        "json": lambda: JsonArray(gzipped) if ingestion.multiline else JsonLines(gzipped),
        "csv": lambda: Csv(source.schema, gzipped, ingestion.csv or CsvFormat()),
        "parquet": lambda: Parquet(source.schema),
        "avro": lambda: Avro(source.schema),
    }
    return encoders[ingestion.format]()


def _remove_earlier(folder: Path, told: Path) -> None:
    """Remove the objects of an earlier tally, which may be more than the new ones."""
    if told.is_file():
        for name in json.loads(told.read_text("utf-8"))["objects"]:
            (folder / name).unlink(missing_ok=True)
        told.unlink()


def _flush(encoder: Encoder, folder: Path, waiting: dict[str, list[Line]]) -> list[Path]:
    paths = [_place(folder, name) for name in waiting]
    for path, lines in zip(paths, waiting.values(), strict=True):
        encoder.write(path, lines)
    waiting.clear()
    return paths


def _place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
