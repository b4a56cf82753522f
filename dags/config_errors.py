"""Shows what is wrong in include/sources/ as an Airflow import error, while every sound source's DAG runs."""

from hourglass.config import ConfigError, Platform, load_once

if problems := load_once(Platform.from_env().include).problems:
    raise ConfigError(problems) from None
