"""Its life: starts that change nothing, repairs after every kind of kill, stops without leftovers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from google.cloud import bigquery, bigtable, storage
from local_instance import addresses_listened_on, working

from local import processes
from local.cloud import Cloud
from local.errors import LocalCloudError
from tests.conftest import running_cloud

PARTS = ["credentials", "gcs", "bigtable", "bigquery", "iceberg", "dataproc", "transfer"]


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An instance that these tests may break; its folder has a name that quoting has to survive."""
    folder = tmp_path_factory.mktemp("100% a cloud; really") / ("deep" * 20)
    yield from running_cloud(folder)


def pids(cloud: Cloud) -> dict[str, int]:
    return {found.part.name: found.state.pid for found in cloud.health() if found.state}


def assert_works(cloud: Cloud) -> None:
    assert {found.part.name: found.works for found in working(cloud)} == dict.fromkeys(PARTS, True)


class Contents:
    """Something in every part that keeps something."""

    def __init__(self, cloud: Cloud) -> None:
        os.environ.update(cloud.environment())
        self.name = f"kept{uuid.uuid4().hex[:8]}"

    def write(self) -> None:
        storage.Client().bucket("hourglass-ops").blob(self.name).upload_from_string("object")
        bigquery.Client().query_and_wait(f"CREATE SCHEMA {self.name}")
        bigquery.Client().query_and_wait(f"CREATE TABLE {self.name}.t AS SELECT 'row' AS v")
        table = self._table()
        table.create(column_families={"f": bigtable.column_family.MaxVersionsGCRule(1)})
        row = table.direct_row(b"key")
        row.set_cell("f", b"q", b"cell")
        row.commit()
        namespace = {"namespace": [self.name]}
        httpx.post(f"{os.environ['HOURGLASS_ICEBERG_URI']}/v1/namespaces", json=namespace).raise_for_status()

    def read(self) -> list[Any]:
        rows = bigquery.Client().query_and_wait(f"SELECT v FROM {self.name}.t")
        cells = self._table().read_row(b"key").cells["f"][b"q"]
        answer = httpx.get(f"{os.environ['HOURGLASS_ICEBERG_URI']}/v1/namespaces/{self.name}")
        return [
            storage.Client().bucket("hourglass-ops").blob(self.name).download_as_text(),
            [row.v for row in rows],
            [cell.value for cell in cells],
            answer.json()["namespace"],
        ]

    def expected(self) -> list[Any]:
        return ["object", ["row"], [b"cell"], [self.name]]

    def _table(self) -> Any:
        return bigtable.Client(project="hourglass-local", admin=True).instance("hourglass").table(self.name)


