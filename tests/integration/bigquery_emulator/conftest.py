"""Fixtures of the local BigQuery's tests."""

from __future__ import annotations

import io
import json
import os
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_shell import PROJECT, Server, Storage
from google.cloud import bigquery as bq


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bq.Client]:
    """The local cloud's client, or one for a launcher of this module's own."""
    try:
        yield request.getfixturevalue("bigquery_client")
    except pytest.FixtureLookupError:
        storage = None
        if "STORAGE_EMULATOR_HOST" not in os.environ:
            storage = Storage(tmp_path_factory.mktemp("storage"))
        server = Server(tmp_path_factory.mktemp("bigquery"))
        yield server.client()
        server.kill()
        if storage:
            storage.stop()


@pytest.fixture
def ds(client: bq.Client) -> Iterator[str]:
    """A dataset of this test's own."""
    name = f"t_{uuid.uuid4().hex[:8]}"
    client.create_dataset(name)
    yield name
    client.delete_dataset(name, delete_contents=True)


@pytest.fixture
def rows(client: bq.Client) -> Callable[..., list[tuple[object, ...]]]:
    """Run SQL and return its rows."""

    def run(sql: str, *parameters: object) -> list[tuple[object, ...]]:
        config = bq.QueryJobConfig(query_parameters=parameters)
        return [tuple(row.values()) for row in client.query(sql, job_config=config).result()]

    return run


@pytest.fixture
def put(client: bq.Client) -> Callable[[str, dict[str, pa.Array]], str]:
    """Write a Parquet object and return its URI."""
    endpoint = os.environ["STORAGE_EMULATOR_HOST"]

    def post(path: str, body: bytes, kind: str) -> None:
        request = urllib.request.Request(f"{endpoint}{path}", body, {"Content-Type": kind}, method="POST")
        urllib.request.urlopen(request).close()

    def run(name: str, columns: dict[str, pa.Array]) -> str:
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file)
        quoted = urllib.parse.quote(name, safe="")
        post(f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quoted}", file.getvalue(), "text/plain")
        return f"gs://{bucket}/{name}"

    bucket = f"b{uuid.uuid4().hex[:8]}"
    post(f"/storage/v1/b?project={PROJECT}", json.dumps({"name": bucket}).encode(), "application/json")
    return run
