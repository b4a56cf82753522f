"""Makes Java's start-up archive: Spark's classes as Java keeps them in memory, read from one file.

It halves the CPU time of a small batch. It is made once, by a training batch against a Cloud Storage and a
catalog of its own, and belongs to one set of jars and one Java. Without it everything works, more slowly.
"""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from local.dataproc import properties
from local.dataproc.launch import Spark
from local.iceberg import command as iceberg_command
from local.iceberg import java

_TRAINING = Path(__file__).with_name("training.py")
_TIMEOUT_SECONDS = 300
_LINE = '{"id":"%d","actor":{"login":"someone"},"tags":["a","b"],"created_at":"2021-07-21T06:00:00Z"}\n'


def build(root: Path) -> bool:
    """Make root/.local/jars/spark/startup.jsa unless it is there and fits; needs about 30 s.

    Call it when Spark, its jars, the catalog and fake-gcs are installed.

    Args:
        root: the repository's folder.

    Returns:
        Whether there is a fitting archive now. False is no failure of the installation: it says why on one
        line, and batches only start more slowly.
    """
    started = time.monotonic()
    try:
        spark = _spark(root)
        stamp, key = spark.laptop.startup_archive.with_suffix(".key"), _key(spark)
        if stamp.is_file() and stamp.read_text() == key and spark.laptop.startup_archive.is_file():
            return True
        for old in spark.laptop.jars.glob("startup.*"):
            old.unlink()
        with tempfile.TemporaryDirectory(prefix="hourglass-training-") as folder:
            _train(root, spark, Path(folder))
        stamp.write_text(key)
    except (java.JavaError, OSError, subprocess.SubprocessError, TimeoutError) as error:
        print(f"  Spark's start-up archive was not made ({error}); batches start more slowly", flush=True)
        return False
    print(f"  Spark's start-up archive: made in {time.monotonic() - started:.0f} s", flush=True)
    return True


def _spark(root: Path) -> Spark:
    venv = root / ".local" / "venvs" / "spark" / "bin"
    laptop = properties.Laptop(jars=root / ".local" / "jars" / "spark", gcs_endpoint="")
    return Spark(venv / "spark-submit", venv / "python", java.java_home(), laptop)


def _key(spark: Spark) -> str:
    """Name all that Java compares before it uses an archive: itself and every jar, with size and time."""
    pyspark = spark.python.parent.parent.glob("lib/python3*/site-packages/pyspark/jars/*.jar")
    jars = sorted([*spark.laptop.jars.glob("*.jar"), *pyspark])
    facts = [f"{jar} {jar.stat().st_size} {jar.stat().st_mtime_ns}" for jar in jars]
    return java.digest(spark.java_home / "release", _TRAINING, *facts)


def _train(root: Path, spark: Spark, folder: Path) -> None:
    gcs_port, catalog_port = _free_port(), _free_port()
    endpoint = f"http://127.0.0.1:{gcs_port}"
    gcs = [str(root / ".local" / "bin" / "fake-gcs"), "-address", f"127.0.0.1:{gcs_port}"]
    with ExitStack() as stack:
        stack.enter_context(
            _server([*gcs, "-root", str(folder / "gcs")], f"{endpoint}/storage/v1/b?project=p")
        )
        catalog = iceberg_command(root, folder, catalog_port, endpoint)
        stack.enter_context(_server(catalog, f"http://127.0.0.1:{catalog_port}/v1/config"))
        _post(f"{endpoint}/storage/v1/b?project=p", b'{"name":"hourglass-lake"}', "application/json")
        upload = f"{endpoint}/upload/storage/v1/b/hourglass-lake/o?uploadType=media&name=events.json.gz"
        text = "".join(_LINE % number for number in range(200)).encode()
        _post(upload, gzip.compress(text), "application/octet-stream")
        _submit(spark, endpoint, f"http://127.0.0.1:{catalog_port}", folder)


def _submit(spark: Spark, endpoint: str, catalog: str, folder: Path) -> None:
    """Run the training batch; Java writes the archive when it ends."""
    laptop = replace(spark.laptop, gcs_endpoint=endpoint)
    requested = {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": catalog,
        "spark.sql.catalog.lake.warehouse": "gs://hourglass-lake",
        "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.gcp.gcs.GCSFileIO",
        "spark.sql.session.timeZone": "UTC",
    }
    merged = properties.merged(requested, laptop, folder)
    # Java crashes on half an archive, so it gets its name only when it is whole.
    archive = spark.laptop.startup_archive.with_suffix(".part")
    merged["spark.driver.extraJavaOptions"] += f" -XX:ArchiveClassesAtExit={archive}"
    file = folder / "spark.properties"
    file.write_text(properties.as_file(merged))
    command = [str(spark.submit), "--properties-file", str(file), str(_TRAINING)]
    done = subprocess.run(
        [*command, "gs://hourglass-lake/events.json.gz"],
        env=spark.environment(os.environ, folder),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0 or not archive.is_file():
        tail = " | ".join((done.stdout + done.stderr).splitlines()[-3:])
        raise OSError(f"the training batch ended with exit code {done.returncode}: {tail}")
    with archive.open("rb") as written:
        os.fsync(written.fileno())
    archive.replace(spark.laptop.startup_archive)


@contextmanager
def _server(command: Sequence[str], health: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_healthy(process, health)
        yield
    finally:
        process.kill()  # nothing of it is kept
        process.wait()


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - a loopback address made above
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")


def _post(url: str, body: bytes, content_type: str) -> None:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
