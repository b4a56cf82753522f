"""Every shipped source: one generated partition through its DAG, against the generator's own tally."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import Conflict
from google.cloud import bigquery, storage
from rest_api import TOKEN, RestApi

from hourglass.config import Source, load_source, load_sources
from hourglass.generate.core import Rates, Tally
from hourglass.generate.write import generate
from hourglass.partition import Partition
from local.cloud import Cloud
from tests.e2e.landed import date, upload

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
MOMENT = datetime(2026, 1, 5, 6, 20, tzinfo=UTC)
ROWS = 200
RATES = Rates(late=0.05, duplicates=0.05, bad=0.06)
# A page of an API holds every record once and in order, and nothing that is not JSON.
SOUND = Rates(late=0, duplicates=0, bad=0)
PROCESSES = 1  # two interpreters register the same assets in Airflow's database at once, and one fails
# Referred to by others, so that they run before them.
FIRST = ("product_catalog", "customer_profiles", "users", "sessions")


def shipped() -> list[str]:
    """Every shipped source, or one of each kind: every run costs half a minute."""
    loaded = load_sources(ROOT / "include")
    assert not loaded.problems
    kinds: dict[Any, str] = {}
    for source in loaded.sources:
        ingestion = source.file.ingestion
        joined = any(step.join for step in source.file.processing.silver_to_gold)
        kinds.setdefault((ingestion.pattern, ingestion.format, ingestion.multiline, joined), source.id)
    every = os.environ.get("HOURGLASS_TEST_SOURCES") == "all"
    names = [s.id for s in loaded.sources] if every else list(kinds.values())
    return sorted(names, key=lambda name: (name not in FIRST, name))


@dataclass
class Runs:
    """What was put in, and what came of it, by source."""

    partitions: dict[str, Partition] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    stay_where_they_are: set[str] = field(default_factory=set)
    logs: Path = Path()


class Landing:
    """Brings the partitions to where their sources expect them, each in its own way."""

    def __init__(self, cloud: Cloud, include: Path, folder: Path, api: RestApi) -> None:
        self.cloud, self.include, self.folder, self.api = cloud, include, folder, api

    def land(self, source: Source, partition: Partition) -> Tally:
        way = {
            "streaming_api": self._serve,
            "cloud_transfer": self._export,
            "bigquery_export": self._load,
        }.get(source.file.ingestion.pattern, self._upload)
        return way(source, partition, self.folder / source.id)

    def _upload(self, source: Source, partition: Partition, folder: Path) -> Tally:
        tally = generate(source, partition, folder, ROWS, RATES, objects=2)
        upload(self.cloud, source.bucket, folder, partition.start)
        return tally

    def _serve(self, source: Source, partition: Partition, folder: Path) -> Tally:
        tally = generate(source, partition, folder, ROWS, SOUND)
        for path in sorted(folder.rglob("*.json.gz")):
            self.api.records += [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        self.api.records.sort(key=lambda record: record["created"], reverse=True)
        return tally

    def _export(self, source: Source, partition: Partition, folder: Path) -> Tally:
        tally = generate(source, partition, folder, ROWS, RATES, objects=2)
        ingestion: Any = source.file.ingestion
        client = storage.Client()
        with suppress(Conflict):
            client.create_bucket(ingestion.source_bucket)
        for path in sorted(p for p in folder.rglob("*.parquet")):
            name = f"{ingestion.source_path}{path.name}"
            client.bucket(ingestion.source_bucket).blob(name).upload_from_filename(str(path))
            date(self.cloud, ingestion.source_bucket, name, partition.start + timedelta(minutes=1))
        return tally

    def _load(self, source: Source, partition: Partition, folder: Path) -> Tally:
        tally = generate(source, partition, folder, ROWS, SOUND)
        client = bigquery.Client(location="US")
        ingestion: Any = source.file.ingestion
        dataset = ingestion.source_table.split(".")[-2]
        client.create_dataset(dataset, exists_ok=True)
        (path,) = [p for p in folder.rglob("*.json") if "_tally" not in str(p)]
        config = bigquery.LoadJobConfig(
            schema=[bigquery.SchemaField.from_api_repr(c) for c in bigquery_fields(source)],
            source_format="NEWLINE_DELIMITED_JSON",
            write_disposition="WRITE_TRUNCATE",
        )
        table = f"{dataset}.{path.stem.rsplit('-', 1)[0]}"
        with path.open("rb") as file:
            client.load_table_from_file(file, table, job_config=config).result()
        return tally


def bigquery_fields(source: Source) -> list[dict[str, Any]]:
    from hourglass.config.schema import table_columns

    return [{**table_columns(f), "name": f.source_path or f.name} for f in source.schema.fields]


@contextmanager
def own_include(folder: Path, api: str) -> Iterator[Path]:
    """The product's include folder, with the API that the test serves in the place of the real one."""
    include = folder / "include"
    include.mkdir()
    for entry in (ROOT / "include").iterdir():
        if entry.name != "sources":
            (include / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "include" / "sources", include / "sources")
    changes = {
        "stripe_payments": ("https://api.stripe.com/v1/charges", api),
        # What a task of the run itself lands need not be awaited.
        "aws_data_lake": ("settle: 1m", "settle: 1s"),
        "ga4": ("close_after: 6h", "settle: 1s\n    close_after: 6h"),
    }
    for name, (real, mine) in changes.items():
        path = include / "sources" / f"{name}.yaml"
        text = path.read_text()
        assert real in text, name
        path.write_text(text.replace(real, mine))
    before = os.environ.get("HOURGLASS_INCLUDE")
    os.environ["HOURGLASS_INCLUDE"] = str(include)
    try:
        yield include
    finally:
        os.environ.pop("HOURGLASS_INCLUDE")
        if before is not None:
            os.environ["HOURGLASS_INCLUDE"] = before


