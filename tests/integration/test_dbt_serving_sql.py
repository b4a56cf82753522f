"""The SQL files that are not dbt's: view, features and ledger, against counts made in plain Python."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dbt_silver as silver
import pytest
import yaml
from google.cloud import bigquery

pytestmark = pytest.mark.cloud

OWN_PROJECT = "hourglass-sql"
INCLUDE = Path(__file__).resolve().parents[2] / "include"
SIX = datetime(2021, 7, 21, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def marts(client: bigquery.Client, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Both sample hours in gold.fct_github_events, built by dbt; gives the raw events of the first hour."""
    from tests.dbt_runs import Dbt

    silver.create_table(client)
    for hour in (6, 7):
        silver.publish(client, f"2021-07-21T{hour:02d}:00:00Z", silver.sample_rows(hour))
    dbt = Dbt(tmp_path_factory.mktemp("dbt"))
    assert dbt("2021-07-21", "run", "--select", "tag:github").success
    files = silver.SAMPLES.glob("**/hour=06/*.json.gz")
    return [json.loads(line) for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]


def run(client: bigquery.Client, path: str, **values: Any) -> list[dict[str, Any]]:
    sql = (INCLUDE / "sql" / path).read_text("utf-8").replace("{{ project }}", client.project)
    kinds = {datetime: "TIMESTAMP", str: "STRING"}
    parameters = [
        bigquery.ArrayQueryParameter(name, "DATE", value)
        if isinstance(value, list)
        else bigquery.ScalarQueryParameter(name, kinds[type(value)], value)
        for name, value in values.items()
    ]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    return [dict(row) for row in client.query_and_wait(sql, job_config=config)]


def test_features_are_those_of_the_partition_alone(
    client: bigquery.Client, marts: list[dict[str, Any]]
) -> None:
    dates = [date(2021, 7, 21)]
    rows = run(client, "features/github_actor.sql", landing_hour=SIX, event_dates=dates)
    repos: defaultdict[str, set[int]] = defaultdict(set)
    for event in marts:
        repos[event["actor"]["login"]].add(event["repo"]["id"])
    events = Counter(event["actor"]["login"] for event in marts)
    pushes = Counter(event["actor"]["login"] for event in marts if event["type"] == "PushEvent")

    assert next(iter(rows[0])) == "entity"
    assert [row["entity"] for row in rows] == sorted(events)
    assert {row["entity"]: row["events"] for row in rows} == dict(events)
    assert {row["entity"]: row["pushes"] for row in rows if row["pushes"]} == dict(pushes)
    assert {row["entity"]: row["repos"] for row in rows} == {login: len(ids) for login, ids in repos.items()}
    assert all(row["is_bot"] == row["entity"].endswith("[bot]") for row in rows)
    assert rows == run(client, "features/github_actor.sql", landing_hour=SIX, event_dates=dates)


@pytest.mark.usefixtures("marts")
def test_the_view_counts_every_event_and_sketches_its_actors(client: bigquery.Client) -> None:
    for _ in range(2):
        run(client, "materialized_views/github_hourly_events.sql")
    client.query_and_wait(
        f"CALL BQ.REFRESH_MATERIALIZED_VIEW('{client.project}.gold.mv_github_hourly_events')"
    )
    query = """
        SELECT landing_hour, SUM(events) AS events, HLL_COUNT.MERGE(actors_sketch) AS actors
        FROM gold.mv_github_hourly_events WHERE event_date = '2021-07-21' GROUP BY landing_hour
    """
    exact = """
        SELECT landing_hour, COUNT(*) AS events, COUNT(DISTINCT actor_id) AS actors
        FROM gold.fct_github_events WHERE event_date = '2021-07-21' GROUP BY landing_hour
    """
    view = {row.landing_hour: row for row in client.query_and_wait(query)}
    for row in client.query_and_wait(exact):
        assert view[row.landing_hour].events == row.events == 200
        assert view[row.landing_hour].actors == pytest.approx(row.actors, rel=0.03)
    assert client.get_table("gold.mv_github_hourly_events").mview_enable_refresh is False


