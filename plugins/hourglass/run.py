"""The one place that reads a DAG run's dates: which partition does a run stand for?

Scheduled runs, backfills and `airflow dags test DAG 2021-07-21T06:00:00` carry the partition's start as
their logical date. Any other run (the Trigger button, with its prefilled current time) stands for no
partition and only asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hourglass.partition import Grain, Partition


def own_partition(context: Mapping[str, Any], grain: Grain) -> Partition | None:
    """The partition that this run processes itself, or None when it only asks for one.

    Args:
        context: Airflow's template context.
        grain: The grain of the DAG's source.
    """
    moment = context["dag_run"].logical_date
    if moment is None or not Partition.starts_at(moment, grain):
        return None
    partition = Partition(moment, grain)
    return partition if requested_key(context) in (None, partition.key) else None


def requested_key(context: Mapping[str, Any]) -> str | None:
    """The partition that was typed into the trigger form."""
    key = (context.get("params") or {}).get("partition")
    return str(key) if key else None


def requested_partition(context: Mapping[str, Any], grain: Grain, now: datetime | None = None) -> Partition:
    """The partition that a run asks for: the form's, else the last one whose interval has ended.

    Raises:
        ValueError: The form's text is not a partition of this grain.
    """
    key = requested_key(context)
    if key is None:
        return Partition.last_ended(now or datetime.now(tz=UTC), grain)
    return Partition.parse(key, grain)


def partition_of(context: Mapping[str, Any], grain: Grain) -> Partition:
    """The partition of a working run.

    Raises:
        ValueError: The run stands for no partition; `sense.admit` should have skipped its tasks.
    """
    partition = own_partition(context, grain)
    if partition is None:
        raise ValueError(
            f"run {context['dag_run'].run_id} stands for no partition of {grain.length_in_words}; "
            "trigger the DAG with a partition, or run `make dag SOURCE=… PARTITION=…`"
        )
    return partition
