"""Runs the Go tests of the local Cloud Storage and Bigtable with the Go that built them."""

from __future__ import annotations

import os
import subprocess

from local.bootstrap import installers_environment
from local.setup.prerequisites import go
from local.setup.steps import GO_FLAGS
from tests.conftest import ROOT


def test_go() -> None:
    compiler = go() or ROOT / ".local" / "venvs" / "go" / "bin" / "go"
    done = subprocess.run(
        [compiler, "test", *GO_FLAGS, "./..."],
        cwd=ROOT / "local",
        env=installers_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok") == 2
