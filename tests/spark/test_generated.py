"""The tally of generated data is computed without the pipeline: refine must come to the very same counts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ROOT

import refine
from hg_spec import parse_spec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCES = sorted(path.stem for path in (ROOT / "include" / "sources").glob("*.yaml"))
STAY_IN_BIGQUERY = {"ga4"}


def generated(source: str, folder: Path) -> dict[str, Any]:
    command = [ROOT / ".venv/bin/python", Path(__file__).with_name("generate_spec.py"), source, folder]
    env = {"PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("source", [s for s in SOURCES if s not in STAY_IN_BIGQUERY])
def test_refine_comes_to_the_tally(source: str, spark: SparkSession, tmp_path: Path) -> None:
    made = generated(source, tmp_path)
    spec, tally = made["spec"], made["tally"]
    assert tally["quarantined"] > 0
    refine.run(spark, parse_spec(json.dumps(spec)))
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    counts = {name: outcome["counts"][name] for name in ("lines", "silver", "quarantined", "duplicates")}
    found = spark.table(spec["tables"]["quarantine"]).groupBy("reason").count().collect()
    assert {row["reason"]: row["count"] for row in found} == tally["reasons"]
    assert counts == {name: tally[name] for name in counts}
    if (stamp := spec["event_time"]) is not None:
        late = spark.table(spec["tables"]["silver"]).where(f"{stamp['field']} < landing_hour").count()
        assert late == tally["late"]
