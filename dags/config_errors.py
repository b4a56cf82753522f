"""Shows what is wrong in include/sources/ or dbt's manifest as an Airflow import error; other DAGs run."""

from hourglass.config import ConfigError, Platform, load_once
from hourglass.config.dbt_manifest import stale_models, stale_warehouse

include = Platform.from_env().include
loaded = load_once(include)
stale = stale_models(include, [source.id for source in loaded.sources])
daily = stale_warehouse(include, "hourglass_daily")
if problems := [*loaded.problems, *(problem for found in stale.values() for problem in found), *daily]:
    raise ConfigError(problems) from None
