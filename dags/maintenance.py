"""The DAGs that run beside the sources': Airflow DAGs that sweep every quarter of an hour and clean up every day."""

from hourglass.config import Platform
from hourglass.maintenance import build_housekeeping, build_sweeper

platform = Platform.from_env()
sweeper = build_sweeper(platform)
housekeeping = build_housekeeping(platform)
