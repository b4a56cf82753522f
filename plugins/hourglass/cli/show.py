"""`show`: one source as Hourglass sees it, with nothing left to guess."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from hourglass.config.loader import load_source
from hourglass.config.platform import Platform
from hourglass.config.types import shown_duration
from hourglass.partition import Partition

if TYPE_CHECKING:
    from hourglass.config.source import Source

STAGES = {
    "sense": "wait until the partition is complete, freeze its objects",
    "refine": "parse, validate, quarantine, deduplicate, enrich",
    "gate": "load candidates, check the accounting and the expectations",
    "publish": "swap the candidates into the published partition",
    "transform": "the source's own dbt models and tests",
    "serve": "refresh materialized views, push features",
    "announce": "write the ledger, emit the asset event",
}


def run(source_id: str, tasks: bool) -> int:
    """Print a source.

    Args:
        source_id: The source's id.
        tasks: Print the DAG's tasks too, which imports Airflow.

    Returns:
        The exit status.
    """
    source = load_source(source_id)
    # What goes into a file or a pipe is not cut to a terminal's width.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(_configuration(source))
    console.print(_facts(source))
    if tasks:
        with tempfile.TemporaryDirectory(prefix="hourglass-show-") as home:
            console.print(_tasks(source, home))
    return 0


def _configuration(source: Source) -> Tree:
    tree = Tree(f"[bold]{source.id}[/]  [dim]grey: by default[/]")
    _grow(tree, source.file)
    return tree


def _grow(tree: Tree, model: BaseModel, inherited: bool = False) -> None:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        default = inherited or name not in model.model_fields_set
        if value is None and default:
            continue
        _add(tree, field.alias or name, value, default)


def _add(tree: Tree, name: str, value: Any, default: bool) -> None:
    style, mark = ("dim", "  (default)") if default else ("", "")
    if isinstance(value, BaseModel):
        _grow(tree.add(f"{escape(name)}:{mark}", style=style), value, default)
    elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
        branch = tree.add(f"{escape(name)}:", style=style)
        for number, item in enumerate(value, 1):
            _grow(branch.add(f"{number}"), item, default)
    else:
        tree.add(f"{escape(name)}: {escape(_shown(value))}{mark}", style=style)


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return shown_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(_shown, value)) or "none" if isinstance(value, list) else str(value)


def _facts(source: Source) -> Table:
    table = Table("what follows", "", show_edge=False, pad_edge=False)
    for name, fact in facts(source):
        table.add_row(name, escape(fact))
    return table


def facts(source: Source) -> Iterator[tuple[str, str]]:
    """What follows from a source's configuration, in words."""
    partition = Partition.last_ended(datetime.now(tz=UTC), source.grain)
    bucket, prefixes = source.prefixes(partition)
    closes = partition.end + source.completeness.close_after
    yield "grain", source.grain.length_in_words
    yield (
        "for example partition",
        f"{partition.key} (closes at {closes:%Y-%m-%d %H:%M:%S} UTC at the earliest)",
    )
    created = ", of which those created in that interval" if source.by_creation_time else ""
    yield "lies in", ", ".join(f"gs://{bucket}/{prefix}" for prefix in prefixes) + created
    yield "event time", source.event_time or "none: every event has the date of its partition"
    fields = source.schema.paths()
    yield (
        "schema",
        f"version {source.schema.version}, {len(source.schema.fields)} columns, {len(fields)} fields",
    )
    yield "published tables", f"silver.{source.id}, quarantine.{source.id}"
    yield "Iceberg tables", f"lake.silver.{source.id}, lake.quarantine.{source.id}"
    yield "columns", ", ".join(str(column["name"]) for column in source.columns())
    family = f"refine-{source.id.replace('_', '-')}-{partition.stamp}-*"
    yield "batches of that partition", family
    yield "asset", f"hourglass.{source.id}"


def _tasks(source: Source, home: str) -> Tree:
    # Airflow writes its settings into AIRFLOW_HOME when it is imported: not into the user's home for a look.
    os.environ.setdefault("AIRFLOW_HOME", home)
    os.environ.setdefault("AIRFLOW__COSMOS__ENABLE_TELEMETRY", "False")
    logging.disable(logging.CRITICAL)
    from hourglass.dag import build_dag

    platform = Platform.from_env({"HOURGLASS_PROJECT": "no-project", **os.environ})
    dag = build_dag(source, platform)
    tree = Tree(f"[bold]DAG {dag.dag_id}[/]  {len(dag.tasks)} tasks")
    branches = {stage: tree.add(f"[bold]{stage}[/]  [dim]{text}[/]") for stage, text in STAGES.items()}
    for task in dag.topological_sort():
        stage, _, name = task.task_id.partition(".")
        after = ", ".join(sorted(t.removeprefix(f"{stage}.") for t in task.upstream_task_ids))
        branches[stage].add(
            f"{escape(name)}  [dim]{type(task).__name__}{f', after {after}' if after else ''}[/]"
        )
    tree.children = [branch for branch in tree.children if branch.children]
    return tree
