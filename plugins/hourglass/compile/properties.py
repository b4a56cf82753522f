"""dbt's properties files: YAML that people can read, and what every model says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from hourglass.compile.columns import Column
from hourglass.config.source import Source

_WIDTH = 116


class _Dumper(yaml.SafeDumper):
    """Block style, lists indented, and a column's few words on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


class Short(dict[str, Any]):
    """A mapping that stands on one line."""


_Dumper.add_representer(
    Short, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)


def dump(content: dict[str, Any]) -> str:
    """A properties file.

    Args:
        content: Its keys below `version`.
    """
    body = yaml.dump(
        {"version": 2, **content}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    head, first, others = str(body).partition("\n  - name: ")
    spaced = others.replace("\n  - name: ", "\n\n  - name: ")
    return head.replace("\n", "\n\n", 1) + first + spaced


def plain(text: str) -> str:
    """A text in which dbt finds no Jinja, on one line."""
    return " ".join(text.split()).replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")


def column_entries(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns of a model, as dbt reads them."""
    entries: list[dict[str, Any]] = []
    for column in columns:
        entry = column.entry()
        entry["description"] = plain(entry["description"])
        entries.append(Short(entry))
    return entries


def labels(source: Source, table_type: str) -> Short:
    """BigQuery's labels of a model."""
    return Short(managed_by="hourglass", table_type=table_type, source=source.id)


def data_test(
    kind: str, name: str, description: str, arguments: dict[str, Any], config: dict[str, Any]
) -> dict[str, Any]:
    """A data test of a model.

    Args:
        kind: The generic test.
        name: Its own name.
        description: Why it holds.
        arguments: What the generic test is given.
        config: Its `where`, `severity` and owner.
    """
    return {kind: {"name": name, "description": description, "arguments": Short(arguments), "config": config}}


def run_with(source: Source, where: str | None, severity: str | None = None) -> dict[str, Any]:
    """A test's configuration: what it reads, how bad its failure is, and whose it is."""
    config: dict[str, Any] = {"where": where} if where else {}
    if severity:
        config["severity"] = severity
    return {**config, "meta": Short(owner=source.file.owner)}
