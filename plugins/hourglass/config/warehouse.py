"""include/warehouse.yaml: when the daily DAG begins, and what it does beside dbt's models."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from hourglass.config.document import read_document
from hourglass.config.errors import ConfigError
from hourglass.config.explain import problems_of
from hourglass.config.serving import FeatureSet, Identifier
from hourglass.config.types import Duration, Strict

WAREHOUSE_FILE = "warehouse.yaml"
_REFERENCE = "warehouse.md#warehouse-file"
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip


class Awaiting(Strict):
    """When the daily DAG begins."""

    share: float = Field(
        1.0, gt=0, le=1, description="The share of the day's partitions without which the day fails."
    )
    give_up_after: Duration = Field(
        timedelta(hours=12), description="How long after the day's end the rest is waited for."
    )


class Exports(Strict):
    """The weekly copy of the marts for recovery."""

    weekday: Weekday = Field("sunday", description="The day whose run copies the week that ends with it.")


class WarehouseFile(Strict):
    """The daily DAG's settings."""

    owner: str = Field("data-platform", min_length=1, description="Whose the DAG's tasks are.")
    alert_email: str | None = Field(None, description="Who hears of a task that failed for good.")
    wait: Awaiting = Field(default_factory=Awaiting, description="When the day begins.")
    materialized_views: list[Identifier] = Field(
        default_factory=list,
        description="Each is `include/sql/materialized_views/NAME.sql`, refreshed after the models, in the pool "
        "`mv_NAME`, when a table that it reads has changed.",
    )
    feature_sets: list[FeatureSet] = Field(
        default_factory=list, description="What is pushed to Bigtable after the models."
    )
    exports: Exports = Field(default_factory=Exports, description="The weekly copy.")


def has_warehouse(include: Path) -> bool:
    """Whether the deployment has a daily DAG: one that only carries sources has no file of its settings.

    Args:
        include: The include folder.
    """
    return (include / WAREHOUSE_FILE).is_file()


def load_warehouse(include: Path) -> WarehouseFile:
    """Read the settings.

    Args:
        include: The include folder.

    Raises:
        ConfigError: The file is missing or wrong; every mistake with its line and column.
    """
    document = read_document(include / WAREHOUSE_FILE)
    document.anchor = _REFERENCE
    try:
        return WarehouseFile.model_validate(document.data)
    except ValidationError as error:
        found = problems_of(error, document, WarehouseFile, lambda _: _REFERENCE)
        raise ConfigError(problem for _, problem in found) from None
