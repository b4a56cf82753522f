"""One Spark driver for all crafted-file tests; they call the job's run() on files in a temporary folder.

Run in Spark's own environment: `.local/venvs/spark/bin/python -m pytest tests/spark`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]
JOB = ROOT / "include" / "spark"
JARS = ROOT / ".local" / "jars" / "spark"

# The main environment has no pyspark; `make test` runs this folder a second time in Spark's own.
if importlib.util.find_spec("pyspark") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from refine_hour import Hour


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder belongs to the marker `spark`."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker("spark")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local driver with a catalog in a folder: no service, no network beyond the loopback."""
    from pyspark.sql import SparkSession

    jars = [jar for name in ("iceberg-spark-runtime", "spark-avro") for jar in JARS.glob(f"{name}*.jar")]
    if len(jars) != 2:
        pytest.fail(f"{JARS} lacks Iceberg's runtime or Avro: run `make setup`, which fetches Spark's jars")
    warehouse = tmp_path_factory.mktemp("warehouse")
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable  # otherwise whatever version python3 on PATH has
    os.environ["PYTHONPATH"] = str(JOB)  # Python workers import the job's modules, as --py-files lets them
    settings = {
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.jars": ",".join(map(str, jars)),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "hadoop",
        "spark.sql.catalog.lake.warehouse": warehouse.as_uri(),
        "spark.sql.warehouse.dir": (warehouse / "unused").as_uri(),
    }
    builder = SparkSession.builder.master("local[2]").appName("tests/spark")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def hour(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Hour:
    """A partition to fill with objects and to refine into tables of its own."""
    return Hour(spark, tmp_path, request.node.name)


@pytest.fixture
def hours(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Hour]:
    """Several partitions of one source, each in its own folder, in the same two tables."""

    def make(start: str) -> Hour:
        folder = tmp_path / start.replace(":", "")
        folder.mkdir(exist_ok=True)
        return Hour(spark, folder, request.node.name, start=start)

    return make
