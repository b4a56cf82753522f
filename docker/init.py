"""Prepare a new cloud in containers: Airflow's database, pools and connections, buckets, the sample hours."""

from __future__ import annotations

import os
from pathlib import Path

from local import airflow_setup
from local.environment import BUCKETS
from local.landing import land
from local.parts import make_buckets

ROOT = Path("/opt/hourglass")
SOURCE = "github"
HOURS = ("2021-07-21T06", "2021-07-21T07")


def main() -> None:
    """Do each step; all of them may be repeated."""
    airflow_setup.main(ROOT / "airflow_settings.yaml")
    make_buckets(os.environ["STORAGE_EMULATOR_HOST"], BUCKETS)
    for key in HOURS:
        day, hour = key.split("T")
        year, month, date = day.split("-")
        folder = ROOT / f"include/samples/{SOURCE}/year={year}/month={month}/day={date}/hour={hour}"
        land(SOURCE, key, sorted(folder.glob("*.json.gz")), ROOT / "include")


if __name__ == "__main__":
    main()