def test_second_up_touches_nothing_and_is_quick(own_cloud: Cloud) -> None:
    before = pids(own_cloud)
    started = time.monotonic()
    own_cloud.up()
    assert time.monotonic() - started < 30  # beside other tests; that nothing started, the same pids say
    assert pids(own_cloud) == before
    assert sorted(before) == sorted(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_killed_part_is_repaired_and_keeps_its_data(own_cloud: Cloud, part: str) -> None:
    contents = Contents(own_cloud)
    contents.write()
    before, variables = pids(own_cloud), own_cloud.variables()
    os.kill(before[part], signal.SIGKILL)
    with suppress(psutil.NoSuchProcess):  # until it is gone, it accepts connections and passes for working
        psutil.Process(before[part]).wait(30)
    own_cloud.up()
    assert_works(own_cloud)
    after = pids(own_cloud)
    assert {name for name in PARTS if after[name] != before[name]} == {part}
    assert own_cloud.variables() == variables
    assert contents.read() == contents.expected()


def test_killed_supervisor_is_repaired_and_everything_kept(own_cloud: Cloud) -> None:
    contents = Contents(own_cloud)
    contents.write()
    before, variables = pids(own_cloud), own_cloud.variables()
    os.kill(int((own_cloud.layout.run / "supervisord.pid").read_text()), signal.SIGKILL)
    said: list[str] = []
    Cloud(own_cloud.layout, said.append).up()
    assert_works(own_cloud)
    assert own_cloud.variables() == variables
    assert not [pid for pid in before.values() if psutil.pid_exists(pid)], (
        "an old part runs beside the new one"
    )
    assert contents.read() == contents.expected()
    assert said == [f"the supervisor was killed; ending the {len(PARTS)} processes that it left"]


def test_everything_killed_at_once_is_repaired(own_cloud: Cloud) -> None:
    contents = Contents(own_cloud)
    contents.write()
    for process in processes.of_instance(own_cloud.layout.cloud):
        process.kill()
    own_cloud.up()
    assert_works(own_cloud)
    assert contents.read() == contents.expected()


def test_held_port_is_named_and_another_one_taken(own_cloud: Cloud) -> None:
    contents = Contents(own_cloud)
    contents.write()
    held = int(own_cloud.variables()["STORAGE_EMULATOR_HOST"].rpartition(":")[2])
    own_cloud.down()
    said: list[str] = []
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", held))
        other.listen()
        Cloud(own_cloud.layout, said.append).up()
        moved = Cloud(own_cloud.layout)
        assert_works(moved)
        new = int(moved.variables()["STORAGE_EMULATOR_HOST"].rpartition(":")[2])
    assert new != held
    me = processes.describe(psutil.Process())
    assert said == [f"port {held} of gcs is held by {me}; gcs now uses {new}"]
    os.environ.update(moved.environment())
    assert contents.read() == contents.expected()
    own_cloud._ports = moved._ports


def test_nothing_listens_beyond_loopback(own_cloud: Cloud) -> None:
    own_cloud.up()
    assert addresses_listened_on(own_cloud) == {"127.0.0.1"}


def test_part_that_cannot_start_is_named_with_its_log(own_cloud: Cloud) -> None:
    own_cloud.down()
    journal = own_cloud.layout.data / "bigtable" / "journal"
    aside = journal.with_name("aside")
    journal.rename(aside)
    journal.mkdir()
    try:
        with pytest.raises(LocalCloudError) as failure:
            own_cloud.up()
    finally:
        journal.rmdir()
        aside.rename(journal)
    assert "bigtable at 127.0.0.1:" in str(failure.value)
    assert str(own_cloud.layout.log("bigtable")) in str(failure.value)
    assert "is a directory" in str(failure.value)
    own_cloud.up()
    assert_works(own_cloud)


def sleeper(**variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(300)"],
        env={**os.environ, **variables},
    )


def test_down_ends_children_too_but_no_shell_that_loaded_the_variables(own_cloud: Cloud) -> None:
    own_cloud.up()
    before = processes.of_instance(own_cloud.layout.cloud)
    child = sleeper(**{processes.MARK: str(own_cloud.layout.cloud)})
    shell = sleeper(HOURGLASS_CLOUD=str(own_cloud.layout.cloud))
    try:
        time.sleep(0.5)  # both ignore SIGTERM by now
        assert own_cloud.down() == 1
        assert not psutil.pid_exists(child.pid)
        assert shell.poll() is None
        assert processes.of_instance(own_cloud.layout.cloud) == []
        assert not [process for process in before if process.is_running()]
    finally:
        child.kill()
        shell.kill()
        shell.wait()
    assert own_cloud.down() == 0


def test_variables_survive_any_shell(own_cloud: Cloud) -> None:
    script = f'. "{own_cloud.layout.cloud / "env"}"; env -0'
    out = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=30).stdout
    loaded = dict(line.split("=", 1) for line in out.split("\0") if line)
    for name, value in own_cloud.variables().items():
        assert loaded[name] == value
    assert loaded["PATH"].startswith(str(own_cloud.layout.python.parent))


def test_command_line(own_cloud: Cloud) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HOURGLASS_CLOUD": str(own_cloud.layout.cloud)}
        command = [sys.executable, "-m", "local", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False, cwd=Path.cwd()
        )

    assert run("up").returncode == 0
    status = run("status")
    assert status.returncode == 0
    assert status.stdout.count(" works ") == len(PARTS)
    assert "export STORAGE_EMULATOR_HOST='http://127.0.0.1:" in run("env").stdout
    inside = run("exec", "--", "sh", "-c", "echo $HOURGLASS_PROJECT; exit 7")
    assert (inside.returncode, inside.stdout) == (7, "hourglass-local\n")
    unknown = run("exec", "--", "no-such-program")
    assert unknown.returncode == 1
    assert "no-such-program cannot be run" in unknown.stderr
    assert run("down").returncode == 0
    assert run("status").returncode == 1
