"""Installs what Dataproc's Spark has beside Spark itself: Iceberg, the GCS connector and Avro."""

from __future__ import annotations

import time
from pathlib import Path

from local.iceberg import java

_POM = Path(__file__).parent / "pom.xml"


def install(root: Path) -> None:
    """Copy Spark's jars into root/.local/jars/spark; nothing happens when they are current.

    Args:
        root: the repository's folder.

    Raises:
        local.iceberg.java.JavaError: no JDK 17, no Maven, or Maven failed.
    """
    folder = root / ".local" / "jars" / "spark"
    key = java.digest(_POM)
    if java.is_current(folder, key):
        return
    started = time.monotonic()
    with java.installing(folder) as staged:
        if java.is_current(folder, key):  # another installer held the lock until now
            return
        java.copy_jars(_POM, staged)
        java.replace(folder, staged, key)
    java.report("Spark's jars", folder, started)
