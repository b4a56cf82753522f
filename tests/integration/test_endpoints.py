"""The same code speaks to the local cloud or to Google: only environment variables decide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EMULATORS = (
    "STORAGE_EMULATOR_HOST",
    "BIGQUERY_EMULATOR_HOST",
    "BIGTABLE_EMULATOR_HOST",
    "DATAPROC_EMULATOR_HOST",
    "STORAGETRANSFER_EMULATOR_HOST",
    "HOURGLASS_ICEBERG_URI",
)

# Builds every client that the operators build, in an interpreter of its own with sockets closed, and reports
# where each would connect and with whose credentials.
PROBE = """
import json, logging, socket
logging.disable(logging.CRITICAL)
def refuse(*args, **kwargs):
    raise OSError("closed by the test")
socket.socket.connect = refuse
from hourglass.cloud import bigquery as bq, bigtable, gcs
from hourglass.cloud.dataproc import BatchHook
from hourglass.cloud.transfer import TransferHook
from hourglass.config import Platform
from hourglass.operators.batch import spark_properties
platform = Platform.from_env()
storage = gcs.client()
bigquery = bq.client(platform)
instance = bigtable.instance(platform.project, platform.bigtable_instance)
batches = BatchHook().get_batch_client(platform.region)
data = instance._client.table_data_client
transfers = TransferHook().get_conn()
def who(credentials):
    return getattr(credentials, "service_account_email", type(credentials).__name__)
print(json.dumps({
    "storage": [storage._connection.API_BASE_URL, who(storage._credentials)],
    "bigquery": [bigquery._connection.API_BASE_URL, who(bigquery._credentials)],
    "bigtable": [instance._client._emulator_host or data.transport._host,
                 who(instance._client._credentials)],
    "dataproc": [batches.transport._host, who(getattr(batches.transport, "_credentials", None))],
    "transfer": [transfers._baseUrl, who(transfers._http.credentials)],
    "iceberg": [spark_properties(platform)["spark.sql.catalog.lake.uri"], ""],
}))
"""


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service account's key as application default credentials; nothing is signed with it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "hourglass@acme.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    path = tmp_path_factory.mktemp("adc") / "key.json"
    path.write_text(json.dumps(content))
    return path


def probe(key_file: Path, tmp_path: Path, **changes: str) -> Any:
    env = {k: v for k, v in os.environ.items() if k not in EMULATORS and not k.startswith("AIRFLOW")}
    env |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": '{"conn_type": "google_cloud_platform"}',
        "GOOGLE_APPLICATION_CREDENTIALS": str(key_file),
        "GOOGLE_CLOUD_PROJECT": "acme",
        "HOURGLASS_PROJECT": "acme",
        "HOURGLASS_REGION": "europe-west1",
        "PYTHONPATH": str(ROOT / "plugins"),
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=120, env=env
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_without_emulators_every_client_speaks_to_google_as_the_default_account(
    key_file: Path, tmp_path: Path
) -> None:
    clients = probe(key_file, tmp_path)
    hosts = {name: host for name, (host, _) in clients.items()}
    assert hosts == {
        "storage": "https://storage.googleapis.com",
        "bigquery": "https://bigquery.googleapis.com",
        "bigtable": "bigtable.googleapis.com:443",
        "dataproc": "europe-west1-dataproc.googleapis.com:443",
        "transfer": "https://storagetransfer.googleapis.com/",
        "iceberg": "https://biglake.googleapis.com/iceberg/v1/restcatalog",
    }
    accounts = {name: account for name, (_, account) in clients.items() if name != "iceberg"}
    assert set(accounts.values()) == {"hourglass@acme.iam.gserviceaccount.com"}, accounts


def test_the_emulator_variables_redirect_every_client(key_file: Path, tmp_path: Path) -> None:
    clients = probe(
        key_file,
        tmp_path,
        STORAGE_EMULATOR_HOST="http://127.0.0.1:1",
        BIGQUERY_EMULATOR_HOST="http://127.0.0.1:2",
        BIGTABLE_EMULATOR_HOST="127.0.0.1:3",
        DATAPROC_EMULATOR_HOST="127.0.0.1:4",
        STORAGETRANSFER_EMULATOR_HOST="http://127.0.0.1:6",
        HOURGLASS_ICEBERG_URI="http://127.0.0.1:5",
    )
    assert clients["storage"][0] == "http://127.0.0.1:1"
    assert clients["bigquery"][0] == "http://127.0.0.1:2"
    assert clients["bigtable"][0] == "127.0.0.1:3"
    assert clients["transfer"][0] == "http://127.0.0.1:6"
    assert clients["iceberg"][0] == "http://127.0.0.1:5"


def test_the_product_never_asks_where_it_runs() -> None:
    """Outside the two hooks that lack an endpoint setting, no product file names an emulator."""
    allowed = {ROOT / f"plugins/hourglass/cloud/{name}.py" for name in ("dataproc", "transfer")}
    for folder in (
        "plugins",
        "dags",
        "include/spark",
        "include/sql",
        "include/dbt/models",
        "include/dbt/macros",
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".sql", ".yml") and path not in allowed:
                code = "\n".join(
                    line for line in path.read_text().splitlines() if "redirects it" not in line
                ).lower()
                assert "emulator" not in code, path
                assert "is_local" not in code, path
