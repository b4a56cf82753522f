"""The tables that a source may join or refer to, found in the include folder without running dbt.

Every source has a `silver.SOURCE`, and a `gold.SOURCE` too as soon as it has a silver_to_gold or another
source names it: the latest row of each key.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hourglass.config.document import read_document
from hourglass.config.errors import ConfigError, did_you_mean
from hourglass.config.metrics import parse_metric
from hourglass.config.plain import dig, enrichments, items

_FOLDERS = (("models", ".sql"), ("snapshots", ".sql"), ("snapshots", ".yml"), ("seeds", ".csv"))

# A column's type, as in a schema file; None when it is not known.
Columns = Mapping[str, str | None]


@dataclass(frozen=True)
class KnownTables:
    """What `gold.NAME`, `silver.NAME` and a bare `NAME` can mean.

    Args:
        include: The include folder.
    """

    include: Path

    def problem(self, name: str, source_id: str) -> str | None:
        """What is wrong with a table's name, if anything.

        Args:
            name: As written.
            source_id: The source that names it.
        """
        layer, _, bare = name.rpartition(".")
        if layer == "gold" and bare == source_id:
            return f"{name} is the table that this source itself makes; name another one"
        if layer and self._is_source(bare):
            return None
        if (layer != "silver" and bare in self._nodes) or (layer, bare) in self._declared:
            return None
        return f"there is no table {name!r}: no source, and nothing in include/dbt{self._hint(name)}"

    def columns(self, name: str) -> Columns | None:
        """The columns of a table; None when they cannot be told without dbt."""
        layer, _, bare = name.rpartition(".")
        if layer == "silver" and self._is_source(bare):
            return self._silver(self._data(bare))
        if layer == "gold" and self._is_source(bare):
            return self._gold(self._data(bare))
        seed = self._nodes.get(bare)
        if not layer and seed is not None and seed.suffix == ".csv":
            with seed.open(encoding="utf-8", newline="") as lines:
                return dict.fromkeys(next(csv.reader(lines), []))
        return None

    def _source(self, source_id: str) -> Path:
        return self.include / "sources" / f"{source_id}.yaml"

    def _is_source(self, source_id: str) -> bool:
        return self._source(source_id).is_file()

    def _data(self, source_id: str) -> Any:
        try:
            return read_document(self._source(source_id)).data
        except ConfigError:  # said of that source itself
            return None

    def _silver(self, data: Any) -> Columns | None:
        try:
            schema = read_document(self.include / str(dig(data, ("schema", "file")))).data
        except ConfigError:
            return None
        fields = {
            str(f.get("name")): str(f.get("type"))
            for _, f in items(dig(schema, ("fields",)))
            if isinstance(f, dict)
        }
        return fields | {str(e.get("name")): str(e.get("type")) for _, e in enrichments(data)}

    def _gold(self, data: Any) -> Columns | None:
        steps = [step for _, step in items(dig(data, ("processing", "silver_to_gold")))]
        if any(dig(step, ("join",)) is not None for step in steps):
            return None
        aggregate = next((a for step in steps if (a := dig(step, ("aggregate",))) is not None), None)
        silver = self._silver(data)
        if aggregate is None or silver is None:
            return silver
        groups = {str(name): silver.get(str(name)) for _, name in items(dig(aggregate, ("group_by",)))}
        return groups | dict(_results(aggregate, silver))

    @cached_property
    def _nodes(self) -> dict[str, Path]:
        """The files of dbt's models, snapshots and seeds, by name."""
        dbt = self.include / "dbt"
        found = (p for folder, suffix in _FOLDERS for p in (dbt / folder).rglob(f"*{suffix}"))
        return {path.stem: path for path in found if not path.stem.startswith("_")}

    @cached_property
    def _declared(self) -> set[tuple[str, str]]:
        """The datasets and tables of dbt's sources."""
        found = set()
        for path in (self.include / "dbt" / "models").rglob("*.yml"):
            text = path.read_text("utf-8", errors="replace")
            if re.search(r"^sources\s*:", text, re.MULTILINE):
                found |= set(_tables(text))
        return found

    def _hint(self, name: str) -> str:
        sources = [path.stem for path in (self.include / "sources").glob("*.yaml")]
        known = [f"{layer}.{source}" for source in sources for layer in ("silver", "gold")]
        hint = did_you_mean(name, [*known, *self._nodes, *(f"{d}.{t}" for d, t in self._declared)])
        return hint if "did you mean" in hint else "; make it, or correct the name"


def _results(aggregate: Any, silver: Columns) -> Iterator[tuple[str, str | None]]:
    for _, text in items(dig(aggregate, ("metrics",))):
        try:
            metric = parse_metric(str(text))
            yield metric.alias, metric.result_type(silver.get(metric.field or ""))
        except ValueError:  # said of that source itself
            continue


def _tables(text: str) -> Iterator[tuple[str, str]]:
    try:
        data = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:  # dbt says it better
        return
    for _, source in items(dig(data, ("sources",))):
        dataset = dig(source, ("schema",)) or dig(source, ("name",))
        for _, table in items(dig(source, ("tables",))):
            for key in ("identifier", "name"):
                if isinstance(name := dig(table, (key,)), str):
                    yield str(dataset), name
