"""From a batch to a spark-submit command: its files fetched, its properties written down."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from google.cloud.dataproc_v1.types import Batch

from local.dataproc import properties
from local.dataproc.objects import Objects
from local.dataproc.validation import workload_kind

# Of the server's own Python or of another Spark; a driver must not see them.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS")


@dataclass(frozen=True)
class Spark:
    """The Spark that runs batches.

    Attributes:
        submit: the spark-submit executable.
        python: the interpreter of drivers and workers.
        java_home: a JDK 17.
        laptop: what the laptop's properties are made from.
    """

    submit: Path
    python: Path
    java_home: Path
    laptop: properties.Laptop

    def environment(self, inherited: Mapping[str, str], folder: Path) -> dict[str, str]:
        """Give the environment of a driver that works in `folder`."""
        kept = {key: value for key, value in inherited.items() if key not in _FOREIGN}
        return {
            **kept,
            "JAVA_HOME": str(self.java_home),
            "PYSPARK_PYTHON": str(self.python),
            "PYSPARK_DRIVER_PYTHON": str(self.python),
            "PYTHONUNBUFFERED": "1",
            "SPARK_LOCAL_IP": "127.0.0.1",
            # Else a killed driver would leave its shuffle files in /tmp.
            "SPARK_LOCAL_DIRS": str(folder / "tmp"),
            # spark-submit first starts a small Java program that only prints a command line.
            "SPARK_LAUNCHER_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        }


def prepare(batch: Batch, spark: Spark, objects: Objects, folder: Path) -> list[str]:
    """Fetch a batch's files into `folder` and build its command.

    Args:
        batch: a checked batch.
        spark: the Spark to run it.
        objects: where gs:// files come from.
        folder: the batch's folder.

    Returns:
        The argument list of spark-submit.

    Raises:
        ObjectError: a file is missing or cannot be fetched.
    """
    requested = dict(batch.runtime_config.properties)
    requested.setdefault("spark.app.name", str(batch.name).rsplit("/", 1)[-1])
    file = folder / "spark.properties"
    file.write_text(properties.as_file(properties.merged(requested, spark.laptop, folder)))
    files = _Files(objects, folder)
    command = [str(spark.submit), "--properties-file", str(file)]
    if workload_kind(batch) == "pyspark_batch":
        return command + _pyspark(batch, files)
    return command + _java(batch, files)


def current_environment() -> Mapping[str, str]:
    """Give the environment that drivers inherit: the endpoints of the local cloud are in it."""
    return os.environ


class _Files:
    """Fetches files under their own names, which Python imports by."""

    def __init__(self, objects: Objects, folder: Path) -> None:
        self._objects, self._folder, self._count = objects, folder, 0

    def one(self, uri: str) -> str:
        self._count += 1
        target = self._folder / "files" / str(self._count) / PurePosixPath(uri).name
        self._objects.fetch(uri, target)
        return str(target)

    def flag(self, name: str, uris: Sequence[str]) -> list[str]:
        return [name, ",".join(self.one(uri) for uri in uris)] if uris else []

    def into_working_folder(self, uris: Sequence[str]) -> None:
        for uri in uris:
            self._objects.fetch(uri, self._folder / "work" / PurePosixPath(uri).name)


def _pyspark(batch: Batch, files: _Files) -> list[str]:
    job = batch.pyspark_batch
    files.into_working_folder(job.file_uris)
    flags = files.flag("--py-files", job.python_file_uris)
    flags += files.flag("--jars", job.jar_file_uris) + files.flag("--archives", job.archive_uris)
    return [*flags, files.one(job.main_python_file_uri), *job.args]


def _java(batch: Batch, files: _Files) -> list[str]:
    job = batch.spark_batch
    files.into_working_folder(job.file_uris)
    flags = files.flag("--archives", job.archive_uris)
    if job.main_jar_file_uri:
        flags += files.flag("--jars", job.jar_file_uris)
        return [*flags, files.one(job.main_jar_file_uri), *job.args]
    # The class is in one of the jars; spark-submit wants one as its program (spark-internal: none).
    return [
        *flags,
        "--class",
        job.main_class,
        *files.flag("--jars", job.jar_file_uris),
        "spark-internal",
        *job.args,
    ]
