"""Servers of the lake for tests that need one or two of them, not the whole local cloud."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from free_ports import free_port
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.dataproc_v1 import Batch, BatchControllerClient
from google.cloud.dataproc_v1.services.batch_controller.transports import BatchControllerGrpcTransport

from local.iceberg import command as iceberg_command

ROOT = Path(__file__).parents[2]
PARENT = "projects/hourglass-local/locations/us-central1"
State = Batch.State
TERMINAL = {State.SUCCEEDED, State.FAILED, State.CANCELLED}


@contextmanager
def running(command: Sequence[str], health: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; `health` is a URL that answers when it is ready."""
    with log.open("ab") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: process.poll() is not None or _answers(health), 60, f"{command[0]} ({log})")
        assert process.poll() is None, f"{command[0]} ended: {log.read_text()}"
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def wait_for(condition, seconds: float, what: str):
    """Wait for a true value and give it; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextmanager
def gcs(folder: Path) -> Iterator[storage.Client]:
    """A Cloud Storage with the buckets hourglass-ops and hourglass-lake; its URL is client.api_endpoint."""
    binary = shutil.which("fake-gcs", path=f"{ROOT / '.local/bin'}:{os.environ['PATH']}")
    assert binary, "fake-gcs is not built: run `make test`, which installs the local cloud first"
    address = f"127.0.0.1:{free_port()}"
    command = [binary, "-address", address, "-root", str(folder / "gcs")]
    with running(command, f"http://{address}/storage/v1/b?project=p", folder / "gcs.log"):
        client = storage.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": f"http://{address}"},
        )
        for bucket in ("hourglass-ops", "hourglass-lake"):
            client.create_bucket(bucket)
        yield client


@contextmanager
def catalog(folder: Path, gcs_endpoint: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """An Iceberg catalog at http://127.0.0.1:port whose state is in `folder`."""
    command = iceberg_command(ROOT, folder, port, gcs_endpoint)
    with running(command, f"http://127.0.0.1:{port}/v1/config", folder / "iceberg.log") as process:
        yield process


@dataclass
class Dataproc:
    """A Dataproc server as a process of its own, with the means to kill and restart it."""

    folder: Path
    gcs: storage.Client
    command: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    parent: str = PARENT

    def in_region(self, region: str) -> Dataproc:
        """The same server, seen from a region with no batches of other tests."""
        view = copy.copy(self)
        view.parent = PARENT.replace("us-central1", region)
        return view

    def start(self) -> None:
        command = self.command or [sys.executable, "-m", "local.dataproc"]
        command = [*command, "--port", str(self.port), "--data-dir", str(self.folder / "data" / "dataproc")]
        environment = {**os.environ, "STORAGE_EMULATOR_HOST": self.gcs.api_endpoint, **self.environment}
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "server.log").open("ab") as sink:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT
            )
        channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        grpc.channel_ready_future(channel).result(timeout=60)
        self.client = BatchControllerClient(transport=BatchControllerGrpcTransport(channel=channel))

    def signal(self, number: int) -> int:
        """Send a signal and wait for the server's end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGTERM)

    def create(
        self, batch_id: str, program: str, *, ttl: int = 0, labels: dict[str, str] | None = None, **job
    ):
        """Create a batch whose main file holds `program`; `job` are more fields of pyspark_batch."""
        blob = self.gcs.bucket("hourglass-ops").blob(f"jobs/{batch_id}/main.py")
        blob.upload_from_string(program)
        job = {"main_python_file_uri": f"gs://hourglass-ops/{blob.name}", **job}
        batch = {"labels": labels or {}, "pyspark_batch": job}
        batch["runtime_config"] = {"properties": job.pop("properties", {})}
        if ttl:
            batch["environment_config"] = {"execution_config": {"ttl": {"seconds": ttl}}}
        return self.client.create_batch(parent=self.parent, batch=batch, batch_id=batch_id)

    def get(self, batch_id: str) -> Batch:
        return self.client.get_batch(name=f"{self.parent}/batches/{batch_id}")

    def reach(self, batch_id: str, *states: State, seconds: float = 30) -> Batch:
        """Wait until a batch is in one of `states` (default: any last one)."""
        wanted = set(states) or TERMINAL

        def arrived() -> Batch | None:
            batch = self.get(batch_id)
            assert batch.state in wanted or batch.state not in TERMINAL, (
                f"{batch.state.name}: {batch.state_message}"
            )
            return batch if batch.state in wanted else None

        return wait_for(arrived, seconds, f"{batch_id} in {[s.name for s in wanted]}")

    def output(self, batch: Batch) -> str:
        """The driver's output as it is on GCS."""
        name = batch.runtime_info.output_uri.removeprefix("gs://hourglass-ops/") + ".000000000"
        return self.gcs.bucket("hourglass-ops").blob(name).download_as_text()