@pytest.fixture(scope="module")
def runs(
    cloud: Cloud, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Runs]:
    """The partition of every source that is asked for landed, and its DAG run once."""
    asked = {
        getattr(item, "callspec", None) and item.callspec.params.get("name") for item in request.session.items
    }
    folder = tmp_path_factory.mktemp("sources")
    api = RestApi()
    found = Runs(logs=folder / "logs")
    found.logs.mkdir()
    try:
        with own_include(folder, api.url) as include:
            cloud.airflow.prepare(cloud.environment())
            landing = Landing(cloud, include, folder / "landed", api)
            for name in filter(asked.__contains__, shipped()):
                source = load_source(name, include)
                partition = Partition.containing(MOMENT, source.grain)
                found.partitions[name] = partition
                if source.file.ingestion.pattern == "bigquery_export":
                    found.stay_where_they_are.add(name)
                found.tallies[name] = landing.land(source, partition)
            found.results = run_all(found, folder)
            yield found
    finally:
        api.stop()


def run_all(runs: Runs, folder: Path) -> dict[str, dict[str, Any]]:
    """Every DAG, in few interpreters: starting one costs as much as a run's own work in it."""
    results = folder / "results.jsonl"
    items = [f"{name}={partition.start:%Y-%m-%dT%H:%M:%S}" for name, partition in runs.partitions.items()]
    first = [item for item in items if item.split("=")[0] in FIRST]
    rest = [item for item in items if item not in first]
    for wave in ([first], [rest[n::PROCESSES] for n in range(PROCESSES)]):
        started = [start(results, runs.logs, part) for part in wave if part]
        for process in started:
            assert process.wait(timeout=1800) == 0
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return {line["source"]: line for line in lines}


def start(results: Path, logs: Path, items: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "tests/e2e/run_dags.py"), str(results), str(logs), *items]
    token = {"AIRFLOW_VAR_STRIPE-API-KEY": TOKEN}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **token}, start_new_session=True)


def query(sql: str, partition: Partition) -> list[dict[str, Any]]:
    parameters = [bigquery.ScalarQueryParameter("start", "TIMESTAMP", partition.start)]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    return [dict(r.items()) for r in bigquery.Client(location="US").query(sql, job_config=config).result()]


@pytest.mark.parametrize("name", shipped())
def test_a_generated_partition_comes_to_its_tally(
    runs: Runs, name: str, record_property: Callable[[str, object], None]
) -> None:
    partition, tally, result = runs.partitions[name], runs.tallies[name], runs.results[name]
    record_property("seconds", f"{result['wall']} wall, {result['cpu']} CPU")
    assert result["state"] == "success", (runs.logs / f"{name}.log").read_text()[-5000:]
    (row,) = query(
        f"SELECT * FROM ops.partition_ledger WHERE source = '{name}' AND landing_hour = @start", partition
    )
    assert row["state"] == "published"
    assert tally.lines == tally.silver + tally.quarantined + tally.duplicates > 0
    counts = ("lines", "silver", "quarantined", "duplicates")
    assert {k: row[k] for k in counts} == {k: getattr(tally, k) for k in counts}
    assert row["published_rows"] == tally.silver
    if name not in runs.stay_where_they_are:
        silver = query(f"SELECT COUNT(*) AS n FROM silver.{name} WHERE landing_hour = @start", partition)
        assert silver == [{"n": tally.silver}]
        sql = f"SELECT reason, COUNT(*) AS n FROM quarantine.{name} WHERE landing_hour = @start GROUP BY 1"
        assert Counter({r["reason"]: r["n"] for r in query(sql, partition)}) == tally.reasons
