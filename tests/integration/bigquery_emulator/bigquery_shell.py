"""What the tests of the local BigQuery share: a server of their own, small tables and jobs."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pyarrow as pa
from free_ports import free_port
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery as bq

REPO = Path(__file__).resolve().parents[3]
PYTHON = REPO / ".local/venvs/bigquery/bin/python"
PROJECT = "hourglass-local"
HOUR = dt.datetime(2021, 7, 21, 6, tzinfo=dt.UTC)
SIX, SEVEN = "2021072106", "2021072107"
EVENTS = [
    bq.SchemaField("id", "STRING", "REQUIRED", description="the event's key"),
    bq.SchemaField("landing_hour", "TIMESTAMP"),
    bq.SchemaField("n", "INTEGER"),
]
HOURLY = bq.TimePartitioning(type_="HOUR", field="landing_hour")


def wait_for(port: int) -> None:
    """Wait until somebody listens on a port, 60 s at most."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listened on port {port} within 60 s")


class Storage:
    """A Cloud Storage of these tests' own, announced by STORAGE_EMULATOR_HOST."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        binary = REPO / ".local/bin/fake-gcs"
        self.process = subprocess.Popen([binary, "-address", f"127.0.0.1:{port}", "-root", folder])
        wait_for(port)
        os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        del os.environ["STORAGE_EMULATOR_HOST"]
        self.process.terminate()
        self.process.wait()


class Server:
    """A launcher of this test's own, which may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.start()

    def start(self) -> None:
        command = [PYTHON, REPO / "local/bigquery/launcher.py", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--data-dir", self.folder / "data"])
        wait_for(self.port)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def client(self) -> bq.Client:
        options = {"api_endpoint": f"http://127.0.0.1:{self.port}"}
        return bq.Client(PROJECT, credentials=AnonymousCredentials(), client_options=options)


def events(hour: int, count: int = 2) -> dict[str, pa.Array]:
    """Columns of one hour's events."""
    hours = [HOUR.replace(hour=hour)] * count
    return {
        "id": pa.array([f"{hour}-{i}" for i in range(count)]),
        "landing_hour": pa.array(hours, pa.timestamp("us", "UTC")),
        "n": pa.array(range(count), pa.int64()),
    }


def hourly(client: bq.Client, name: str, filled: bool = True, **properties: object) -> bq.Table:
    """Create a table partitioned by hour, with rows at five, six and seven."""
    table = bq.Table(f"{PROJECT}.{name}", EVENTS)
    table.time_partitioning = HOURLY
    for key, value in properties.items():
        setattr(table, key, value)
    client.create_table(table)
    if filled:
        prefix = name[-1]
        values = ", ".join(f"('{prefix}{h}', TIMESTAMP '2021-07-21 0{h}:00:00', {h})" for h in (5, 6, 7))
        client.query_and_wait(f"INSERT INTO {name} VALUES {values}")
    return table


def copy(client: bq.Client, source: str, target: str, **config: object) -> bq.CopyJob:
    """Run a copy job between `dataset.table` names."""
    job = bq.CopyJobConfig(**config)
    return client.copy_table(f"{PROJECT}.{source}", f"{PROJECT}.{target}", job_config=job).result()


def load(client: bq.Client, uris: list[str], target: str, **config: object) -> bq.LoadJob:
    """Run a Parquet load job."""
    settings = {"schema": EVENTS, "write_disposition": "WRITE_TRUNCATE"} | config
    job = bq.LoadJobConfig(source_format="PARQUET", **settings)
    return client.load_table_from_uri(uris, f"{PROJECT}.{target}", job_config=job).result()


def ids(client: bq.Client, table: str) -> list[str]:
    """All ids of a table, sorted."""
    return sorted(row["id"] for row in client.list_rows(f"{PROJECT}.{table}", selected_fields=EVENTS[:1]))
