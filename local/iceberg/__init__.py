"""An Iceberg REST catalog on the laptop, in the place of Google's (BigLake metastore)."""

from __future__ import annotations

from pathlib import Path

from local.iceberg.java import java_home

WAREHOUSE = "gs://hourglass-lake"


def command(root: Path, cloud: Path, port: int, gcs_endpoint: str) -> list[str]:
    """Build the command that serves the catalog on 127.0.0.1.

    Its tables survive a SIGKILL: every commit is a transaction of SQLite in <cloud>/data/iceberg.

    Args:
        root: the repository's folder, after local.iceberg.install.install(root).
        cloud: the instance's folder.
        port: TCP port to listen on.
        gcs_endpoint: the local GCS, such as http://127.0.0.1:4443; table metadata is written there.

    Returns:
        The argument list of the server; it prints `ready` when it serves, and GET /v1/config answers 200.

    Raises:
        local.iceberg.java.JavaError: there is no JDK 17.
    """
    jars = root / ".local" / "jars" / "iceberg-rest"
    state = cloud / "data" / "iceberg"
    state.mkdir(parents=True, exist_ok=True)
    catalog = {
        "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        "uri": f"jdbc:sqlite:{state / 'catalog.db'}",
        "jdbc.schema-version": "V1",
        # Two connections of one process would meet SQLITE_BUSY; one takes the requests in turn.
        "clients": "1",
        "jdbc.busy_timeout": "10000",
        "jdbc.journal_mode": "WAL",
        "warehouse": WAREHOUSE,
        "io-impl": "org.apache.iceberg.gcp.gcs.GCSFileIO",
        "gcs.service.host": gcs_endpoint,
        "gcs.no-auth": "true",
        "gcs.project-id": "hourglass-local",
    }
    # A small heap and the quick compiler only: the catalog answers a few requests an hour.
    options = ["-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    options += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    return [
        str(java_home() / "bin" / "java"),
        *options,
        "-cp",
        f"{jars / 'classes'}:{jars}/*",
        "hourglass.local.LocalRest",
        str(port),
        *(f"{key}={value}" for key, value in catalog.items()),
    ]
