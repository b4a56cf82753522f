"""What happens between the layers: the steps of bronze_to_silver and silver_to_gold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from hourglass.config.metrics import parse_metric
from hourglass.config.rules import Rule
from hourglass.config.schema import FieldName, FieldType
from hourglass.config.types import Strict


def _metric(text: str) -> str:
    parse_metric(text)
    return text


Names = Annotated[list[str], Field(min_length=1)]
MetricText = Annotated[str, AfterValidator(_metric)]
JoinedTable = Annotated[str, StringConstraints(pattern=r"^((gold|silver)\.)?[a-z_][a-z0-9_]*$")]


def _one_key(value: Any) -> Any:
    given = len(value) if isinstance(value, dict) else 1
    if given != 1:
        raise ValueError(f"a step has exactly one key, this one has {given}; start a new list item for each")
    return value


class Deduplication(Strict):
    """The fields that identify an event."""

    key: Names = Field(description="The fields that identify an event.")


class DataQuality(Strict):
    """Rules; a row that breaks a critical one is quarantined with the rule's name."""

    rules: list[Rule] = Field(description="The rules, in order.")


class Enrichment(Strict):
    """One added column."""

    name: FieldName = Field(description="The added column.")
    type: FieldType = Field(description="Its type, as in the schema file; not RECORD.")
    expression: str = Field(description="Spark SQL over the schema's fields and earlier enrichments.")
    description: str = Field("", description="The column's description in BigQuery.")


class Pii(Strict):
    """What is done to personal data before it is written to silver."""

    hash: list[str] = Field([], description="STRING fields that become the SHA-256 of their value.")
    mask: list[str] = Field([], description="STRING fields of which only the outline stays.")
    drop: list[str] = Field([], description="Fields that become NULL.")

    def methods(self) -> list[tuple[str, str]]:
        """Every field with its method, in order: hash, mask, drop."""
        chosen = (("hash", self.hash), ("mask", self.mask), ("drop", self.drop))
        return [(name, method) for method, names in chosen for name in names]


class BronzeToSilverStep(Strict):
    """One step of bronze_to_silver; exactly one key."""

    deduplication: Deduplication | None = Field(
        None,
        description="`key`: the fields that identify an event. Within a partition the first wins, by "
        "object name, then line number; the others are counted as duplicates. At most one such step.",
    )
    data_quality: DataQuality | None = Field(
        None,
        description="`rules`: a list of checks. A row that breaks a row-level one is quarantined with the "
        "rule's name.",
    )
    enrichment: list[Enrichment] | None = Field(
        None, description="Added columns, in order; a later one may use an earlier one."
    )
    pii: Pii | None = Field(
        None,
        description="What is done to personal data, last of all steps: it holds for silver and everything "
        "after it. The raw objects and the quarantined lines keep what they have.",
    )

    _is_one_step = model_validator(mode="before")(_one_key)


class Join(Strict):
    """Columns of another table, by equal keys."""

    table: JoinedTable = Field(
        description="`gold.NAME`, `silver.NAME` or a seed's name. What another source produces is a dependency."
    )
    on: Annotated[
        Names,
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    ] = Field(description="The field, or the list of fields, that both have.")
    type: Literal["left", "inner"] = Field(
        "left", description="`left` keeps rows without a partner, `inner` leaves them out."
    )


class Aggregate(Strict):
    """One row for each group."""

    group_by: Names = Field(
        description="Fields, or parts of the event's time: `date`, `hour`, and `window` with a `window_size`."
    )
    metrics: Annotated[list[MetricText], Field(min_length=1)] = Field(
        description='What to compute, such as `"sum(amount) as total_amount"`. See below.'
    )

    @field_validator("metrics")
    @classmethod
    def _have_names_of_their_own(cls, metrics: list[str]) -> list[str]:
        aliases = [parse_metric(text).alias for text in metrics]
        if twice := next((name for name in aliases if aliases.count(name) > 1), None):
            raise ValueError(f"two metrics are named {twice!r}; give one another name")
        return metrics


class SilverToGoldStep(Strict):
    """One step of silver_to_gold; exactly one key."""

    join: Join | None = Field(None, description="`table`, `on` and `type`: adds another table's columns.")
    aggregate: Aggregate | None = Field(
        None, description="`group_by` and `metrics`: one row for each group. At most one such step."
    )

    _is_one_step = model_validator(mode="before")(_one_key)


class Processing(Strict):
    """What happens between the layers."""

    bronze_to_silver: list[BronzeToSilverStep] = Field(
        [], description="The steps of the refine job, in order."
    )
    silver_to_gold: list[SilverToGoldStep] = Field(
        [], description="The steps from the published table to `gold.SOURCE`, in order."
    )

    @field_validator("silver_to_gold")
    @classmethod
    def _aggregates_once(cls, steps: list[SilverToGoldStep]) -> list[SilverToGoldStep]:
        if sum(step.aggregate is not None for step in steps) > 1:
            raise ValueError(
                "there is a second aggregate; a gold table has one; write the other as a dbt model"
            )
        return steps
