"""The environment variables that make the product use the local cloud. See the README of local/."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
from collections.abc import Mapping

from local.layout import Layout
from local.ports import HOST, Ports

PROJECT = "hourglass-local"
# Where this is set every start of Airflow compiles all its modules again: 15 s instead of 4.
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
BUCKETS = ("hourglass-raw", "hourglass-ops", "hourglass-lake")


def exports(layout: Layout, ports: Ports) -> dict[str, str]:
    """Everything that differs between the laptop and Google's cloud.

    Args:
        layout: the instance's folders.
        ports: its ports, all assigned.

    Returns:
        The variables and their values; PATH and NO_PROXY are not among them, see `within`.
    """
    return {
        "HOURGLASS_CLOUD": str(layout.cloud),
        **_endpoints(layout, ports),
        "HOURGLASS_PROJECT": PROJECT,
        "HOURGLASS_REGION": "us-central1",
        "HOURGLASS_LOCATION": "US",
        "HOURGLASS_RAW_BUCKET": "hourglass-raw",
        "HOURGLASS_OPS_BUCKET": "hourglass-ops",
        "HOURGLASS_LAKE_BUCKET": "hourglass-lake",
        "HOURGLASS_BIGTABLE_INSTANCE": "hourglass",
        **_airflow(layout, ports),
        **_secrets(layout),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
        "GX_ANALYTICS_ENABLED": "False",
        # Otherwise gcsfs first tries an API that no emulator has, for a minute.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        # Airflow renames its processes; without this the new name overwrites the environment by which
        # the local cloud recognises them.
        "SPT_NOENV": "1",
    }


def _endpoints(layout: Layout, ports: Ports) -> dict[str, str]:
    return {
        "STORAGE_EMULATOR_HOST": f"http://{HOST}:{ports['gcs']}",
        "BIGQUERY_EMULATOR_HOST": f"http://{HOST}:{ports['bigquery']}",
        "BIGTABLE_EMULATOR_HOST": f"{HOST}:{ports['bigtable']}",
        "DATAPROC_EMULATOR_HOST": f"{HOST}:{ports['dataproc']}",
        "STORAGETRANSFER_EMULATOR_HOST": f"http://{HOST}:{ports['transfer']}",
        "HOURGLASS_ICEBERG_URI": f"http://{HOST}:{ports['iceberg']}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(layout.credentials),
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def _airflow(layout: Layout, ports: Ports) -> dict[str, str]:
    url = f"http://{HOST}:{ports['airflow']}"
    google = {"conn_type": "google_cloud_platform", "extra": {"project": PROJECT}}
    # The local stand-in copies between local buckets and signs nothing.
    aws = {"conn_type": "aws", "login": "local", "password": "local"}
    alerts = {"conn_type": "http", "host": f"http://{HOST}:{ports['credentials']}/alerts"}
    return {
        "AIRFLOW_HOME": str(layout.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{layout.airflow / 'airflow.db'}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(google),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
        "AIRFLOW_CONN_HOURGLASS_ALERTS": json.dumps(alerts),
    }


def _secrets(layout: Layout) -> dict[str, str]:
    """What all components of Airflow must share; left to itself each one would make up its own."""
    file = layout.run / "airflow-secrets.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        made = {
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
            "AIRFLOW__CORE__FERNET_KEY": fernet,
        }
        file.write_text(json.dumps(made))
    kept: dict[str, str] = json.loads(file.read_text())
    return kept


def within(
    variables: Mapping[str, str], layout: Layout, base: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Put the variables over an environment, for a command that is to run within the cloud.

    The main environment's programs come first on PATH, and a proxy is never asked for 127.0.0.1.

    Args:
        variables: from `exports`.
        layout: the instance's folders.
        base: the environment to start from.
    """
    programs = str(layout.python.parent)
    path = base.get("PATH", os.defpath).split(os.pathsep)
    direct = [HOST, "localhost", *filter(None, base.get("NO_PROXY", base.get("no_proxy", "")).split(","))]
    no_proxy = ",".join(dict.fromkeys(direct))
    kept = {name: value for name, value in base.items() if name != _NO_BYTECODE}
    return {
        **kept,
        **variables,
        "PATH": os.pathsep.join(dict.fromkeys([programs, *path])),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def as_shell(variables: Mapping[str, str], layout: Layout) -> str:
    """Write the variables as lines that a POSIX shell can read: `export K='V'`."""
    lines = [f"export {name}={_quoted(value)}" for name, value in variables.items()]
    lines.append(f'export PATH={_quoted(str(layout.python.parent))}:"$PATH"')
    lines.append(f'export NO_PROXY={HOST},localhost"${{NO_PROXY:+,$NO_PROXY}}"')
    lines.append('export no_proxy="$NO_PROXY"')
    lines.append(f"unset {_NO_BYTECODE}")
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return shlex.quote(value) if "'" in value else f"'{value}'"
