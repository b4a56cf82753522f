"""The table that a join names: where its rows come from, and which columns it brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hourglass.compile.columns import Column, silver_columns
from hourglass.compile.names import listed, quoted
from hourglass.compile.nodes import Node, Project
from hourglass.config.errors import did_you_mean
from hourglass.config.source import Source


class UnknownTableError(ValueError):
    """A join names a table that nothing makes, or says too little about one."""


@dataclass(frozen=True)
class Table:
    """A table to join.

    Args:
        name: Its name in the query.
        relation: The Jinja expression that dbt resolves to it.
        columns: What it brings.
        where: The rows that count, as SQL; None for all that a partition filter lets through.
        latest: Whether only the latest row of each key counts, as in a table of partitions.
    """

    name: str
    relation: str
    columns: list[Column]
    where: str | None = None
    latest: bool = False

    def sql(self, keys: list[str]) -> str:
        """The SELECT that reads it.

        Args:
            keys: The columns that a row is looked up by.
        """
        columns = listed(c.selected for c in self.columns)
        read = f"select\n{columns}\nfrom {{{{ {self.relation} }}}}\n"
        if self.latest:
            by = ", ".join(quoted(key) for key in keys)
            newest = "landing_hour desc, source_object desc, source_line desc"
            return (
                f"{read}where landing_hour >= timestamp '1970-01-01 00:00:00+00'\n"
                f"qualify row_number() over (partition by {by} order by {newest}) = 1"
            )
        return f"{read}where {self.where or f'{{{{ every_partition({self.relation}) }}}}'}"


@dataclass(frozen=True)
class Tables:
    """Every table that can be joined.

    Args:
        project: The dbt project.
        sources: All sound sources, by id.
        gold: Gives the columns of a source's gold table; None when the source has none.
    """

    project: Project
    sources: Mapping[str, Source]
    gold: Callable[[str], list[Column] | None]

    def find(self, name: str, source: Source) -> Table:
        """The table that a join of a source names.

        Args:
            name: `gold.NAME`, `silver.NAME`, or the name of a seed, a snapshot or a model.
            source: The source whose DAG joins it.

        Raises:
            UnknownTableError: There is no such table, or it cannot be joined as it is described.
        """
        layer, _, bare = name.rpartition(".")
        if layer == "silver":
            return self._silver(name, bare)
        if layer == "gold" and (made := self.gold(bare)) is not None:
            return Table(bare, f'ref("gold_{bare}")', [_plain(column) for column in made])
        nodes = self.project.nodes
        node = nodes.get(bare) or next((n for n in nodes.values() if n.alias == bare), None)
        if node is None:
            known = [f"gold.{s}" for s in self.sources] + [f"silver.{s}" for s in self.sources] + list(nodes)
            raise UnknownTableError(
                f"there is no table {name!r} to join: no source, and no model, seed or snapshot that a "
                f"properties file describes{did_you_mean(name, known)}"
            )
        return _of_node(name, node, source)

    def _silver(self, name: str, source_id: str) -> Table:
        if source_id not in self.sources:
            known = [f"silver.{s}" for s in self.sources]
            raise UnknownTableError(f"there is no table {name!r} to join{did_you_mean(name, known)}")
        columns = [c for c in silver_columns(self.sources[source_id]) if c.path not in _TECHNICAL]
        return Table(source_id, f'source("{source_id}", "{source_id}")', columns, latest=True)


_TECHNICAL = ("landing_hour", "event_date", "source_object", "source_line", "unknown_fields")


def _of_node(name: str, node: Node, source: Source) -> Table:
    if not node.columns:
        raise UnknownTableError(
            f"{name!r} cannot be joined: its columns have no data_type; add them to {node.file}"
        )
    if node.kind == "seeds" and source.id not in node.tags:
        raise UnknownTableError(
            f"the seed {name!r} is not loaded by the DAG {source.id}; add {source.id} to its config.tags in {node.file}"
        )
    # Of a slowly changing dimension the rows that hold now.
    where = "dbt_valid_to is null" if node.kind == "snapshots" else None
    columns = [c for c in node.columns if not c.name.startswith("dbt_")]
    return Table(node.name, f'ref("{node.name}")', columns, where)


def _plain(column: Column) -> Column:
    return Column(
        name=column.name,
        type=column.type,
        description=column.description,
        expression=quoted(column.name),
        path=column.name,
        classification=column.classification,
    )
