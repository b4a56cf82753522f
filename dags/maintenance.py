"""The DAGs that run beside the sources': an Airflow DAG that sweeps for late and replaced files."""

from hourglass.config import Platform
from hourglass.maintenance import build_sweeper

sweeper = build_sweeper(Platform.from_env())
