"""What is built of all sources together: an Airflow DAG that waits for the day in the ledger."""

from hourglass.config import Platform, load_once
from hourglass.config.dbt_manifest import stale_warehouse
from hourglass.warehouse import DAILY_DAG, build_daily

platform = Platform.from_env()
if not stale_warehouse(platform.include, DAILY_DAG):  # dags/config_errors.py names them
    daily = build_daily(load_once(platform.include).sources, platform)