def test_the_state_of_a_partition_is_its_newest_row(client: bigquery.Client) -> None:
    client.create_dataset("ops", exists_ok=True)
    client.query_and_wait("DROP TABLE IF EXISTS ops.partition_ledger")
    for _ in range(2):
        run(client, "ddl/partition_ledger.sql")
    for key, state, attempt, second in (
        ("06", "failed", 1, 10),
        ("06", "published", 2, 20),
        ("07", "published", 1, 15),
        ("07", "skipped", 2, 12),
        ("09", "published", 1, 1),
    ):
        client.query_and_wait(
            f"""
            INSERT INTO ops.partition_ledger
              (source, `partition`, landing_hour, grain, state, run_id, attempt, recorded_at)
            VALUES ('github', '2021-07-21T{key}', TIMESTAMP '2021-07-21 {key}:00:00', 'hour', '{state}',
                    'run', {attempt}, TIMESTAMP '2021-07-21 10:00:{second:02d}')
            """
        )
    window = {"range_start": SIX, "range_end": SIX.replace(hour=9)}
    states = run(client, "ops/partition_state.sql", source="github", **window)
    assert [(row["partition"], row["state"]) for row in states] == [
        ("2021-07-21T06", "published"),
        ("2021-07-21T07", "published"),
    ]
    assert run(client, "ops/partition_state.sql", source="other", **window) == []
    ledger = client.get_table("ops.partition_ledger")
    assert ledger.time_partitioning.field == "landing_hour"
    assert all(field.description for field in ledger.schema)


@pytest.mark.usefixtures("marts")
def test_the_suite_passes_good_rows_and_every_expectation_can_fail(client: bigquery.Client) -> None:
    import great_expectations as gx

    client.create_dataset("candidate", exists_ok=True)
    good = "SELECT * FROM silver.github WHERE landing_hour = '2021-07-21 06:00:00'"
    bad = """
        SELECT * REPLACE (
          IF(source_line = 1, NULL, created_at) AS created_at,
          IF(source_line = 2, NULL, IF(source_line = 3, 'same', id)) AS id,
          IF(source_line = 4, 'push', type) AS type,
          IF(source_line = 5, NULL, actor) AS actor,
          IF(source_line = 6, NULL, repo) AS repo,
          IF(source_line = 8, 'nobody', repo_owner) AS repo_owner,
          IF(source_line = 7, DATE '2021-07-20', event_date) AS event_date,
          CAST(NULL AS STRING) AS payload,
          '{}' AS unknown_fields
        )
        FROM silver.github WHERE landing_hour >= '2021-07-21'
    """
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_bigquery(
        name="candidate", connection_string=f"bigquery://{client.project}/candidate"
    )
    entries = yaml.safe_load((INCLUDE / "expectations/github.yaml").read_text("utf-8"))["expectations"]
    failed = {}
    for name, query in (("good", good), ("bad", bad)):
        client.query_and_wait(f"CREATE OR REPLACE TABLE candidate.{name} AS {query}")
        suite = gx.ExpectationSuite(name=name)
        for entry in entries:
            arguments = {key: value for key, value in entry.items() if key != "type"}
            suite.add_expectation(getattr(gx.expectations, entry["type"])(**arguments))
        asset = source.add_table_asset(name, table_name=name, schema_name="candidate")
        result = asset.add_batch_definition_whole_table("whole").get_batch().validate(suite)
        raised = [r.exception_info for r in result.results if r.exception_info.get("raised_exception")]
        assert raised == []
        failed[name] = [r.expectation_config.description for r in result.results if not r.success]
    assert failed["good"] == []
    assert sorted(failed["bad"]) == sorted(entry["description"] for entry in entries)
