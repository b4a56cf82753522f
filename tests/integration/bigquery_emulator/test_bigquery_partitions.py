"""Partitions of the local BigQuery: copied, listed, read and removed as on the real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bigquery_shell import (
    EVENTS,
    HOUR,
    HOURLY,
    PROJECT,
    SEVEN,
    SIX,
    copy,
    hourly,
    ids,
)
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery as bq

pytestmark = pytest.mark.cloud


def test_copy_replaces_exactly_one_partition(client: bq.Client, ds: str) -> None:
    hourly(client, f"{ds}.a")
    hourly(client, f"{ds}.b", require_partition_filter=True)
    copy(client, f"{ds}.a${SIX}", f"{ds}.b${SIX}", write_disposition="WRITE_TRUNCATE")
    assert ids(client, f"{ds}.b") == ["a6", "b5", "b7"]
    copy(client, f"{ds}.a${SEVEN}", f"{ds}.b${SEVEN}", write_disposition="WRITE_APPEND")
    assert ids(client, f"{ds}.b") == ["a6", "a7", "b5", "b7"]
    with pytest.raises(Conflict, match=f"b\\${SEVEN}"):
        copy(client, f"{ds}.a${SEVEN}", f"{ds}.b${SEVEN}", write_disposition="WRITE_EMPTY")


def test_copy_refuses_what_bigquery_refuses(client: bq.Client, ds: str) -> None:
    hourly(client, f"{ds}.a")
    hourly(client, f"{ds}.b")
    with pytest.raises(NotFound, match=r"a\$2021072109"):
        copy(client, f"{ds}.a$2021072109", f"{ds}.b$2021072109")
    with pytest.raises(BadRequest, match="Some rows belong to different partitions"):
        copy(client, f"{ds}.a", f"{ds}.b${SIX}", write_disposition="WRITE_TRUNCATE")
    with pytest.raises(BadRequest, match="decorator"):
        copy(client, f"{ds}.a$20210721", f"{ds}.b${SIX}")
    with pytest.raises(NotFound):
        copy(client, f"{ds}.a", f"{ds}.new", create_disposition="CREATE_NEVER")
    assert ids(client, f"{ds}.b") == ["b5", "b6", "b7"]


def test_copy_into_a_new_table_keeps_the_layout(client: bq.Client, ds: str) -> None:
    hourly(client, f"{ds}.a", clustering_fields=["id"])
    copy(client, f"{ds}.a${SIX}", f"{ds}.part${SIX}")
    copy(client, f"{ds}.a", f"{ds}.whole")
    for name, count in (("part", 1), ("whole", 3)):
        table = client.get_table(f"{ds}.{name}")
        assert (table.num_rows, table.time_partitioning, table.clustering_fields) == (count, HOURLY, ["id"])
        assert [field.to_api_repr() for field in table.schema] == [field.to_api_repr() for field in EVENTS]


def test_one_partition_can_be_read_and_deleted(client: bq.Client, ds: str) -> None:
    hourly(client, f"{ds}.a", require_partition_filter=True)
    assert client.get_table(f"{ds}.a${SIX}").num_rows == 1
    assert ids(client, f"{ds}.a${SIX}") == ["a6"]
    client.delete_table(f"{ds}.a${SIX}")
    assert client.list_partitions(f"{ds}.a") == ["2021072105", SEVEN]
    assert client.get_table(f"{ds}.a").num_rows == 2
    with pytest.raises(NotFound):
        client.delete_table(f"{ds}.a${SIX}")


@pytest.mark.parametrize(
    ("kind", "value", "partition"),
    [
        ("DATE) PARTITION BY DATE_TRUNC(d, DAY", "DATE '2021-07-21'", "20210721"),
        ("DATE) PARTITION BY DATE_TRUNC(d, MONTH", "DATE '2021-07-21'", "202107"),
        ("TIMESTAMP) PARTITION BY TIMESTAMP_TRUNC(d, YEAR", "TIMESTAMP '2021-07-21 06:00:00'", "2021"),
        ("DATETIME) PARTITION BY DATETIME_TRUNC(d, HOUR", "DATETIME '2021-07-21 06:30:00'", SIX),
        ("INT64) PARTITION BY RANGE_BUCKET(d, GENERATE_ARRAY(0, 100, 10)", "15", "10"),
    ],
)
def test_every_kind_of_partition(
    client: bq.Client, ds: str, rows: Callable, *, kind: str, value: str, partition: str
) -> None:
    rows(f"CREATE TABLE {ds}.k (d {kind}); INSERT {ds}.k VALUES ({value}), (NULL)")
    assert client.list_partitions(f"{ds}.k") == [partition, "__NULL__"]
    assert client.get_table(f"{ds}.k${partition}").num_rows == 1
    view = f"SELECT partition_id, total_rows FROM {ds}.INFORMATION_SCHEMA.PARTITIONS ORDER BY 1"
    assert rows(view) == [(partition, 1), ("__NULL__", 1)]
    assert rows(f"SELECT total_rows FROM {ds}.INFORMATION_SCHEMA.TABLE_STORAGE") == [(2,)]
    client.delete_table(f"{ds}.k${partition}")
    assert client.list_partitions(f"{ds}.k") == ["__NULL__"]


def test_query_job_replaces_a_partition(client: bq.Client, ds: str) -> None:
    hourly(client, f"{ds}.a")
    target = f"{PROJECT}.{ds}.a${SIX}"
    config = bq.QueryJobConfig(destination=target, write_disposition="WRITE_TRUNCATE")
    client.query_and_wait(
        f"SELECT 'new' AS id, TIMESTAMP '{HOUR}' AS landing_hour, 1 AS n", job_config=config
    )
    assert ids(client, f"{ds}.a") == ["a5", "a7", "new"]
