"""The one file that Airflow imports from plugins/; see .airflowignore."""

from hourglass.airflow_plugin import HourglassPlugin

__all__ = ["HourglassPlugin"]
