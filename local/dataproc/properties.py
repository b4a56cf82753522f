"""The Spark properties the local Dataproc lays over those of a batch, each with its reason.

A batch is written for Google's service. What differs on a laptop (endpoints, credentials, size) is decided
here and nowhere else, so that the batch itself stays the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_CATALOG = re.compile(r"spark\.sql\.catalog\.([^.]+)")
_RUNTIME_JARS = "file:///usr/lib/spark/"  # what Google's image brings; here it is on the class path
_GCS = "com.google.cloud.hadoop.fs.gcs"


@dataclass(frozen=True)
class Laptop:
    """What Spark has here.

    Attributes:
        jars: folder of Dataproc's own jars (.local/jars/spark).
        gcs_endpoint: the local GCS, such as http://127.0.0.1:4443.
        project: Google Cloud project id, which the GCS clients want to be told.
        cores: how many tasks run at a time.
        memory: the driver's heap, in Java's notation.
        quick_compiler: use only Java's first compiler: half the CPU time of a batch of seconds, but slow code
            in one of many minutes.
    """

    jars: Path
    gcs_endpoint: str
    project: str = "hourglass-local"
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory: str = "2g"
    quick_compiler: bool = True

    @property
    def startup_archive(self) -> Path:
        """The file with Spark's classes as Java keeps them in memory (see local.dataproc.archive)."""
        return self.jars / "startup.jsa"

    def class_path(self) -> str:
        """List the jars in a fixed order, on which the start-up archive depends."""
        return ":".join(str(jar) for jar in sorted(self.jars.glob("*.jar")))


def merged(requested: Mapping[str, str], laptop: Laptop, scratch: Path) -> dict[str, str]:
    """Give the properties a batch runs with here: the requested ones under the laptop's own.

    Args:
        requested: runtime_config.properties of the batch.
        laptop: what Spark has here.
        scratch: a folder that goes away with the batch.
    """
    catalogs = {match[1] for match in map(_CATALOG.match, requested) if match}
    merged_properties = {
        **_without_runtime_jars(requested),
        **_size(laptop, scratch),
        **_start(laptop),
        **_storage(laptop),
    }
    for catalog in sorted(catalogs):
        merged_properties |= _catalog(f"spark.sql.catalog.{catalog}", laptop)
    return merged_properties


def _without_runtime_jars(requested: Mapping[str, str]) -> dict[str, str]:
    jars = [jar for jar in requested.get("spark.jars", "").split(",") if not jar.startswith(_RUNTIME_JARS)]
    others = {key: value for key, value in requested.items() if key != "spark.jars"}
    return {**others, "spark.jars": ",".join(jars)} if any(jars) else others


def java_options(laptop: Laptop) -> list[str]:
    """Give the options of the driver's Java machine."""
    options = [
        "-XX:+UseSerialGC"
    ]  # one heap of a few GB on two cores: the parallel collectors only cost start-up
    if laptop.quick_compiler:
        options.append("-XX:TieredStopAtLevel=1")
    if laptop.startup_archive.is_file():
        options.append(f"-XX:SharedArchiveFile={laptop.startup_archive}")
        # Another Java or other jars make Java ignore the archive; that is no news for the driver's output.
        options += ["-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off"]
    return options


def _size(laptop: Laptop, scratch: Path) -> dict[str, str]:
    """Fit Spark into one process on this machine."""
    return {
        "spark.master": f"local[{laptop.cores}]",
        "spark.submit.deployMode": "client",
        "spark.driver.memory": laptop.memory,  # a batch asks for a cluster's worth
        "spark.sql.shuffle.partitions": str(laptop.cores),  # 200, the default, is 200 tasks for a small hour
        "spark.default.parallelism": str(laptop.cores),
        "spark.dynamicAllocation.enabled": "false",  # there are no executors to allocate
        "spark.eventLog.enabled": "false",  # no history server reads it
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }


def _start(laptop: Laptop) -> dict[str, str]:
    """Start fast, and only on the loopback address."""
    return {
        # On the class path as on Google's image; spark.jars would copy 150 MB into each batch's folder.
        "spark.driver.extraClassPath": laptop.class_path(),
        "spark.driver.extraJavaOptions": " ".join(java_options(laptop)),
        "spark.ui.enabled": "false",  # saves a second and a port
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "WARN",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }


def _storage(laptop: Laptop) -> dict[str, str]:
    """Let gs:// mean the local GCS, which knows no credentials."""
    return {
        "spark.hadoop.fs.gs.impl": f"{_GCS}.GoogleHadoopFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.gs.impl": f"{_GCS}.GoogleHadoopFS",
        "spark.hadoop.fs.gs.storage.root.url": laptop.gcs_endpoint,
        "spark.hadoop.fs.gs.project.id": laptop.project,
        "spark.hadoop.google.cloud.auth.type": "UNAUTHENTICATED",
        "spark.hadoop.google.cloud.auth.service.account.enable": "false",
        "spark.hadoop.google.cloud.auth.null.enable": "true",
    }


def _catalog(prefix: str, laptop: Laptop) -> dict[str, str]:
    """Send an Iceberg catalog's files to the local GCS and its requests out without a token."""
    return {
        f"{prefix}.rest.auth.type": "none",
        f"{prefix}.gcs.service.host": laptop.gcs_endpoint,
        f"{prefix}.gcs.no-auth": "true",
        f"{prefix}.gcs.project-id": laptop.project,
    }


def as_file(properties: Mapping[str, str]) -> str:
    """Write properties in the format of java.util.Properties, one a line, for --properties-file."""
    lines = (f"{_escape(key, ' :=#!')}={_escape(value, '')}" for key, value in sorted(properties.items()))
    return "\n".join(lines) + "\n"


def _escape(text: str, special: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    for character in special:
        escaped = escaped.replace(character, "\\" + character)
    # Leading blanks of a value would be skipped, and the file is read as Latin-1 by older Java code.
    escaped = re.sub(r"^ ", r"\\ ", escaped)
    return "".join(c if c.isascii() else _unicode_escape(c) for c in escaped)


def _unicode_escape(character: str) -> str:
    pairs = character.encode("utf-16-be").hex()
    return "".join(f"\\u{pairs[i : i + 4]}" for i in range(0, len(pairs), 4))
