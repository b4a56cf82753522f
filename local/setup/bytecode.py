"""Import what the product imports, so that Python compiles just that and every later start is quick.

Compiling all that is installed would take minutes: most of it are Google clients that nobody imports.
"""

from __future__ import annotations

import importlib

_MODULES = (
    "airflow.cli.cli_parser",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.db_command",
    "airflow.dag_processing.dagbag",
    "airflow.executors.local_executor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.api_fastapi.main",
    "airflow.sdk.definitions.dag",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.google.cloud.operators.bigquery",
    "airflow.providers.google.cloud.operators.dataproc",
    "airflow.providers.google.cloud.hooks.gcs",
    "airflow.providers.standard.operators.trigger_dagrun",
    "cosmos",
    "cosmos.operators.local",
    "dbt.cli.main",
    "dbt.adapters.bigquery",
    "great_expectations",
    "great_expectations.expectations.core",
    "google.cloud.bigtable",
    "google.cloud.bigtable.data",
    "google.cloud.storage",
    "google.cloud.bigquery",
    "google.cloud.dataproc_v1",
    "sqlalchemy_bigquery",
    "pandas",
    "pytest",
    "hypothesis",
    "rich.console",
    "supervisor.supervisord",
)


def main() -> None:
    """Import every module; what does not import here will say so where it is used."""
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:  # what only saves time must not fail the set-up
            print(f"{name}: {error}")


if __name__ == "__main__":
    main()
