"""The parts of the local cloud: how each is started and how it shows that it works."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from local import iceberg
from local.environment import PROJECT
from local.layout import Layout
from local.ports import HOST, Ports

# Every part has a port, the Airflow interface too: it must not change when Airflow is started later.
PORTS = ("credentials", "gcs", "bigtable", "bigquery", "iceberg", "dataproc", "transfer", "airflow")

# Asking 127.0.0.1 through a proxy would fail or, worse, succeed.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Part:
    """One supervised process.

    Args:
        name: its name in `status`, logs and messages.
        command: what starts it, within the cloud's environment, in the repository.
        works: whether it answers; raises nothing.
        address: where it answers, as a person would write it.
        patience_seconds: how long its start may take.
        stop_seconds: how long its stop may take before it is killed.
    """

    name: str
    command: list[str]
    works: Callable[[], bool]
    address: str
    patience_seconds: float = 60.0
    stop_seconds: int = 8


def base_parts(layout: Layout, ports: Ports) -> list[Part]:
    """The parts that stand for Google's services.

    Args:
        layout: the instance's folders.
        ports: its ports, all assigned.
    """
    python, programs, data = str(layout.python), layout.root / ".local" / "bin", layout.data
    gcs = f"{HOST}:{ports['gcs']}"

    def http(name: str, command: list[str], path: str) -> Part:
        url = f"http://{HOST}:{ports[name]}"
        return Part(name, command, lambda: _answers(url + path), url)

    def tcp(name: str, command: list[str]) -> Part:
        return Part(name, command, lambda: _listens(ports[name]), f"{HOST}:{ports[name]}")

    credentials = [python, "-m", "local.credentials", "--port", str(ports["credentials"])]
    bigtable = ["-address", f"{HOST}:{ports['bigtable']}", "-journal", str(data / "bigtable" / "journal")]
    bigquery = ["local/bigquery/launcher.py", "--host", HOST, "--port", str(ports["bigquery"])]
    dataproc = ["-m", "local.dataproc", "--port", str(ports["dataproc"])]
    transfer = ["-m", "local.transfer", "--port", str(ports["transfer"])]
    return [
        http("credentials", [*credentials, "--alerts", str(layout.alerts)], "/healthz"),
        http(
            "gcs", [str(programs / "fake-gcs"), "-address", gcs, "-root", str(data / "gcs")], "/storage/v1/b"
        ),
        tcp("bigtable", [str(programs / "cbtemulator"), *bigtable]),
        http(
            "bigquery",
            [_bigquery_python(layout), *bigquery, "--data-dir", str(data / "bigquery")],
            f"/bigquery/v2/projects/{PROJECT}/datasets",
        ),
        http(
            "iceberg",
            iceberg.command(layout.root, layout.cloud, ports["iceberg"], f"http://{gcs}"),
            "/v1/config",
        ),
        tcp("dataproc", [python, *dataproc, "--data-dir", str(data / "dataproc")]),
        http("transfer", [python, *transfer, "--data-dir", str(data / "transfer")], "/healthz"),
    ]


def airflow_parts(layout: Layout, ports: Ports) -> list[Part]:
    """Airflow's four components, on loopback.

    Args:
        layout: the instance's folders.
        ports: its ports, all assigned.
    """
    url = f"http://{HOST}:{ports['airflow']}"
    airflow = [str(layout.python), "-m", "airflow"]

    def component(name: str, arguments: list[str], key: str) -> Part:
        return Part(
            f"airflow-{name}",
            [*airflow, name, *arguments],
            lambda: _airflow_reports(url, key),
            url,
            patience_seconds=180.0,
            stop_seconds=15,
        )

    # The log servers would listen on every network interface; the interface reads the same files itself.
    return [
        component("api-server", [], "metadatabase"),
        component("scheduler", ["--skip-serve-logs"], "scheduler"),
        component("dag-processor", [], "dag_processor"),
        component("triggerer", ["--skip-serve-logs"], "triggerer"),
    ]


def _bigquery_python(layout: Layout) -> str:
    return str(layout.root / ".local" / "venvs" / "bigquery" / "bin" / "python")


def _answers(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=_PROBE_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=_PROBE_SECONDS):
            return True
    except OSError:
        return False


def _airflow_reports(url: str, component: str) -> bool:
    try:
        with _DIRECT.open(f"{url}/api/v2/monitor/health", timeout=_PROBE_SECONDS) as answer:
            health = json.load(answer)
    except (OSError, ValueError):
        return False
    return bool(health.get(component, {}).get("status") == "healthy")


def make_buckets(endpoint: str, names: tuple[str, ...]) -> None:
    """Make the buckets that are not there yet.

    Args:
        endpoint: the local GCS, such as http://127.0.0.1:4443.
        names: the buckets.
    """
    with _DIRECT.open(f"{endpoint}/storage/v1/b?project={PROJECT}", timeout=_PROBE_SECONDS) as answer:
        there = {bucket["name"] for bucket in json.load(answer).get("items", [])}
    for name in names:
        if name in there:
            continue
        request = urllib.request.Request(  # noqa: S310  the endpoint is our own
            f"{endpoint}/storage/v1/b?project={PROJECT}",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        _DIRECT.open(request, timeout=_PROBE_SECONDS).close()
