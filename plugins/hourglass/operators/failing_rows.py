"""After a dbt task: the rows that failed its tests, kept in a table and shown; a refusal or an outage, explained."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from hourglass.cloud import bigquery as bq
from hourglass.failure import explain
from hourglass.operators.faults import explained_failure
from hourglass.operators.notify import notify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client

    from hourglass.config import Platform

DATASET = "test_failures"
KEPT, SHOWN = 1000, 5  # rows
KEPT_DAYS = 30
log = logging.getLogger(__name__)


def show_failing_rows(platform: Platform, project_dir: str, **kwargs: Any) -> None:
    """Keep and show what failed; Cosmos calls it after dbt, before it judges the run itself.

    Only a failed test costs a query: dbt's own store_failures would write a table for each test of every run.

    Args:
        platform: The deployment's names.
        project_dir: Where dbt ran.
        kwargs: Airflow's context.

    Raises:
        AirflowException: A test of severity error failed, with its rows; or BigQuery did not answer a model.
        AirflowFailException: BigQuery refused a model.
    """
    target = Path(project_dir) / "target"
    results = target / "run_results.json"
    if not results.is_file():
        return  # dbt did not come so far, which Cosmos says
    found = json.loads(results.read_text("utf-8"))
    _explain_errors(found, kwargs["context"]["task"])
    failed = list(_failed(found))
    if not failed:
        return
    nodes = json.loads((target / "manifest.json").read_text("utf-8"))["nodes"]
    client = bq.client(platform)
    bq.ensure_dataset(client, platform, DATASET)
    said = dict.fromkeys(("warn", "fail"), "")
    for result in failed:
        said[result["status"]] += "\n    " + _described(client, platform, nodes[result["unique_id"]], result)
    if said["warn"]:
        notify(f"dbt tests warn in {kwargs['context']['ti'].dag_id}", said["warn"].strip(), "warning")
    if said["fail"]:
        raise AirflowException(
            explain(
                f"dbt tests failed:{said['fail']}",
                where=f"dataset {DATASET}, a table for each test",
                next_step="correct the data or the model, then clear this task",
                heading="dbt-test-failed",
            )
        )


def _explain_errors(results: dict[str, Any], task: Any) -> None:
    """Raise for a model that failed at BigQuery's door; of what is wrong in its SQL Cosmos tells."""
    for result in results["results"]:
        if result["status"] == "error":
            error = AirflowException(f"{result['unique_id']}: {result['message']}")
            if (explained := explained_failure(task, error)) is not error:
                raise explained


def _failed(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for result in results["results"]:
        if result["status"] in ("fail", "warn") and result.get("compiled_code"):
            yield result


def _described(client: Client, platform: Platform, node: dict[str, Any], result: dict[str, Any]) -> str:
    owner = node["config"].get("meta", {}).get("owner", "nobody")
    head = f"{node['name']} of {owner}: {result['failures']} rows"
    try:
        rows = _keep(client, platform, node["name"], result["compiled_code"])
    except Exception as error:  # the failure itself must be told, whatever becomes of its rows
        log.warning("The rows of %s could not be kept: %s", node["name"], error)
        return f"{head}; they could not be kept: {error}"
    lines = [json.dumps(row, default=str) for row in rows]
    return "\n      ".join([f"{head} in {DATASET}.{node['name']}, such as", *lines])


def _keep(client: Client, platform: Platform, name: str, sql: str) -> list[dict[str, Any]]:
    table = f"`{platform.project}.{DATASET}.{name}`"
    expires = f"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {KEPT_DAYS} DAY)"
    create = (
        f"CREATE OR REPLACE TABLE {table} OPTIONS (expiration_timestamp = {expires}) AS "  # noqa: S608 (dbt's SQL)
        f"SELECT * FROM ({sql}) LIMIT {KEPT}"
    )
    client.query(create).result()
    found = client.query(f"SELECT * FROM {table} LIMIT {SHOWN}").result()  # noqa: S608 (as above)
    return [dict(row.items()) for row in found]
