"""Source files to validated objects, with errors that name line and column. Imports no Airflow."""

from hourglass.config.errors import ConfigError, Problem
from hourglass.config.loader import Loaded, load_source, load_sources
from hourglass.config.once import collector_paused, load_once
from hourglass.config.platform import Platform
from hourglass.config.source import Source, digest

__all__ = [
    "ConfigError",
    "Loaded",
    "Platform",
    "Problem",
    "Source",
    "collector_paused",
    "digest",
    "load_once",
    "load_source",
    "load_sources",
]
