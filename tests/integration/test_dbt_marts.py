"""The GitHub marts on the local BigQuery, against counts made from the raw events in plain Python."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import dbt_silver as silver
import pytest
from dbt.cli.main import dbtRunnerResult
from google.cloud import bigquery

from tests.dbt_runs import PROJECT, Dbt, messages

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("client")]

OWN_PROJECT = "hourglass-dbt"
SIX, SEVEN, EIGHT = (f"2021-07-21T{hour:02d}:00:00Z" for hour in (6, 7, 8))
DAY = "2021-07-21"
Run = Callable[..., dbtRunnerResult]


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs one dbt command for the given event dates, github's models where none is given."""
    runs = Dbt(tmp_path_factory.mktemp("dbt"))
    return lambda event_dates, *command: runs(event_dates, *(command or ("run", "--select", "tag:github")))


@pytest.fixture
def fresh(client: bigquery.Client) -> None:
    """An empty silver.github, and no marts."""
    silver.create_table(client)
    client.query_and_wait("DROP MATERIALIZED VIEW IF EXISTS gold.mv_github_hourly_events")
    for table in ("fct_github_events", "fct_github_repo_daily"):
        client.query_and_wait(f"DROP TABLE IF EXISTS gold.{table}")


def rows(client: bigquery.Client, table: str, event_date: str | None = None) -> list[dict[str, Any]]:
    where = f"event_date = '{event_date}'" if event_date else "event_date >= '1970-01-01'"
    found = [dict(row) for row in client.query_and_wait(f"SELECT * FROM gold.{table} WHERE {where}")]
    return sorted(found, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def marts(client: bigquery.Client) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(client, table) for table in ("fct_github_events", "fct_github_repo_daily")}


def raw_events(*hours: int) -> list[dict[str, Any]]:
    files = [p for h in hours for p in silver.SAMPLES.glob(f"**/hour={h:02d}/*.json.gz")]
    return [json.loads(line) for path in files for line in gzip.open(path, "rt", encoding="utf-8")]


def redelivered(hour: str, line: int, event_id: str, created_at: str, **payload: Any) -> dict[str, Any]:
    source = f"gs://hourglass-raw/{hour}.json.gz"
    return silver.silver_row(silver.event(event_id, created_at, **payload), hour, source, line)


@pytest.mark.usefixtures("fresh")
def test_marts_equal_counts_made_from_the_raw_files(client: bigquery.Client, dbt: Run) -> None:
    silver.publish(client, SIX, silver.sample_rows(6))
    assert dbt(DAY, "build", "--select", "tag:github").success
    silver.publish(client, SEVEN, silver.sample_rows(7))
    built = dbt(DAY, "build", "--select", "tag:github")
    assert built.success, messages(built)
    statuses = Counter(str(node.status) for node in built.result)
    assert statuses["success"] == 3
    assert statuses["pass"] >= 15

    raw = raw_events(6, 7)
    facts = rows(client, "fct_github_events")
    assert sorted(f["event_id"] for f in facts) == sorted(e["id"] for e in raw)
    by_id = {f["event_id"]: f for f in facts}
    for event in raw:
        fact = by_id[event["id"]]
        assert fact["event_at"].strftime("%Y-%m-%dT%H:%M:%SZ") == event["created_at"]
        assert (fact["event_type"], fact["actor_id"]) == (event["type"], event["actor"]["id"])
        assert (fact["repo_name"], fact["org_login"]) == (
            event["repo"]["name"],
            event.get("org", {}).get("login"),
        )
        assert fact["action"] == event["payload"].get("action")
        assert fact["push_size"] == event["payload"].get("size")

    events: Counter[int] = Counter()
    pushes: Counter[int] = Counter()
    commits: Counter[int] = Counter()
    actors: defaultdict[int, set[int]] = defaultdict(set)
    for event in raw:
        repo = event["repo"]["id"]
        events[repo] += 1
        pushes[repo] += event["type"] == "PushEvent"
        commits[repo] += event["payload"].get("distinct_size", 0)
        actors[repo].add(event["actor"]["id"])
    daily = rows(client, "fct_github_repo_daily", DAY)
    assert {d["repo_id"]: d["events"] for d in daily} == dict(events)
    assert {d["repo_id"]: d["pushes"] for d in daily} == dict(pushes)
    assert {d["repo_id"]: d["commits"] for d in daily} == dict(commits)
    assert {d["repo_id"]: d["actors"] for d in daily} == {repo: len(ids) for repo, ids in actors.items()}

    before = marts(client)
    assert dbt(DAY).success
    assert marts(client) == before


