"""What the warm interpreter has imported before it forks: everything that a run of a source's DAG needs.

It starts no thread and opens no connection, so that its children can be forked at any time.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "airflow.settings",
    "airflow.models.backfill",
    "airflow.models.dagrun",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.manager",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.api_fastapi.execution_api.app",
    "airflow.providers.google.cloud.hooks.bigquery",
    "airflow.providers.google.cloud.hooks.bigtable",
    "airflow.providers.google.cloud.hooks.gcs",
    "airflow.providers.google.cloud.operators.bigquery",
    "airflow.providers.google.cloud.operators.dataproc",
    "airflow.providers.google.cloud.triggers.bigquery",
    "airflow.providers.google.cloud.triggers.dataproc",
    "cosmos.operators.local",
    "cosmos.airflow.graph",
    "dbt.cli.main",
    "dbt.adapters.bigquery",
    "dbt.task.build",
    "google.cloud.bigquery",
    "google.cloud.bigtable",
    "google.cloud.bigtable_v2",
    "google.cloud.dataproc_v1",
    "google.cloud.storage",
    "great_expectations",
    "great_expectations.expectations.core",
    "pandas",
    "pyarrow.parquet",
    "sqlalchemy_bigquery",
    "tests.chaos.scheduler",
)


def load() -> None:
    """Import everything, and let Airflow read its configuration and its plugins."""
    sys.path[:0] = [p for p in (str(ROOT), str(ROOT / "plugins")) if p not in sys.path]
    for name in MODULES:
        importlib.import_module(name)
    from airflow import settings
    from airflow.plugins_manager import ensure_plugins_loaded, integrate_macros_plugins

    settings.initialize()
    ensure_plugins_loaded()
    integrate_macros_plugins()
    settings.dispose_orm()
    asyncio.run(_warm_execution_api())
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(30)  # the request's own worker ends a little later than its loop
    if threading.active_count() > 1:
        raise RuntimeError(f"threads would be lost in a fork: {threading.enumerate()}")


async def _warm_execution_api() -> None:
    """Let the API that tasks speak to make its versions, which it does at its first request and takes seconds."""
    import httpx
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    transport = in_process_api_server().atransport
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process.invalid") as client:
        (await client.get("/health")).raise_for_status()


# The fork server imports this module by its name; anybody else who does has no Airflow to load.
if "HOURGLASS_WARM" in os.environ:
    with Path(os.environ["HOURGLASS_WARM"]).open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        load()
    except BaseException:  # the fork server would go on without what is missing, and say nothing
        traceback.print_exc()
        os._exit(1)
    os.ftruncate(1, 0)  # hundreds of lines of libraries that were imported
