"""What is built of all sources together: an Airflow DAG that waits for the day in the ledger."""

from hourglass.config import Platform, load_once
from hourglass.config.dbt_manifest import stale_warehouse
from hourglass.config.warehouse import has_warehouse
from hourglass.warehouse import DAILY_DAG, build_daily

platform = Platform.from_env()
# An include folder without that file has sources alone; of stale models dags/config_errors.py tells.
if has_warehouse(platform.include) and not stale_warehouse(platform.include, DAILY_DAG):
    daily = build_daily(load_once(platform.include).sources, platform)
