"""What the tests of failing services share: the proxy, quick bounds, and one call to each service."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs, retry
from hourglass.cloud.dataproc import BatchHook, list_batches
from hourglass.config import Platform, Source, load_source
from hourglass.partition import Partition
from tests.faults.rules import GRPC_SERVICES, Rule

# Long enough for two silent requests, short enough for a test.
QUICK = retry.Patience(first_s=0.05, longest_s=0.2, total_s=1.6, request_s=0.8)
PARTITION = Partition.parse("2021-07-21T06")
OPS = "hourglass-ops"


def platform() -> Platform:
    return Platform.from_env(os.environ)


def github() -> Source:
    return load_source("github", platform().include)


def context() -> Any:
    """What Airflow hands to a task of the partition's run."""
    sent: dict[str, Any] = {}
    ti = SimpleNamespace(
        xcom_push=lambda key, value, **_: sent.update({key: value}),
        xcom_pull=lambda task_ids, **_: None,
        try_number=1,
        task_id="task",
        dag_id="github",
        run_id="test",
    )
    run = SimpleNamespace(logical_date=PARTITION.start, start_date=PARTITION.end, run_id="test")
    return {"ti": ti, "task_instance": ti, "dag_run": run, "params": {}}


@dataclass(frozen=True)
class Call:
    """One thing that the product asks of a service.

    Args:
        service: The service.
        path: Where the request goes, as the proxy's rules say it.
        ask: Asks, and returns what comes back.
        expected: What must come back.
        method: Its HTTP method.
    """

    service: str
    path: str
    ask: Callable[[], Any]
    expected: Any
    method: str = ".*"

    def rule(self, fault: str, **more: Any) -> Rule:
        """A fault at this call."""
        return replace(self.fault(fault), service=self.service, path=self.path, method=self.method, **more)

    def fault(self, name: str) -> Rule:
        busy, slow = (14, 8) if self.service in GRPC_SERVICES else (503, 429)
        return {
            "429": Rule(self.service, "answer", status=slow, text='{"error": {"message": "slow down"}}'),
            "503": Rule(self.service, "answer", status=busy, text='{"error": {"message": "busy"}}'),
            "reset": Rule(self.service, "reset"),
            "lost": Rule(self.service, "lose"),
            "silence": Rule(self.service, "hang", seconds=QUICK.request_s * 3),
        }[name]


def _write() -> Any:
    name = f"faults/{uuid.uuid4().hex}.json"
    gcs.write(gcs.client(), OPS, name, "{}")
    return gcs.read_text(gcs.client(), OPS, name)


def _write_once() -> Any:
    name = f"faults/{uuid.uuid4().hex}.json"
    gcs.create_once(gcs.client(), OPS, name, "{}")
    return gcs.read_text(gcs.client(), OPS, name)


def _read() -> Any:
    gcs.write(gcs.client(), OPS, "faults/read.json", "{}")
    return gcs.read_text(gcs.client(), OPS, "faults/read.json")


def _query() -> Any:
    return [tuple(row) for row in bq.client(platform()).query("SELECT 1 AS one").result()]


def _dataset() -> Any:
    bq.ensure_dataset(bq.client(platform()), platform(), "faults")
    return bq.client(platform()).get_dataset("faults").dataset_id


def _batches() -> Any:
    return list_batches(BatchHook(), platform().project, platform().region, "faults", "none")


CALLS = {
    "gcs-list": Call("gcs", r"/o\?.*prefix=", lambda: gcs.list_objects(gcs.client(), OPS, "none/"), []),
    "gcs-read": Call("gcs", "alt=media", _read, "{}"),
    "gcs-write": Call("gcs", "/upload/", _write, "{}"),
    "gcs-write-once": Call("gcs", "/upload/", _write_once, "{}"),
    "bigquery-job": Call("bigquery", r"/jobs\?", _query, [(1,)], "POST"),
    "bigquery-rows": Call("bigquery", "/queries/", _query, [(1,)]),
    "bigquery-dataset": Call("bigquery", r"/datasets\?", _dataset, "faults", "POST"),
    "dataproc-list": Call("dataproc", "ListBatches", _batches, []),
}
FAULTS = ("429", "503", "reset", "lost", "silence")
