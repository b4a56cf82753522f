"""The expectations that follow from a source's YAML: set-level rules, and the usual number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.failure import explain
from hourglass.ledger.store import states
from hourglass.partition.volume import expected_volume, history_range

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Table

    from hourglass.config import Platform, Source
    from hourglass.config.rules import Rule
    from hourglass.partition import Partition

Entry = dict[str, Any]


def derived_expectations(
    client: Client, platform: Platform, source: Source, partition: Partition
) -> list[Entry]:
    """What the YAML asks of a candidate, as entries of a suite.

    Args:
        client: The BigQuery client, for tables that are referred to and for the ledger.
        platform: The deployment's names.
        source: The source.
        partition: The candidate's partition.
    """
    entries = [_unique(rule) for rule in source.file.rules if rule.check == "unique"]
    entries += [
        _referential(rule, client, platform) for rule in source.file.rules if rule.check == "referential"
    ]
    return entries + _volume(client, platform, source, partition)


def _unique(rule: Rule) -> Entry:
    # A query rather than Great Expectations' own class, which cannot name a field inside a RECORD.
    names = rule.fields or [str(rule.field)]
    columns = ", ".join(f"{name} AS key_{number}" for number, name in enumerate(names))
    keys = ", ".join(f"key_{number}" for number in range(len(names)))
    given = " AND ".join(f"key_{number} IS NOT NULL" for number in range(len(names)))
    query = (
        f"SELECT {keys}, COUNT(*) AS row_count FROM (SELECT {columns} FROM {{batch}}) AS keyed "  # noqa: S608
        f"WHERE {given} GROUP BY {keys} HAVING COUNT(*) > 1"
    )
    return {
        "type": "UnexpectedRowsExpectation",
        "unexpected_rows_query": query,
        "severity": rule.severity,
        "description": f"rule {rule.reason}: {', '.join(names)} occurs once per partition",
    }


def _referential(rule: Rule, client: Client, platform: Platform) -> Entry:
    column = rule.column or str(rule.field).rsplit(".", 1)[-1]
    name = f"{platform.project}.{rule.table}"
    condition = _partition_filter(_existing(client, name, rule))
    referred = f"SELECT DISTINCT {column} AS known FROM `{name}`{condition}"  # noqa: S608 (validated names)
    query = (
        f"SELECT row_.{rule.field} AS unknown FROM {{batch}} AS row_ "  # noqa: S608
        f"LEFT JOIN ({referred}) AS referred ON row_.{rule.field} = referred.known "
        f"WHERE row_.{rule.field} IS NOT NULL AND referred.known IS NULL"
    )
    return {
        "type": "UnexpectedRowsExpectation",
        "unexpected_rows_query": query,
        "severity": rule.severity,
        "description": f"rule {rule.reason}: every {rule.field} is a {column} of {rule.table}",
    }


def _existing(client: Client, name: str, rule: Rule) -> Table:
    from google.api_core.exceptions import NotFound

    try:
        return client.get_table(name)
    except NotFound:
        raise AirflowFailException(
            explain(
                f"rule {rule.reason} refers to {rule.table}, which does not exist; nothing was published",
                where=f"table {name}",
                next_step="run what makes it (the DAG of that source, or dbt), then clear `gate` and downstream",
                heading="referred-table-missing",
            )
        ) from None


def _partition_filter(table: Table) -> str:
    """The filter that a table insists on, kept wide enough for every row."""
    partitioning = table.time_partitioning
    if not table.require_partition_filter or partitioning is None:
        return ""
    return f" WHERE {partitioning.field or '_PARTITIONTIME'} >= '1970-01-01'"


def _volume(client: Client, platform: Platform, source: Source, partition: Partition) -> list[Entry]:
    tolerance = source.file.monitoring.volume_tolerance
    if not tolerance:
        return []
    recorded = states(client, platform, source.id, *history_range(partition.start))
    history = {r["landing_hour"]: r["published_rows"] for r in recorded if r["published_rows"] is not None}
    volume = expected_volume(history, partition.start, tolerance)
    if volume is None:
        return []
    return [
        {
            "type": "ExpectTableRowCountToBeBetween",
            "min_value": volume.low,
            "max_value": volume.high,
            "severity": source.file.monitoring.volume_severity,
            "description": f"usually {volume.usual}, give or take {tolerance:.0%}",
        }
    ]
