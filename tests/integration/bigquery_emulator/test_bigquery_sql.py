"""SQL and DDL of the local BigQuery against what the real one does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bigquery_shell import (
    HOUR,
    PROJECT,
    hourly,
    ids,
)
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery as bq

pytestmark = pytest.mark.cloud


@pytest.mark.parametrize("keys", ["(TIMESTAMP '2021-07-21 06:00:00')", "UNNEST(hours)"])
def test_insert_overwrite_merge(client: bq.Client, ds: str, rows: Callable, keys: str) -> None:
    hourly(client, f"{ds}.a", require_partition_filter=True)
    rows(f"""
        DECLARE hours ARRAY<TIMESTAMP>;
        CREATE TEMP TABLE fresh AS SELECT 'm6' AS id, TIMESTAMP '{HOUR}' AS landing_hour, 6 AS n;
        SET (hours) = (SELECT AS STRUCT ARRAY_AGG(DISTINCT landing_hour IGNORE NULLS) FROM fresh);
        MERGE INTO {ds}.a AS DEST USING (SELECT * FROM fresh) AS SRC ON FALSE
        WHEN NOT MATCHED BY SOURCE AND DEST.landing_hour IN {keys} THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, landing_hour, n) VALUES (id, landing_hour, n)""")
    assert ids(client, f"{ds}.a") == ["a5", "a7", "m6"]


def test_required_partition_filter(client: bq.Client, ds: str, rows: Callable) -> None:
    hourly(client, f"{ds}.a", require_partition_filter=True)
    rows(f"CREATE VIEW {ds}.v OPTIONS (labels = [('k', 'v')], description = 'd') AS SELECT * FROM {ds}.a")
    view = client.get_table(f"{ds}.v")
    assert (view.labels, view.description, view.table_type) == ({"k": "v"}, "d", "VIEW")
    assert len(rows(f"SELECT id FROM {ds}.v WHERE landing_hour >= '2021-07-21'")) == 3
    refused = (
        f"SELECT * FROM {ds}.a",
        f"SELECT * FROM {ds}.v",
        f"DELETE FROM {ds}.a WHERE id = 'a5'",
        f"UPDATE {ds}.a SET n = 0 WHERE id = 'a5'",
        f"MERGE {ds}.a D USING (SELECT 'x' AS id) S ON D.id = S.id WHEN MATCHED THEN DELETE",
    )
    for sql in refused:
        with pytest.raises(BadRequest, match=r"without a filter over column\(s\) 'landing_hour'"):
            rows(sql)
    assert client.get_table(f"{ds}.a").num_rows == 3


def test_ddl_options_are_reported(client: bq.Client, ds: str, rows: Callable) -> None:
    rows(f"""CREATE TABLE {ds}.a (id STRING OPTIONS (description = 'key'), d DATE)
        PARTITION BY d CLUSTER BY id
        OPTIONS (partition_expiration_days = 30, labels = [('a', 'b')], description = 'x')""")
    table = client.get_table(f"{ds}.a")
    assert table.time_partitioning.expiration_ms == 30 * 86_400_000
    assert (table.labels, table.description, table.schema[0].description) == ({"a": "b"}, "x", "key")
    rows(f"INSERT {ds}.a VALUES ('old', DATE '2021-07-21')")
    assert client.get_table(f"{ds}.a").num_rows == 1  # no row of the sample's year is hidden
    rows(f"ALTER TABLE {ds}.a SET OPTIONS (partition_expiration_days = NULL, labels = [('c', 'd')])")
    table = client.get_table(f"{ds}.a")
    assert (table.time_partitioning.expiration_ms, table.labels) == (None, {"c": "d"})


def test_materialized_view(client: bq.Client, ds: str, rows: Callable) -> None:
    hourly(client, f"{ds}.a", require_partition_filter=True)
    for _ in range(2):
        rows(f"""CREATE MATERIALIZED VIEW IF NOT EXISTS {ds}.mv PARTITION BY landing_hour CLUSTER BY n
            OPTIONS (enable_refresh = false, labels = [('k', 'v')])
            AS SELECT landing_hour, n, COUNT(*) AS events, HLL_COUNT.INIT(id) AS people
            FROM {ds}.a GROUP BY landing_hour, n;
            CALL BQ.REFRESH_MATERIALIZED_VIEW('{PROJECT}.{ds}.mv')""")
    assert rows(
        f"SELECT SUM(events), SUM(HLL_COUNT.EXTRACT(people)), HLL_COUNT.MERGE(people) FROM {ds}.mv"
    ) == [(3, 3, 3)]
    view = client.get_table(f"{ds}.mv")
    assert (view.table_type, view.mview_enable_refresh, view.labels) == (
        "MATERIALIZED_VIEW",
        False,
        {"k": "v"},
    )
    assert view.mview_last_refresh_time is not None


def test_unnest_without_alias(client: bq.Client, rows: Callable) -> None:
    params = (
        "[STRUCT('page' AS key, STRUCT('home' AS text, 1 AS number) AS value), STRUCT('x', STRUCT('y', 2))]"
    )
    assert rows(f"""SELECT (SELECT value.text FROM UNNEST(event_params) WHERE key = 'page'), number
        FROM (SELECT {params} AS event_params, [7, 8] AS numbers) AS e, UNNEST(e.numbers) AS number
        WHERE EXISTS (SELECT 1 FROM UNNEST(event_params) WHERE key = 'x') ORDER BY 2""") == [
        ("home", 7),
        ("home", 8),
    ]


def test_parameters_and_functions(client: bq.Client, ds: str, rows: Callable) -> None:
    hourly(client, f"{ds}.a", filled=False)
    scalar = bq.ScalarQueryParameter
    pair = [bq.StructQueryParameter(None, scalar("id", "STRING", i), scalar("n", "INT64", 1)) for i in "xy"]
    rows(
        f"INSERT INTO {ds}.a (id, landing_hour, n) SELECT r.id, @at, r.n FROM UNNEST(@rows) AS r",
        scalar("at", "TIMESTAMP", HOUR),
        bq.ArrayQueryParameter("rows", "STRUCT", pair),
    )
    wanted = bq.ArrayQueryParameter("ids", "STRING", ["y", "z"])
    assert rows(f"SELECT id, landing_hour FROM {ds}.a WHERE id IN UNNEST(@ids)", wanted) == [("y", HOUR)]
    assert rows(
        """SELECT JSON_VALUE(j, '$.a.b'), JSON_QUERY(j, '$.a'), TO_HEX(SHA256('a')),
        ARRAY_LENGTH(GENERATE_DATE_ARRAY('2021-07-01', '2021-07-03')), TIMESTAMP_TRUNC(@at, DAY)
        FROM (SELECT '{"a": {"b": "c"}}' AS j) QUALIFY ROW_NUMBER() OVER (ORDER BY j) = 1""",
        scalar("at", "TIMESTAMP", HOUR),
    ) == [
        (
            "c",
            '{"b":"c"}',
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
            3,
            HOUR.replace(hour=0),
        )
    ]


def test_fingerprints_of_every_length(client: bq.Client, rows: Callable) -> None:
    """The values are BigQuery's documented example and this emulator's former row-by-row function's."""
    documented = "CONCAT(CAST(1 AS STRING), 'foo', CAST(true AS STRING))"
    assert rows(f"SELECT FARM_FINGERPRINT({documented})") == [(-1541654101129638711,)]
    assert rows("""SELECT COUNT(DISTINCT FARM_FINGERPRINT(REPEAT('x', n))),
        COUNTIF(FARM_FINGERPRINT(NULL) IS NULL)
        FROM UNNEST(GENERATE_ARRAY(0, 200)) AS n""") == [(201, 201)]


def test_unknown_names(client: bq.Client, ds: str, rows: Callable) -> None:
    for name in (f"{ds}.nope", "no_such_dataset.t"):
        with pytest.raises(NotFound):
            rows(f"SELECT * FROM {name}")
    with pytest.raises(BadRequest, match="Unrecognized name: nope"):
        rows("SELECT nope FROM (SELECT 1 AS x)")


def test_jobs_by_project_knows_labels(client: bq.Client, rows: Callable) -> None:
    job = client.query("SELECT 1", job_config=bq.QueryJobConfig(labels={"stage": "gate"}))
    job.result()
    assert rows(f"""SELECT l.key, l.value, end_time >= creation_time, state, total_bytes_processed >= 0
        FROM `region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT, UNNEST(labels) AS l
        WHERE job_id = '{job.job_id}'""") == [("stage", "gate", True, "DONE", True)]
