"""The commands that the documentation marks with `<!-- run -->` work as written."""

from __future__ import annotations

import os
import subprocess

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from tests import docs_blocks as docs

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SAMPLE = "include/samples/github/year=2021/month=07/day=21/hour=06/events-000.json.gz"


def bash(script: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a script as a reader does: in the repository, and without the cloud's variables in the shell."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("HOURGLASS_", "GOOGLE_", "AIRFLOW_"))}
    mine = {k: v for k, v in mine.items() if not k.endswith("_EMULATOR_HOST")}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, cwd=docs.ROOT, env=mine, check=False
    )


def in_this_cloud(commands: str) -> str:
    """The commands, with the folder of the test's own instance in the place of the reader's."""
    return commands.replace(".local/cloud/", f"{os.environ['HOURGLASS_CLOUD']}/")


@pytest.fixture(scope="module")
def published_hour(cloud: object) -> None:
    """2021-07-21T06 is published; earlier tests have usually done it."""
    when = "landing_hour = '2021-07-21 06:00:00+00'"
    sql = f"SELECT 1 FROM ops.partition_ledger WHERE {when} AND state = 'published'"
    try:
        there = bool(list(bigquery.Client(location="US").query(sql).result()))
    except NotFound:
        there = False
    if not there:
        hour = ["--source", "github", "--partition", "2021-07-21T06"]
        for command, timeout in ((["land", *hour, SAMPLE], 60), (["dag", *hour], 600)):
            subprocess.run(["python", "-m", "local", *command], check=True, timeout=timeout, cwd=docs.ROOT)


@pytest.mark.usefixtures("published_hour")
@pytest.mark.parametrize(
    "block", docs.commands_to_run(), ids=lambda block: f"{block.page.stem}-{len(block.code)}"
)
def test_documented_commands_work(block: docs.Block) -> None:
    done = bash(in_this_cloud(block.commands))
    assert done.returncode == 0, f"{block.page}:\n{block.commands}\n{done.stdout}{done.stderr}"


@pytest.mark.usefixtures("published_hour")
def test_the_ledger_query_of_the_runbook_finds_the_hour() -> None:
    entry = docs.section(docs.ROOT / "docs" / "runbook.md", "Before you start")
    assert "ops.partition_ledger" in entry
    block = next(b for b in docs.shell_blocks(docs.ROOT / "docs" / "runbook.md") if "ledger" in b.code)
    done = bash(in_this_cloud(f". .local/cloud/env && . docs/shell.sh\n{block.commands}"))
    assert done.returncode == 0, done.stderr
    assert '"state": "published"' in done.stdout
