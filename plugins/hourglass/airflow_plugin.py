"""What Hourglass adds to Airflow itself: the macro that names a run's partition."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from jinja2 import pass_context

from hourglass.partition import Grain
from hourglass.run import partition_of


@pass_context
def key(context: Any, grain: str = "hour") -> str:
    """The key of the run's partition, for templates: `{{ macros.hourglass.key() }}`.

    Args:
        context: Airflow's template context, given by Jinja.
        grain: The grain of the DAG's partitions: hour, day, or the source's schedule.
    """
    return partition_of(context, Grain.of(grain)).key


class HourglassPlugin(AirflowPlugin):
    """Registers the macro as `macros.hourglass.key`."""

    name = "hourglass"
    macros = [key]  # noqa: RUF012 (the base class declares it)
