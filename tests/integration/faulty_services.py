"""What the tests of failing services share: the proxy, quick bounds, and one call to each service."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from hourglass.cloud import bigquery as bq
from hourglass.cloud import bigtable, gcs, retry
from hourglass.cloud.dataproc import BatchHook, list_batches
from hourglass.cloud.iceberg import drop_table
from hourglass.cloud.pushes import Pushes
from hourglass.cloud.transfer import TransferHook
from hourglass.config import Platform, Source, load_source
from hourglass.config.serving import FeatureSet
from hourglass.features.read import Store
from hourglass.operators.push_plan import FeatureTarget
from hourglass.partition import Partition
from tests.faults.rules import GRPC_SERVICES, Rule

# For a fault that passes; a call that keeps silent must be noticed within a test.
QUICK = retry.Patience(first_s=0.05, longest_s=0.2, total_s=20, request_s=10)
IMPATIENT = replace(QUICK, request_s=1.5)
# For one that stays.
SHORT = replace(QUICK, total_s=1.5)
SILENCE_SECONDS = 4.0
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
            "silence": Rule(self.service, "hang", seconds=SILENCE_SECONDS),
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


def _transfers() -> Any:
    condition = {"project_id": platform().project, "job_names": ["transferJobs/none"]}
    return TransferHook().list_transfer_operations(request_filter=condition)


def _push() -> Any:
    """Create a table, push two rows, and read one back."""
    found = bigtable.instance(platform().project, platform().bigtable_instance)
    table = found.table(f"t{uuid.uuid4().hex[:12]}")
    feature_set = FeatureSet(name="users", versions=1)
    bigtable.ensure(table, feature_set)
    pushes = Pushes(gcs.client(), OPS, table.table_id, "users")
    running = FeatureTarget(table, pushes, feature_set, PARTITION).begin({"n": "INT64"})
    rows = [{"entity": "a", "n": 6}, {"entity": "b", "n": 7}]
    batches = [pa.RecordBatch.from_pylist(rows)]
    running.end(running.push.write(table, batches, lambda entities: running.record(0, entities)))
    read = Store(table).features("users", "b")
    return len(list(table.read_rows())), read and read.values


PUSHED = (3, {"n": 7})  # two rows and the head
CALLS = {
    "gcs-list": Call("gcs", r"/o\?.*prefix=", lambda: gcs.list_objects(gcs.client(), OPS, "none/"), []),
    "gcs-read": Call("gcs", "alt=media", _read, "{}"),
    "gcs-write": Call("gcs", "/upload/", _write, "{}"),
    "gcs-write-once": Call("gcs", "/upload/", _write_once, "{}"),
    "bigquery-job": Call("bigquery", r"/jobs\?", _query, [(1,)], "POST"),
    "bigquery-rows": Call("bigquery", "/queries/", _query, [(1,)]),
    "bigquery-dataset": Call("bigquery", r"/datasets\?", _dataset, "faults", "POST"),
    "dataproc-list": Call("dataproc", "ListBatches", _batches, []),
    "iceberg-drop": Call("iceberg", "/v1/config", lambda: drop_table(platform(), "none", "none"), False),
    "transfer-list": Call("transfer", "/transferOperations", _transfers, []),
    "bigtable-table": Call("bigtable", "CreateTable", _push, PUSHED),
    "bigtable-families": Call("bigtable", "GetTable", _push, PUSHED),
    "bigtable-head": Call("bigtable", "CheckAndMutateRow", _push, PUSHED),
    "bigtable-push": Call("bigtable", "MutateRows", _push, PUSHED),
}


def faults_of(name: str) -> tuple[str, ...]:
    """The faults to try a call with; some calls have their client's own timeout of minutes."""
    faults = ("429", "503", "reset", "lost")
    slow = ("transfer-list", "bigtable-table", "bigtable-families", "bigtable-head")
    return faults if name in slow else (*faults, "silence")