def test_tables_have_the_settings_that_bound_their_cost(client: bigquery.Client) -> None:
    for table in ("fct_github_events", "fct_github_repo_daily"):
        made = client.get_table(f"gold.{table}")
        assert made.require_partition_filter
        assert (made.time_partitioning.field, made.time_partitioning.type_) == ("event_date", "DAY")
        assert "repo_id" in made.clustering_fields
        assert made.labels == {"managed_by": "hourglass", "table_type": "mart", "source": "github"}
        assert made.description
        assert all(field.description for field in made.schema)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("order", [(SIX, SEVEN, EIGHT), (EIGHT, SIX, SEVEN), (SEVEN, EIGHT, SIX)])
def test_a_redelivered_event_counts_where_it_landed_first_in_any_order(
    client: bigquery.Client, dbt: Run, order: tuple[str, ...]
) -> None:
    landed = {
        SIX: [
            redelivered(SIX, 9, "1", "2021-07-21T05:59:00Z", size=6),
            redelivered(SIX, 1, "2", "2021-07-20T23:59:00Z"),
        ],
        SEVEN: [redelivered(SEVEN, 1, "1", "2021-07-21T05:59:00Z", size=7)],
        EIGHT: [
            redelivered(EIGHT, 2, "1", "2021-07-21T05:59:00Z", size=8),
            redelivered(EIGHT, 1, "3", "2021-07-15T00:00:00Z"),
        ],
    }
    for hour in order:
        silver.publish(client, hour, landed[hour])
        assert dbt(",".join(sorted({row["event_date"] for row in landed[hour]}))).success

    facts = {f["event_id"]: f for f in rows(client, "fct_github_events")}
    assert sorted(facts) == ["1", "2", "3"]
    assert (facts["1"]["landing_hour"].hour, facts["1"]["push_size"]) == (6, 6)
    daily = {(str(d["event_date"]), d["events"]) for d in rows(client, "fct_github_repo_daily")}
    assert daily == {("2021-07-21", 1), ("2021-07-20", 1), ("2021-07-15", 1)}


@pytest.mark.usefixtures("fresh")
def test_rows_that_left_silver_leave_the_marts_of_the_dates_at_hand_only(
    client: bigquery.Client, dbt: Run
) -> None:
    kept = redelivered(SIX, 1, "1", "2021-07-20T10:00:00Z")
    silver.publish(client, SIX, [kept, redelivered(SIX, 2, "2", "2021-07-21T05:00:00Z")])
    assert dbt("2021-07-20,2021-07-21").success
    silver.publish(client, SIX, [])

    assert dbt("2021-07-21").success
    assert [f["event_id"] for f in rows(client, "fct_github_events")] == ["1"]
    assert [str(d["event_date"]) for d in rows(client, "fct_github_repo_daily")] == ["2021-07-20"]

    assert dbt("2021-07-20").success
    assert marts(client) == {"fct_github_events": [], "fct_github_repo_daily": []}


@pytest.mark.usefixtures("fresh")
def test_an_empty_partition_is_a_no_op(client: bigquery.Client, dbt: Run) -> None:
    silver.publish(client, SIX, silver.sample_rows(6))
    built = dbt("", "build", "--select", "tag:github")
    assert built.success, messages(built)
    assert marts(client) == {"fct_github_events": [], "fct_github_repo_daily": []}

    assert dbt(DAY).success
    before = marts(client)
    silver.publish(client, SIX, [])
    assert dbt("", "build", "--select", "tag:github").success
    assert marts(client) == before
    assert len(before["fct_github_events"]) == 200


