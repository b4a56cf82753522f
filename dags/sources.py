"""Every sound file in include/sources/ as an Airflow DAG."""

# Airflow's DAG processor pre-imports the modules that a DAG file names literally, once for all parses.
import airflow.providers.google.cloud.operators.bigquery
import airflow.providers.google.cloud.operators.dataproc  # noqa: F401

from hourglass.config import Platform, load_once
from hourglass.dag import build_dags

platform = Platform.from_env()
globals().update(build_dags(load_once(platform.include).sources, platform))
