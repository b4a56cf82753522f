"""The recorded incident happens again: its commands, in their order, print what the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from tests import docs_blocks as docs

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
MARK = "--8<--"


def script() -> tuple[str, list[list[str]]]:
    """The page as one script, and what it says that each command prints."""
    parts: list[str] = []
    expected: list[list[str]] = []
    for block in (b for b in docs.shell_blocks(docs.INCIDENT) if b.runs):
        if block.language == "bash":
            parts.append(block.code)
            expected.append([])
            continue
        for line in block.code.splitlines():
            if line.startswith("$ "):
                parts.append(line[2:])
                expected.append([])
            else:
                expected[-1].append(line)
    return f"\necho {shlex.quote(MARK)}\n".join(parts), expected


def as_pattern(line: str) -> str:
    """A printed line, with anything in the place of `…`, spaces as wide as they may be, and no colours."""
    pieces = [re.escape(re.sub(r"\s+", " ", piece)) for piece in line.split("…")]
    return ".*".join(pieces).replace(r"\ ", r"\s+")


@pytest.fixture(scope="module")
def printed(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("incident")
    commands = script()[0].replace(
        "make up", "true"
    )  # the test's own cloud is up, without Airflow's components
    commands = commands.replace(".local/cloud/", f"{os.environ['HOURGLASS_CLOUD']}/")
    commands = commands.replace(".local/incident", str(folder / "hour"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        capture_output=True, text=True, timeout=1200, cwd=docs.ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout.split(f"{MARK}\n")


def test_every_command_prints_what_the_page_says(printed: list[str]) -> None:
    _, expected = script()
    assert len(printed) == len(expected)
    for text, lines in zip(printed, expected, strict=True):
        at = 0
        for line in lines:
            found = re.search(f"^{as_pattern(line)}$", text[at:], re.MULTILINE)
            assert found, f"the page says {line!r}, which is not in:\n{text[at:]}"
            at += found.end()
    assert sum(map(len, expected)) > 20


@pytest.mark.usefixtures("printed")
def test_the_healed_hour_has_every_event_once() -> None:
    sql = """
        SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS ids,
            COUNTIF(TIMESTAMP_TRUNC(created_at, HOUR) = landing_hour) AS dated
        FROM silver.github WHERE landing_hour = '2021-07-21 11:00:00+00'
    """
    (row,) = bigquery.Client(location="US").query(sql).result()
    assert (row.n, row.ids, row.dated) == (200, 200, 200)


@pytest.mark.usefixtures("printed")
def test_the_actions_say_who_and_why() -> None:
    sql = """
        SELECT DISTINCT action, why, acted_by FROM ops.quarantine_actions
        WHERE source = 'github' AND `partition` = '2021-07-21T11' AND landing_hour = '2021-07-21 11:00:00+00'
    """
    (row,) = bigquery.Client(location="US").query(sql).result()
    assert (row.action, row.why) == ("replayed", "the exporter wrote German dates")
    assert row.acted_by


def test_the_page_is_where_people_look() -> None:
    assert "incidents/dates-in-another-format.md" in Path(docs.ROOT / "docs/runbook.md").read_text()
