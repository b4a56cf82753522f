"""The whole Airflow of a local cloud: its own processes, and what a person does to it by its API and its commands."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from local.cloud import Cloud
from local.errors import LocalCloudError
from tests.chaos.scheduler import UNFINISHED, Run
from tests.conftest import running_cloud
from tests.kills.setting import ROOT, with_sources

LOOK_EVERY_SECONDS = 1.0
STARTS = 3
BACKFILLS = 12
NOT_YET = "Another backfill is running"
SETTLING_SECONDS = 5.0  # between looks at many runs, which cost the server more than they tell
SETTINGS = {
    # Only the runs that a test makes: no DAG begins with the hour that has just ended.
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
    # For a busy machine: a DAG file that takes long is no error, and need not be read every half minute.
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("tests/kills/preload", "", "plugins")),
}


class RealAirflow:
    """Airflow's components in a local cloud that is up.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._url = cloud.variables()["AIRFLOW__API__BASE_URL"]
        self._client = httpx.Client(base_url=f"{self._url}/api/v2", timeout=120)
        self._log_in()

    def _log_in(self) -> None:
        login = {"username": "admin", "password": self.cloud.airflow.password()}
        answer = httpx.post(f"{self._url}/auth/token", json=login, timeout=120).raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """A request to the API, again while a killed server comes back.

        Raises:
            AssertionError: Airflow refused it, or did not answer for two minutes.
        """
        deadline = time.monotonic() + 120
        while True:
            try:
                answer = self._client.request(method, path, **arguments)
            except httpx.TransportError:
                assert time.monotonic() < deadline, f"{method} {path}: no answer"
                time.sleep(1)
                continue
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer.json()

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run as soon as the DAG processor has found it."""

        def found() -> bool:
            return any(dag["dag_id"] == dag_id for dag in self.ask("GET", "/dags?limit=100")["dags"])

        self.wait(found, 300, f"the DAG processor did not find {dag_id}")
        self.ask("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def run(self, dag_id: str, start: datetime) -> None:
        """Make a partition's run."""
        made = {"logical_date": start.isoformat(), "dag_run_id": f"test__{start:%Y-%m-%dT%H}"}
        self.ask("POST", f"/dags/{dag_id}/dagRuns", json=made)

    def clear(self, dag_id: str, start: datetime, only_failed: bool = False) -> None:
        """Clear a partition's run, as the interface's button does."""
        (run,) = [r for r in self.runs(dag_id) if r.logical_date == start]
        how = {"dry_run": False, "only_failed": only_failed}
        self.ask("POST", f"/dags/{dag_id}/dagRuns/{run.run_id}/clear", json=how)

    def backfill(self, dag_id: str, first: datetime, last: datetime, *options: str) -> None:
        """`airflow backfill create`, as the how-to has it.

        Again until the scheduler has noticed that the last one has ended.
        """
        command = ["airflow", "backfill", "create", "--dag-id", dag_id]
        dates = [f"--from-date={first:%Y-%m-%dT%H:%M:%S}", f"--to-date={last:%Y-%m-%dT%H:%M:%S}"]
        for _ in range(BACKFILLS):
            done = subprocess.run(
                [*command, *dates, *options],
                capture_output=True,
                text=True,
                timeout=300,
                cwd=ROOT,
                check=False,
            )
            if done.returncode == 0:
                return
            said = done.stdout + done.stderr
            assert NOT_YET in said, said[-3000:]
            time.sleep(SETTLING_SECONDS)
        raise AssertionError(f"{BACKFILLS} times: {said[-3000:]}")

    def runs(self, dag_id: str, tasks: bool = False) -> list[Run]:
        """A DAG's runs by logical date; their tasks' states and tries if wanted."""
        found = self.ask("GET", f"/dags/{dag_id}/dagRuns?limit=100&order_by=logical_date")["dag_runs"]
        return [self._described(dag_id, run, tasks) for run in found]

    def _described(self, dag_id: str, run: dict[str, Any], tasks: bool) -> Run:
        instances = []
        if tasks:
            path = f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances?limit=100"
            instances = self.ask("GET", path)["task_instances"]
        return Run(
            dag_id,
            run["dag_run_id"],
            datetime.fromisoformat(run["logical_date"]),
            run["state"],
            {ti["task_id"]: ti["state"] for ti in instances},
            {ti["task_id"]: ti["try_number"] for ti in instances},
        )

    def settle(self, dag_ids: Sequence[str], seconds: float) -> None:
        """Wait until no run of some DAGs is unfinished.

        Raises:
            AssertionError: One is, after so long.
        """

        def ended() -> bool:
            time.sleep(SETTLING_SECONDS)
            return not any(run.state in UNFINISHED for dag_id in dag_ids for run in self.runs(dag_id))

        self.wait(ended, seconds, "runs are not finished")

    def wait(self, until: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Look again and again.

        Raises:
            AssertionError: It is not so after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, f"{otherwise} within {seconds:.0f} s"
            time.sleep(LOOK_EVERY_SECONDS)

    def component(self, name: str) -> psutil.Process:
        """The process of one of Airflow's components, such as `scheduler`."""
        return psutil.Process(self.cloud._supervisor.states()[f"airflow-{name}"].pid)

    def workers(self) -> list[psutil.Process]:
        """The processes of LocalExecutor's workers that run a task now."""
        children = self.component("scheduler").children()
        titles = {process: " ".join(process.cmdline()) for process in children}
        return [p for p, title in titles.items() if "LocalExecutor" in title and "<idle>" not in title]


def start_airflow(cloud: Cloud) -> None:
    """Start Airflow's components; on a busy machine they take longer than one `up` waits for them."""
    for _ in range(STARTS):
        with suppress(LocalCloudError):
            cloud.up(airflow=True)
            return
    cloud.up(airflow=True)


@contextmanager
def real_airflow(folder: Path, sources: Sequence[str], settings: dict[str, str]) -> Iterator[RealAirflow]:
    """A local cloud with Airflow's components, stopped afterwards.

    Args:
        folder: An empty folder.
        sources: The sources that Airflow is to have.
        settings: Variables for all of the cloud's processes.
    """
    before = dict(os.environ)
    os.environ.update(SETTINGS | settings)
    try:
        with with_sources(folder, *sources):
            for cloud in running_cloud(folder / "cloud"):
                start_airflow(cloud)
                yield RealAirflow(cloud)
    finally:
        os.environ.clear()
        os.environ.update(before)
