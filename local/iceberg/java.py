"""Java for the local cloud: finding a JDK 17 and copying jars with Maven.

Standard library only, because the installer runs before any environment exists.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

JAVA_VERSION = 17
_STAMP = ".installed.json"
_MAVEN_TIMEOUT_SECONDS = 900


class JavaError(RuntimeError):
    """Java or Maven is missing, of the wrong version, or failed; the message says what to do."""


def java_home() -> Path:
    """Find the JDK that runs Spark and the Iceberg catalog.

    Returns:
        The home folder of a Java 17, from JAVA_HOME or else from the `java` on PATH.

    Raises:
        JavaError: there is none, or it is not Java 17.
    """
    configured = os.environ.get("JAVA_HOME")
    found = str(Path(configured, "bin", "java")) if configured else shutil.which("java")
    if found is None or not Path(found).is_file():
        where = f"JAVA_HOME={configured}" if configured else "PATH"
        raise JavaError(
            f"no Java in {where}: Spark and the Iceberg catalog need Java {JAVA_VERSION}. "
            f"Install it (Debian: apt install openjdk-{JAVA_VERSION}-jdk-headless) or set JAVA_HOME."
        )
    java = Path(found).resolve()
    version = _major_version(java)
    if version != JAVA_VERSION:
        raise JavaError(
            f"{java} is Java {version}, but Spark 3.5 and the Iceberg catalog need Java {JAVA_VERSION}. "
            f"Set JAVA_HOME to a JDK {JAVA_VERSION}."
        )
    return java.parent.parent


def _major_version(java: Path) -> int:
    """Read `java -version`, which prints to standard error: `openjdk version "17.0.15" ...`."""
    text = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    match = re.search(r'version "(\d+)', text)
    return int(match.group(1)) if match else 0


def digest(*parts: Path | str) -> str:
    """Hash files (by content) and strings, to tell whether an installed folder is current."""
    sums = [
        hashlib.sha256(part.read_bytes() if isinstance(part, Path) else part.encode()).hexdigest()
        for part in parts
    ]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def is_current(folder: Path, key: str) -> bool:
    """Tell whether `folder` was stamped with `key` and still holds every file, at its size."""
    try:
        stamp = json.loads((folder / _STAMP).read_text())
        sizes = {name: (folder / name).stat().st_size for name in stamp["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(stamp.get("key") == key and sizes == stamp["files"])


def replace(folder: Path, staged: Path, key: str) -> None:
    """Stamp the finished folder `staged` with `key` and put it in the place of `folder`."""
    files = {str(f.relative_to(staged)): f.stat().st_size for f in staged.rglob("*") if f.is_file()}
    (staged / _STAMP).write_text(json.dumps({"key": key, "files": files}, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)


@contextmanager
def installing(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder` to install into, one installer at a time.

    Maven 3 corrupts its repository when two of it write there, hence one lock for all jars.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = folder.with_name(folder.name + ".part")
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def copy_jars(pom: Path, target: Path) -> None:
    """Copy the dependencies of `pom` into `target`.

    Raises:
        JavaError: Maven is missing or could not resolve them; the message ends with Maven's own lines.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise JavaError(
            f"no mvn on PATH: it fetches the jars of {pom}. Install Maven 3 (Debian: apt install maven)."
        )
    command = [maven, "-B", "-ntp", "-f", str(pom), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={target}", "-DincludeScope=runtime", "-Dstyle.color=never"]
    run_tool(command, f"Maven could not fetch the jars of {pom}", _MAVEN_TIMEOUT_SECONDS)


def run_tool(command: Sequence[str], failure: str, timeout_seconds: float) -> None:
    """Run a build tool quietly under Java 17.

    Raises:
        JavaError: it failed or took longer than `timeout_seconds`; the message starts with `failure`.
    """
    environment = {**os.environ, "JAVA_HOME": str(java_home())}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise JavaError(f"{failure}: no end after {timeout_seconds:.0f} s. Run it again.") from error
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        shown = [line for line in lines if "ERROR" in line or "error" in line] or lines
        tail = "\n  ".join(shown[-12:])
        raise JavaError(f"{failure} (exit code {done.returncode}):\n  {tail}\nRun: {' '.join(command)}")


def report(what: str, folder: Path, started: float) -> None:
    """Print one line saying what was installed, how big it is and how long it took."""
    megabytes = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    print(f"  {what}: {megabytes:.0f} MB in {time.monotonic() - started:.0f} s", flush=True)
