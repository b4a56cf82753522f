"""Load jobs of the local BigQuery, jobs side by side, and what a killed server keeps."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from bigquery_shell import (
    EVENTS,
    HOUR,
    HOURLY,
    SIX,
    Server,
    copy,
    events,
    hourly,
    ids,
    load,
)
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery as bq

pytestmark = pytest.mark.cloud


def test_load_takes_the_listed_files_and_counts_them(client: bq.Client, ds: str, put: Callable) -> None:
    uris = [put(f"data/landing_hour=2021-07-21T06%3A0{i}/x y.parquet", events(6, 3)) for i in range(9)]
    job = load(client, uris, f"{ds}.a", time_partitioning=HOURLY)
    assert (job.output_rows, job.input_files) == (27, 9)
    assert job.input_file_bytes > 9 * 100
    assert job.output_bytes > 0
    table = client.get_table(f"{ds}.a")
    assert (table.num_rows, table.time_partitioning) == (27, HOURLY)
    assert table.num_bytes > 0
    assert [field.to_api_repr() for field in table.schema] == [field.to_api_repr() for field in EVENTS]


def test_load_keeps_what_the_table_was_created_with(client: bq.Client, ds: str, put: Callable) -> None:
    expires = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    hourly(client, f"{ds}.a", labels={"k": "v"}, expires=expires, clustering_fields=["id"], description="d")
    load(client, [put("new.parquet", events(6))], f"{ds}.a")
    table = client.get_table(f"{ds}.a")
    assert ids(client, f"{ds}.a") == ["6-0", "6-1"]
    assert (table.labels, table.expires, table.description) == ({"k": "v"}, expires, "d")
    assert (table.time_partitioning, table.clustering_fields) == (HOURLY, ["id"])
    assert (table.schema[0].mode, table.schema[0].description) == ("REQUIRED", "the event's key")
    daily = bq.TimePartitioning(type_="DAY", field="landing_hour")
    with pytest.raises(BadRequest, match="Incompatible table partitioning"):
        load(client, [put("new.parquet", events(6))], f"{ds}.a", time_partitioning=daily)


def test_load_into_a_partition(client: bq.Client, ds: str, put: Callable) -> None:
    hourly(client, f"{ds}.a")
    load(client, [put("six.parquet", events(6))], f"{ds}.a${SIX}")
    assert ids(client, f"{ds}.a") == ["6-0", "6-1", "a5", "a7"]
    with pytest.raises(BadRequest, match="Some rows belong to different partitions"):
        load(client, [put("seven.parquet", events(7))], f"{ds}.a${SIX}")
    assert ids(client, f"{ds}.a") == ["6-0", "6-1", "a5", "a7"]


def test_load_reads_every_type(client: bq.Client, ds: str, put: Callable, rows: Callable) -> None:
    actor = pa.struct([("id", pa.int64()), ("email", pa.string())])
    columns = {
        "actor": pa.array([{"id": 1, "email": "e"}, None], actor),
        "tags": pa.array([["x", "y"], []], pa.list_(pa.string())),
        "params": pa.array([[{"id": 2, "email": None}], []], pa.list_(actor)),
        "at": pa.array([HOUR, None], pa.timestamp("us", "UTC")),
        "day": pa.array([HOUR.date(), None]),
        "price": pa.array([Decimal("1.500000000"), None], pa.decimal128(38, 9)),
        "raw": pa.array([b"\xff\x00", None]),
    }
    person = [
        bq.SchemaField("id", "INT64"),
        bq.SchemaField("email", "STRING"),
        bq.SchemaField("city", "STRING"),
    ]
    schema = [
        bq.SchemaField("actor", "RECORD", fields=person),
        bq.SchemaField("tags", "STRING", "REPEATED"),
        bq.SchemaField("params", "RECORD", "REPEATED", fields=person),
        *(bq.SchemaField(n, t) for n, t in (("at", "TIMESTAMP"), ("day", "DATE"), ("price", "NUMERIC"))),
        bq.SchemaField("raw", "BYTES"),
        bq.SchemaField("missing", "STRING"),
    ]
    uri = put("types.parquet", columns)
    with pytest.raises(BadRequest, match="'tags' is specified as REPEATED"):
        load(client, [uri], f"{ds}.a", schema=schema)
    lists = bq.ParquetOptions()
    lists.enable_list_inference = True
    load(client, [uri], f"{ds}.a", schema=schema, parquet_options=lists)
    assert rows(f"SELECT * FROM {ds}.a WHERE day IS NOT NULL") == [
        (
            {"id": 1, "email": "e", "city": None},
            ["x", "y"],
            [{"id": 2, "email": None, "city": None}],
            HOUR,
            HOUR.date(),
            Decimal("1.5"),
            b"\xff\x00",
            None,
        )
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (events(6) | {"extra": pa.array(["x", "y"])}, "extra"),
        ({k: v for k, v in events(6).items() if k != "id"}, "id"),
        (events(6) | {"n": pa.array(["one", "two"])}, "Parquet column 'n' has type VARCHAR"),
        (events(6) | {"id": pa.array(["x", None])}, "id"),
    ],
)
def test_load_refuses_files_that_do_not_fit(
    client: bq.Client, ds: str, put: Callable, columns: dict[str, pa.Array], message: str
) -> None:
    good = put("good.parquet", events(6))
    with pytest.raises(BadRequest, match=message):
        load(client, [good, put("bad.parquet", columns)], f"{ds}.a")
    with pytest.raises(NotFound):
        client.get_table(f"{ds}.a")


def test_load_names_the_missing_object(client: bq.Client, ds: str, put: Callable) -> None:
    uri = put("there.parquet", events(6))
    with pytest.raises(NotFound, match=r"gone\.parquet"):
        load(client, [uri, uri.replace("there", "gone")], f"{ds}.a")
    with pytest.raises(NotFound, match=r"nothing\*"):
        load(client, [uri.replace("there", "nothing*")], f"{ds}.a")


def test_the_same_job_id_runs_once(client: bq.Client, ds: str) -> None:
    hourly(client, f"{ds}.a", filled=False)
    sql, job_id = f"INSERT {ds}.a (id) VALUES ('once')", uuid.uuid4().hex

    def insert(_: int) -> bool:
        try:
            client.query(sql, job_id=job_id, job_retry=None).result()
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(insert, range(8)))
    assert client.get_table(f"{ds}.a").num_rows == 1


def test_eight_clients_write_one_table(client: bq.Client, ds: str, put: Callable, rows: Callable) -> None:
    hourly(client, f"{ds}.all", filled=False, require_partition_filter=True)
    uris = {hour: put(f"{hour}.parquet", events(hour, 50)) for hour in range(10, 18)}

    def write(hour: int) -> int:
        target, part = f"{ds}.all${20210721_00 + hour}", f"{ds}.c{hour}"
        load(client, [uris[hour]], part, time_partitioning=HOURLY)
        load(client, [uris[hour]], target)
        copy(client, part, target, write_disposition="WRITE_TRUNCATE")
        where = f"landing_hour = TIMESTAMP '2021-07-21 {hour}:00:00'"
        rows(f"UPDATE {ds}.all SET n = n + 1 WHERE {where}")
        rows(f"CREATE OR REPLACE TABLE {ds}.shared AS SELECT * FROM {part}")
        return int(str(rows(f"SELECT COUNT(*) FROM {ds}.all WHERE {where}")[0][0]))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, uris)) == [50] * 8
    assert client.get_table(f"{ds}.all").num_rows == 400


def test_data_and_jobs_survive_a_kill(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        client = server.client()
        client.create_dataset("kept")
        hourly(client, "kept.a", labels={"k": "v"})
        numbers = "UNNEST(GENERATE_ARRAY(1, 1000000))"
        endless = client.query(f"SELECT COUNT(*) FROM {numbers} a, {numbers} b WHERE MOD(a * b, 7) = 3")
        server.kill()
        server.start()
        table = client.get_table("kept.a")
        assert (table.num_rows, table.labels, table.time_partitioning) == (3, {"k": "v"}, HOURLY)
        with pytest.raises(Exception, match="stopped while this job ran"):
            client.get_job(endless.job_id).result(timeout=10)
    finally:
        server.kill()
