"""The columns of a source's staging model: silver's, with records taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from hourglass.compile.names import alias, dotted, needs_quotes, quoted
from hourglass.config.schema import SYSTEM_COLUMNS, SchemaField
from hourglass.config.source import Source

SYSTEM = frozenset(name for name, _, _ in SYSTEM_COLUMNS)
# Types by which BigQuery can cluster.
CLUSTERABLE = frozenset({"string", "int64", "numeric", "bool", "timestamp", "date"})
HIDDEN_FROM_ANALYSTS = frozenset({"pii", "restricted"})


@dataclass(frozen=True)
class Column:
    """One column of a model.

    Args:
        name: Its name in the model.
        type: Its BigQuery type as a contract writes it, such as `int64` or `array<string>`.
        description: What it means.
        expression: The SQL that makes it.
        path: The dotted path of the field it comes from; the name for columns that are no fields.
        required: Whether it is never NULL.
        classification: Who may see it; None when the schema does not say.
    """

    name: str
    type: str
    description: str
    expression: str
    path: str
    required: bool = False
    classification: str | None = None

    @property
    def selected(self) -> str:
        """The column as an item of a select list."""
        if self.expression == quoted(self.name):
            return self.expression
        return f"{self.expression} as {alias(self.name)}"

    def entry(self) -> dict[str, Any]:
        """The column as a dbt properties file describes it."""
        entry: dict[str, Any] = {"name": self.name, "data_type": self.type}
        if needs_quotes(self.name):
            entry["quote"] = True
        entry["description"] = self.description
        if self.classification:
            entry["config"] = {"meta": {"classification": self.classification}}
        return entry


def silver_columns(source: Source) -> list[Column]:
    """The columns of a source's published table as its staging model names them.

    A record's fields become columns (`actor.id` is `actor_id`); a repeated one stays an array.

    Args:
        source: The source.
    """
    fields = source.schema.paths()
    leaves = (leaf for resource in source.columns() for leaf in _leaves(resource, "", fields, None))
    # What pii drops is NULL in silver, whatever the schema says.
    dropped = {path for path, method in source.file.pii if method == "drop"}
    found = [replace(c, required=False) if _within(c.path, dropped) else c for c in leaves]
    taken = {column.path.lower() for column in found if "." not in column.path}
    named = []
    for column in found:
        name = column.name
        if "." in column.path:
            # A field that is called as a flattened one keeps its name; the flattened one shows its dots.
            while name.lower() in taken:
                name = column.path.replace(".", "__") if name == column.name else f"{name}_"
            taken.add(name.lower())
        named.append(replace(column, name=name))
    return named


def table_columns(source: Source) -> list[Column]:
    """The columns of a source's published table itself, records whole.

    Args:
        source: The source.
    """
    fields = source.schema.paths()
    return [
        Column(
            name=str(resource["name"]),
            type=sql_type(resource),
            description=_description(resource, str(resource["name"])),
            expression=quoted(str(resource["name"])),
            path=str(resource["name"]),
            classification=getattr(fields.get(str(resource["name"])), "classification", None),
        )
        for resource in source.columns()
    ]


def _description(resource: Mapping[str, Any], path: str) -> str:
    return str(resource.get("description") or f"{path}, as it was sent.")


def _leaves(
    resource: Mapping[str, Any], prefix: str, fields: Mapping[str, SchemaField], above: str | None
) -> Iterator[Column]:
    path = f"{prefix}{resource['name']}"
    field = fields.get(path)
    classification = (field.classification if field else None) or above
    if resource["type"] == "RECORD" and resource["mode"] != "REPEATED":
        for child in resource["fields"]:
            yield from _leaves(child, f"{path}.", fields, classification)
        return
    yield Column(
        name=path.replace(".", "_"),
        type=sql_type(resource),
        description=_description(resource, path),
        expression=dotted(path),
        path=path,
        required=_required(path, fields),
        classification=classification,
    )


def _within(path: str, others: Set[str]) -> bool:
    """Whether a path, or a record around it, is among others."""
    parts = path.split(".")
    return any(".".join(parts[:n]) in others for n in range(1, len(parts) + 1))


def _required(path: str, fields: Mapping[str, SchemaField]) -> bool:
    """Refine lets no row pass that lacks the field or a record around it; its own columns are always there."""
    if path in SYSTEM:
        return path != "unknown_fields"
    parts = path.split(".")
    above = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return all(p in fields and fields[p].mode == "REQUIRED" for p in above)


def sql_type(resource: Mapping[str, Any]) -> str:
    """The type of a BigQuery column resource as SQL writes it, in lower case."""
    kind = str(resource["type"]).lower()
    if kind == "record":
        inner = ", ".join(f"{quoted(str(f['name']))} {sql_type(f)}" for f in resource["fields"])
        kind = f"struct<{inner}>"
    return f"array<{kind}>" if resource["mode"] == "REPEATED" else kind


def key_columns(source: Source, columns: list[Column]) -> list[Column]:
    """The columns of the deduplication key; empty when there is none, or pii leaves of it too little.

    Args:
        source: The source.
        columns: Its silver columns.
    """
    by_path = {column.path: column for column in columns}
    spoilt = {path for path, method in source.file.pii if method != "hash"}
    key = source.file.deduplication_key
    if any(_within(path, spoilt) for path in key):
        return []
    return [by_path[path] for path in key]
