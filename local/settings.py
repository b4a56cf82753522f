"""airflow_settings.yaml, in the Astro CLI's format, as the files that Airflow's own commands import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from local.errors import LocalCloudError

_CONNECTION_FIELDS = ("conn_type", "host", "schema", "login", "password", "port", "extra")


def read_settings(file: Path) -> dict[str, dict[str, Any]]:
    """Read pools, connections and variables.

    Args:
        file: a YAML file in the format of the Astro CLI; beyond it, a pool may say `include_deferred`.

    Returns:
        For each of "pools", "connections" and "variables", the content of the file that
        `airflow <kind> import` reads.

    Raises:
        LocalCloudError: the file is not YAML, or has no `airflow:` mapping.
    """
    try:
        document = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise LocalCloudError(f"{file} is not YAML: {error}") from error
    settings = document.get("airflow") if isinstance(document, dict) else None
    if not isinstance(settings, dict):
        raise LocalCloudError(f"{file} has no mapping `airflow:` at its top; write one as the Astro CLI does")
    return {
        "pools": {p["pool_name"]: _pool(p) for p in _named(settings, "pools", "pool_name", file)},
        "connections": {
            c["conn_id"]: _connection(c) for c in _named(settings, "connections", "conn_id", file)
        },
        "variables": {
            v["variable_name"]: v.get("variable_value")
            for v in _named(settings, "variables", "variable_name", file)
        },
    }


def _named(settings: dict[str, Any], kind: str, key: str, file: Path) -> list[dict[str, Any]]:
    """The entries of one kind; the empty ones of the Astro CLI's template do not count."""
    entries = settings.get(kind) or []
    if not all(isinstance(entry, dict) and key in entry for entry in entries):
        raise LocalCloudError(f"{file}: every entry of airflow.{kind} needs a `{key}`")
    return [entry for entry in entries if entry[key]]


def _pool(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "slots": entry.get("pool_slot", 1),
        "description": entry.get("pool_description") or "",
        "include_deferred": bool(entry.get("include_deferred", False)),
    }


def _connection(entry: dict[str, Any]) -> dict[str, Any]:
    given = {name: entry.get(name if name == "conn_type" else f"conn_{name}") for name in _CONNECTION_FIELDS}
    return {name: value for name, value in given.items() if value not in (None, "")}
