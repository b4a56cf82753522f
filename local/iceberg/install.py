"""Installs the local Iceberg REST catalog: its jars, and LocalRest compiled against them."""

from __future__ import annotations

import time
from pathlib import Path

from local.iceberg import java

_HERE = Path(__file__).parent
_POM = _HERE / "pom.xml"
_SOURCE = _HERE / "LocalRest.java"


def install(root: Path) -> None:
    """Install the catalog into root/.local/jars/iceberg-rest; nothing happens when it is current.

    Args:
        root: the repository's folder.

    Raises:
        local.iceberg.java.JavaError: no JDK 17, no Maven, or one of them failed.
    """
    folder = root / ".local" / "jars" / "iceberg-rest"
    key = java.digest(_POM, _SOURCE)
    if java.is_current(folder, key):
        return
    started = time.monotonic()
    with java.installing(folder) as staged:
        if java.is_current(folder, key):  # another installer held the lock until now
            return
        java.copy_jars(_POM, staged)
        _compile(staged)
        java.replace(folder, staged, key)
    java.report("Iceberg catalog", folder, started)


def _compile(folder: Path) -> None:
    javac = java.java_home() / "bin" / "javac"
    if not javac.is_file():
        raise java.JavaError(
            f"{javac} is missing: a Java runtime without its compiler is installed. "
            f"Install the JDK (Debian: apt install openjdk-{java.JAVA_VERSION}-jdk-headless)."
        )
    command = [str(javac), "-cp", f"{folder}/*", "-d", str(folder / "classes"), str(_SOURCE)]
    java.run_tool(command, f"javac could not compile {_SOURCE}", 120)
