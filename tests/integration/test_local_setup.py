"""The set-up: what it says when something is missing or fails, and that it does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.setup import prerequisites
from local.setup.runner import Runner, Step, StepError
from tests.conftest import ROOT


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_every_missing_program_is_named_with_one_command(tmp_path: Path) -> None:
    copy = tmp_path / "clone"
    shutil.copytree(ROOT / "local", copy / "local", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, copy / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "make").symlink_to("/bin/true")
    done = subprocess.run(
        [sys.executable, "local/bootstrap.py"],
        cwd=copy,
        env={"PATH": str(tmp_path / "bin"), "HOME": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Maven, which fetches the jars" in done.stderr
    assert "a JDK 17: no Java in PATH" in done.stderr
    assert "apt-get install -y openjdk-17-jdk-headless maven git\n" in done.stderr
    assert not (copy / ".venv").exists()


def test_setup_that_is_current_does_nothing_and_is_quick() -> None:
    started = time.monotonic()
    done = subprocess.run(
        ["make", "--silent", "setup"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 30  # beside other tests; that nothing was done, its silence says


def test_shim_that_does_not_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(
        tmp_path / "pyenv" / "shims" / "python3.13",
        "echo 'pyenv: python3.13: command not found' >&2; exit 127",
    )
    works = script(tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3.13", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'pyenv' / 'shims'}:/usr/bin:/bin")
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert prerequisites.python_313(tmp_path) == works


@pytest.mark.parametrize(("version", "found"), [("go1.25.9", False), ("go1.26.0", True), ("go2.0.1", True)])
def test_old_go_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: bool
) -> None:
    go = script(tmp_path / "go", f"echo go version {version} linux/amd64")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert prerequisites.go() == (go if found else None)


def step(name: str, command: str, output: Path, *, after: list[str] | None = None) -> Step:
    return Step(
        name,
        "a test",
        [command],
        [output],
        lambda call: call(["sh", "-c", command]),
        after=after or [],
        hint="Do the dishes.",
    )


def test_failed_step_shows_its_log_stops_the_others_and_goes_on_later(tmp_path: Path) -> None:
    good, slow, bad = (tmp_path / name for name in ("good", "slow", "bad"))
    steps = [
        step("good", f"echo . >> {good}", good),
        step("slow", f"sleep 60; touch {slow}", slow),
        step(
            "bad",
            f"sleep 0.3; echo disk on fire; test -e {tmp_path}/mended && touch {bad}",
            bad,
            after=["good"],
        ),
    ]
    runner = Runner(tmp_path, os.environ)
    started = time.monotonic()
    with pytest.raises(StepError) as failure:
        runner.run(steps)
    assert time.monotonic() - started < 20
    assert "bad failed" in str(failure.value)
    assert "| disk on fire" in str(failure.value)
    assert str(tmp_path / ".local" / "logs" / "setup-bad.log") in str(failure.value)
    assert "Do the dishes." in str(failure.value)
    assert not slow.exists()

    (tmp_path / "mended").touch()
    steps = [step("good", f"echo . >> {good}", good), steps[2]]
    Runner(tmp_path, os.environ).run(steps)
    assert good.read_text() == ".\n", "a finished step ran again"
    assert bad.exists()
    bad.unlink()
    Runner(tmp_path, os.environ).run(steps)
    assert bad.exists(), "a step whose output is gone has to run again"
