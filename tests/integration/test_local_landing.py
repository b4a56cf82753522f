"""`land` puts files where the source's partition expects them, and refuses before it uploads anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import storage

from hourglass.config import load_source
from hourglass.partition import Partition
from local.cloud import Cloud
from tests.conftest import ROOT

KEY = "2021-07-20T08"


def land(
    *files: Path | str, source: str = "github", partition: str = KEY
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local", "land", "--source", source, "--partition", partition]
    return subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events-007.json.gz"
    path.write_bytes(b"\x1f\x8b not looked at")
    return path


def test_lands_under_the_partitions_prefix(cloud: Cloud, storage_client: storage.Client, file: Path) -> None:
    second = file.with_name("b.json.gz")
    second.write_bytes(b"second")
    done = land(file, second)
    assert done.returncode == 0, done.stderr
    bucket, (prefix,) = load_source("github").prefixes(Partition.parse(KEY))
    names = {blob.name for blob in storage_client.list_blobs(bucket, prefix=prefix)}
    assert names == {f"{prefix}events-007.json.gz", f"{prefix}b.json.gz"}
    assert storage_client.bucket(bucket).blob(f"{prefix}{file.name}").download_as_bytes() == file.read_bytes()
    assert f"landed gs://{bucket}/{prefix}{file.name}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "githup"}, "there is no source 'githup'"),
        ({"partition": "2021-07-20T25"}, "'2021-07-20T25' is not a partition"),
        ({"partition": "2021-07-20"}, "are one hour"),
    ],
)
def test_wrong_names_are_refused(cloud: Cloud, file: Path, arguments: dict[str, str], message: str) -> None:
    done = land(file, **arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_file_lands_nothing(cloud: Cloud, storage_client: storage.Client, file: Path) -> None:
    done = land(file, file.with_name("absent.gz"), partition="2021-07-20T09")
    assert done.returncode == 1
    assert f"no such file: {file.with_name('absent.gz')}; nothing was landed" in done.stderr
    bucket, (prefix,) = load_source("github").prefixes(Partition.parse("2021-07-20T09"))
    assert not list(storage_client.list_blobs(bucket, prefix=prefix))


def test_two_files_of_one_name_are_refused(cloud: Cloud, file: Path, tmp_path: Path) -> None:
    twin = tmp_path / "other" / file.name
    twin.parent.mkdir()
    twin.write_bytes(b"twin")
    done = land(file, twin)
    assert done.returncode == 1
    assert f"two files are named {file.name}" in done.stderr


def test_without_the_cloud_it_asks_for_googles_credentials(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*os.environ]:
        if name.endswith("_EMULATOR_HOST") or name.startswith("GOOGLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    done = land(file)
    assert done.returncode == 1
    assert "there are no credentials for Google Cloud" in done.stderr
