"""The house: containers, licence, hooks and the deploy script fit the code they stand beside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from hourglass.config import load_sources
from hourglass.config.warehouse import load_warehouse
from hourglass.operators.refresh_view import view_pool
from local.environment import exports
from local.layout import Layout
from local.parts import PORTS
from local.ports import Ports
from local.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yaml"
DOCKERFILES = sorted((ROOT / "docker").glob("Dockerfile*"))
AIRFLOW_SERVICES = ("init", "api-server", "scheduler", "dag-processor", "triggerer")
# Not in containers: this folder's instance, one process per terminal, the loopback UI and its login.
ONLY_ON_A_LAPTOP = {
    "HOURGLASS_CLOUD",
    "SPT_NOENV",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__API__WORKERS",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS",
}
LINTERS = ("ruff check", "ruff format", "mypy", "lint-imports", "sqlfluff")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


@pytest.fixture
def laptop(tmp_path: Path) -> dict[str, str]:
    """The variables that the local cloud exports."""
    file = tmp_path / "ports.json"
    file.write_text(json.dumps({part: number for number, part in enumerate(PORTS, start=1)}))
    return exports(Layout(ROOT, tmp_path), Ports(file, tmp_path))


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"([A-Za-z0-9-]+)==([\w.]+)", text))


def test_compose_follows_its_specification() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE_FILE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_says_that_it_was_not_run() -> None:
    header = COMPOSE_FILE.read_text("utf-8").split("\nname:")[0]
    assert "HAS NOT BEEN RUN" in header


def test_images_are_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values()]
    for dockerfile in DOCKERFILES:
        text = dockerfile.read_text("utf-8")
        stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
        images += [i for i in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if i not in stages]
    assert len(images) > 10
    assert [image for image in images if not re.search(r":[\w-]*\d+\.\d+[\w.-]*$", image)] == []


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not str(port).startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", AIRFLOW_SERVICES)
def test_airflow_services_have_the_environment_of_the_laptop(
    name: str, services: dict[str, Any], laptop: dict[str, str]
) -> None:
    given = services[name]["environment"]
    assert set(laptop) - ONLY_ON_A_LAPTOP - set(given) == set()
    same = [n for n in laptop if n.startswith(("HOURGLASS_", "GOOGLE_CLOUD")) and n not in ONLY_ON_A_LAPTOP]
    differing = {n for n in same if given[n] != laptop[n]}
    assert differing == {"HOURGLASS_ICEBERG_URI"}  # a port of its own


def test_endpoints_name_services_and_their_ports(services: dict[str, Any]) -> None:
    environment = services["scheduler"]["environment"]
    for variable in ("STORAGE", "BIGQUERY", "BIGTABLE", "DATAPROC", "STORAGETRANSFER"):
        host, _, port = environment[f"{variable}_EMULATOR_HOST"].removeprefix("http://").partition(":")
        assert host in services
        assert any(str(p).endswith(f":{port}") for p in services[host]["ports"])
        assert port in " ".join(services[host]["command"])


def test_what_services_refer_to_is_there(compose: dict[str, Any], services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} needs {needed}"
            healthy = how["condition"] == "service_healthy"
            assert not healthy or "healthcheck" in services[needed], f"{needed} has no health check"
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(compose["volumes"])
        if "build" in service:
            dockerfile = (ROOT / service["build"]["dockerfile"]).read_text("utf-8")
            assert (
                f" AS {service['build'].get('target', '')}" in dockerfile or "target" not in service["build"]
            )


def test_every_service_but_the_first_step_has_a_health_check(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["init"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_copied_files_exist(dockerfile: Path) -> None:
    copies = re.findall(r"^COPY (?!.*--from)(?:--\S+ )*(.+)$", dockerfile.read_text("utf-8"), re.MULTILINE)
    assert copies
    missing = [name for line in copies for name in line.split()[:-1] if not (ROOT / name).exists()]
    assert missing == []


def test_images_have_the_versions_of_the_laptop() -> None:
    files = ("requirements.txt", "requirements-dev.txt", "local/setup/spark.txt")
    wanted = {name: version for file in files for name, version in pins((ROOT / file).read_text()).items()}
    base = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
    assert f"FROM apache/airflow:{wanted['apache-airflow']}-python3.11" in base
    parts = (ROOT / "docker" / "Dockerfile.cloud").read_text("utf-8")
    for package, version in pins(parts).items():
        assert wanted.get(package, version) == version, package
    go = re.search(r"^go (\d+\.\d+\.\d+)$", (ROOT / "local" / "go.mod").read_text(), re.MULTILINE)
    assert go
    assert f"FROM golang:{go[1]}" in parts


def test_pools_of_the_dags_are_loaded() -> None:
    pools = read_settings(ROOT / "airflow_settings.yaml")["pools"]
    loaded = load_sources(ROOT / "include")
    assert not loaded.errors
    needed = {view_pool(v) for s in loaded.sources for v in s.file.serving.materialized_views}
    needed |= {view_pool(v) for v in load_warehouse(ROOT / "include").materialized_views}
    assert needed
    assert needed <= set(pools)
    assert all(pools[name]["slots"] == 1 and pools[name]["include_deferred"] for name in needed)


def test_the_hours_that_containers_land_are_in_the_repository() -> None:
    hours = re.findall(r'"(\d{4})-(\d\d)-(\d\d)T(\d\d)"', (ROOT / "docker" / "init.py").read_text("utf-8"))
    folder = ROOT / "include" / "samples" / "github"
    assert len(hours) == 2
    for year, month, day, hour in hours:
        assert list((folder / f"year={year}/month={month}/day={day}/hour={hour}").glob("*.json.gz"))


def test_licence_is_apache_2_as_pyproject_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert project["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_changelog_has_an_open_section() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("tool", LINTERS)
def test_hooks_and_make_lint_run_the_same_tools(tool: str) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    assert any(f"bin/{tool}" in hook["entry"] for hook in hooks)
    assert tool in (ROOT / "Makefile").read_text("utf-8")


@pytest.fixture(scope="module")
def deployment() -> list[str]:
    """The commands that deploying for the first time would run."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_EMULATOR_HOST")}
    environment |= {"HOURGLASS_PROJECT": "some-project", "HOURGLASS_REGION": "europe-west1"}
    where = ["--environment", "some-env", "--region", "europe-west1"]
    done = subprocess.run(
        [str(ROOT / "deploy" / "composer.sh"), *where, "--packages", "--settings", "--dry-run"],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_deploy_uploads_code_before_the_dags_that_import_it(deployment: list[str]) -> None:
    uploads = [
        line.split()[-1].partition("/")[2].partition("/")[2] for line in deployment if " rsync " in line
    ]
    assert [u.partition("/")[2] for u in uploads] == ["plugins/hourglass", "plugins", "dags/include", "dags"]
    assert all("--recursive" in line for line in deployment if " rsync " in line)
    # Composer keeps files of its own in these two.
    kept = [
        line for line in deployment if "--delete" in line and line.split()[-1].endswith(("/dags", "/plugins"))
    ]
    assert kept == []


def test_deploy_sets_what_the_platform_reads(deployment: list[str]) -> None:
    (variables,) = [line for line in deployment if "--update-env-variables" in line]
    for pair in (
        "HOURGLASS_PROJECT=some-project",
        "HOURGLASS_REGION=europe-west1",
        "HOURGLASS_INCLUDE=/home/airflow",
    ):
        assert pair in variables
    assert "AIRFLOW__" not in variables  # Composer refuses them
    assert any("pools import" in line for line in deployment)


def test_deploy_refuses_without_a_project() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "HOURGLASS_PROJECT"}
    command = [str(ROOT / "deploy" / "composer.sh"), "--environment", "e", "--region", "r", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment, check=False)
    assert done.returncode == 2
    assert "HOURGLASS_PROJECT" in done.stderr