@pytest.mark.usefixtures("fresh")
def test_full_refresh_gives_the_incremental_rows_and_keeps_the_view(
    client: bigquery.Client, dbt: Run
) -> None:
    silver.publish(client, SIX, silver.sample_rows(6))
    silver.publish(
        client, SEVEN, [*silver.sample_rows(7), redelivered(SEVEN, 900, "old", "2021-07-16T00:00:00Z")]
    )
    assert dbt(f"2021-07-16,{DAY}").success
    incremental = marts(client)
    view = (PROJECT.parent / "sql/materialized_views/github_hourly_events.sql").read_text("utf-8")
    client.query_and_wait(view.replace("{{ project }}", client.project))
    client.query_and_wait("DELETE FROM gold.fct_github_events WHERE event_date = '2021-07-16'")

    refreshed = dbt(DAY, "run", "--select", "tag:github", "--full-refresh")
    assert refreshed.success, messages(refreshed)
    assert marts(client) == incremental
    total = "SELECT SUM(events) AS events FROM gold.mv_github_hourly_events WHERE event_date >= '1970-01-01'"
    assert next(iter(client.query_and_wait(total))).events == len(incremental["fct_github_events"])


@pytest.mark.usefixtures("fresh")
def test_a_run_that_does_not_know_its_dates_or_its_table_is_refused(
    client: bigquery.Client, dbt: Run
) -> None:
    silver.publish(client, SIX, silver.sample_rows(6))
    unset = dbt(None)
    assert not unset.success
    assert "HOURGLASS_EVENT_DATES is not set" in messages(unset)
    wrong = dbt("2021-07-21,21/07/2021")
    assert not wrong.success
    assert "'21/07/2021', which is not a date like 2021-07-21" in messages(wrong)

    assert dbt(DAY).success
    before = rows(client, "fct_github_repo_daily")
    client.query_and_wait("ALTER TABLE gold.fct_github_events ADD COLUMN surprise STRING")
    drifted = dbt(DAY)
    assert not drifted.success
    assert "Only in the table: surprise string. Only in the contract: nothing." in messages(drifted)
    assert rows(client, "fct_github_repo_daily") == before
    rebuilt = dbt(None, "run", "--select", "tag:github", "--full-refresh")
    assert rebuilt.success, messages(rebuilt)
    assert "surprise" not in rows(client, "fct_github_events")[0]


def test_every_statement_reads_only_the_partitions_of_its_dates(client: bigquery.Client, dbt: Run) -> None:
    for dates, expected in (
        ("2021-07-21", ["2021-07-20 00:00:00+00", "2021-07-29 00:00:00+00"]),
        ("2021-07-22,2021-07-21", ["2021-07-20 00:00:00+00", "2021-07-30 00:00:00+00"]),
        (
            "2021-03-01,2021-07-21",
            [
                "2021-02-28 00:00:00+00",
                "2021-03-09 00:00:00+00",
                "2021-07-20 00:00:00+00",
                "2021-07-29 00:00:00+00",
            ],
        ),
    ):
        compiled = dbt(dates, "compile", "--select", "tag:github")
        code = {node.node.name: node.node.compiled_code for node in compiled.result}
        fact = code.pop("fct_github_events")
        assert [part[:22] for part in fact.split("timestamp '")[1:]] == expected
        listed = ", ".join(f"date '{d}'" for d in sorted(dates.split(",")))
        assert f"event_date in ({listed})" in fact
        code.pop("stg_github__events")
        unbounded = [name for name, sql in code.items() if f"event_date in ({listed})" not in sql]
        assert unbounded == []


@pytest.mark.usefixtures("fresh")
def test_a_broken_aggregate_is_caught(client: bigquery.Client, dbt: Run) -> None:
    silver.publish(client, SIX, silver.sample_rows(6))
    assert dbt(DAY).success
    client.query_and_wait(
        f"UPDATE gold.fct_github_repo_daily SET events = events + 1, repo_id = 1 WHERE event_date = '{DAY}'"
    )
    tested = dbt(DAY, "test", "--select", "fct_github_repo_daily")
    failed = {node.node.name for node in tested.result if node.status == "fail"}
    assert failed == {
        "fct_github_repo_daily__events_add_up",
        "fct_github_repo_daily__one_row_per_repo_and_date",
        "fct_github_repo_daily__repo_has_events",
    }
