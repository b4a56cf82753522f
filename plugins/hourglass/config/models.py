"""The shape of a source's YAML file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from hourglass.config import path_template
from hourglass.config.rules import Rule
from hourglass.config.schema import FieldName, FieldType
from hourglass.config.types import Duration, Strict
from hourglass.partition import Completeness, Grain

# 30 characters leave room for hour, hash and attempt in Dataproc's 63 characters of a batch id.
SourceId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
GRAINS = {"0 * * * *": Grain.HOUR, "@hourly": Grain.HOUR, "0 0 * * *": Grain.DAY, "@daily": Grain.DAY}


class CompletenessRule(Strict):
    """When a partition is complete."""

    close_after: Duration = timedelta(minutes=10)
    settle: Duration = timedelta(minutes=2)
    min_files: Annotated[int, Field(ge=1)] = 1
    marker: str | None = None


class Ingestion(Strict):
    """Where the source lands, how often, and in what format."""

    pattern: Literal["batch_file"]
    location: Annotated[str, StringConstraints(pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/(.*/)?$")]
    schedule: str
    format: Literal["json"]
    compression: Literal["gzip", "none"] = "none"
    path_template: str | None = None
    start_date: date = date(2015, 1, 1)
    completeness: CompletenessRule = CompletenessRule()
    late_window: Duration = timedelta(hours=4)
    on_empty: Literal["fail", "skip", "accept"] = "fail"

    @field_validator("start_date", mode="before")
    @classmethod
    def _read_date(cls, value: object) -> object:
        return date.fromisoformat(value) if isinstance(value, str) else value

    @field_validator("schedule")
    @classmethod
    def _schedule_has_a_grain(cls, schedule: str) -> str:
        if schedule not in GRAINS:
            raise ValueError(
                f"schedule {schedule!r} is not supported; write one of {', '.join(map(repr, GRAINS))}"
            )
        return schedule

    @field_validator("late_window")
    @classmethod
    def _late_window_is_at_most_a_week(cls, window: timedelta) -> timedelta:
        if window > timedelta(days=7):
            raise ValueError("late_window is at most 7d, because the sweeper lists every partition inside it")
        return window

    @model_validator(mode="after")
    def _template_fits_the_grain(self) -> Self:
        if self.path_template is not None:
            path_template.resolve(self.path_template, self.grain)
        return self

    @property
    def grain(self) -> Grain:
        """The length of the source's partitions."""
        return GRAINS[self.schedule]

    @property
    def completeness_rule(self) -> Completeness:
        """The completeness rule as the domain knows it."""
        return Completeness(
            **self.completeness.model_dump(), give_up_after=self.late_window, on_empty=self.on_empty
        )


class SchemaReference(Strict):
    """Which schema the source's lines follow, and how strictly."""

    file: str
    validation: Literal["strict"] = "strict"
    evolution: Literal["backward_compatible", "none"] = "backward_compatible"
    unknown_fields: Literal["keep", "quarantine"] = "keep"
    event_time: str | None = None
    max_lateness: Duration = timedelta(days=7)
    max_ahead: Duration = timedelta(minutes=5)


class Deduplication(Strict):
    """The fields that identify an event."""

    key: Annotated[list[str], Field(min_length=1)]


class DataQuality(Strict):
    """Row-level rules; a row that breaks one is quarantined with the rule's name."""

    rules: list[Rule]


class Enrichment(Strict):
    """One added column."""

    name: FieldName
    type: FieldType
    expression: str
    description: str = ""


class BronzeToSilverStep(Strict):
    """One step of bronze_to_silver; exactly one key."""

    deduplication: Deduplication | None = None
    data_quality: DataQuality | None = None
    enrichment: list[Enrichment] | None = None

    @model_validator(mode="after")
    def _is_one_step(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a step has exactly one key, this one has {len(given)}; start a new list item for each"
            )
        return self


class Processing(Strict):
    """What happens between the layers."""

    bronze_to_silver: list[BronzeToSilverStep] = []


class Serving(Strict):
    """What the published table feeds."""

    cluster_by: Annotated[list[str], Field(max_length=4)] = []
    materialized_views: list[Identifier] = []
    feature_sets: list[Identifier] = []


class Monitoring(Strict):
    """When the source is late, and who hears of it."""

    sla_minutes: Annotated[int, Field(ge=1)] = 120
    alert_email: str | None = None
    metrics: list[str] = []


class Retention(Strict):
    """How long the warehouse keeps the source."""

    published: Duration = timedelta(days=400)
    candidate: Duration = timedelta(days=3)

    @field_validator("published")
    @classmethod
    def _fits_bigquery(cls, kept: timedelta) -> timedelta:
        # BigQuery allows 10,000 partitions a table; 400 days of hours are 9,600.
        if kept > timedelta(hours=9_900):
            raise ValueError("published is at most 412d: an hourly table may have 10,000 partitions at most")
        return kept


class SourceFile(Strict):
    """A whole source file."""

    source_id: SourceId
    display_name: str
    description: str
    owner: str = "data-platform"
    ingestion: Ingestion
    schema_: Annotated[SchemaReference, Field(alias="schema")]
    processing: Processing = Processing()
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    retention: Retention = Retention()
    runbook: str | None = None

    def steps(self, kind: str) -> list[BronzeToSilverStep]:
        """The bronze_to_silver steps of one kind, in order."""
        return [s for s in self.processing.bronze_to_silver if getattr(s, kind) is not None]

    @property
    def deduplication_key(self) -> list[str]:
        """The fields that identify an event; empty when the source is not deduplicated."""
        steps = [s.deduplication for s in self.steps("deduplication") if s.deduplication]
        return steps[-1].key if steps else []

    @property
    def rules(self) -> list[Rule]:
        """All row-level rules, in order."""
        return [r for s in self.steps("data_quality") if s.data_quality for r in s.data_quality.rules]

    @property
    def enrichments(self) -> list[Enrichment]:
        """All added columns, in order."""
        return [e for s in self.steps("enrichment") for e in s.enrichment or []]
