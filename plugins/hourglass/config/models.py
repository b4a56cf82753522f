"""The shape of a source's YAML file. The descriptions are the reference's, and what editors show."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, WithJsonSchema, field_validator, model_validator

from hourglass.config import path_template
from hourglass.config.cron import GRAINS, check_schedule
from hourglass.config.rules import EMAIL, Rule
from hourglass.config.schema import FieldName, FieldType
from hourglass.config.types import Duration, Strict, misplaced
from hourglass.partition import Completeness, Grain

# 30 characters leave room for hour, hash and attempt in Dataproc's 63 characters of a batch id.
SourceId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Schedule = Annotated[str, WithJsonSchema({"type": "string", "enum": list(GRAINS)})]
Day = Annotated[date, WithJsonSchema({"type": "string", "format": "date", "examples": ["2021-07-21"]})]


class CompletenessRule(Strict):
    """When a partition is complete."""

    close_after: Duration = Field(
        timedelta(minutes=10), description="How long after its end the partition may be closed."
    )
    settle: Duration = Field(timedelta(minutes=2), description="How old the newest object must be.")
    min_files: int = Field(1, ge=1, description="How many objects a complete partition has at least.")
    marker: str | None = Field(
        None,
        description="Base name of an object, such as `_SUCCESS`, that completes the partition at once. "
        "It is not read as data.",
    )


class Ingestion(Strict):
    """Where the source lands, how often, and in what format."""

    pattern: Literal["batch_file"] = Field(description="Files that land in a bucket.")
    location: Annotated[
        str, StringConstraints(pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/(.*/)?$")
    ] = Field(description="`gs://bucket/prefix/`, with `/` at the end. One location belongs to one source.")
    path_template: str | None = Field(
        None,
        description="Below the location: `hive` is `year=YYYY/month=MM/day=DD/hour=hh/`, `plain` is "
        "`YYYY/MM/DD/hh/`; a path of your own uses those tokens and ends with `/`. Without one, an object "
        "belongs to the partition in which it was created.",
    )
    schedule: Schedule = Field(description="Hourly or daily partitions, in UTC. Put it into quotes.")
    format: Literal["json"] = Field(description="JSON lines, one event a line.")
    compression: Literal["gzip", "none"] = Field(
        "none", description="Must fit the objects' names (`.gz` or not)."
    )
    start_date: Day = Field(date(2015, 1, 1), description="No partition before it is run.")
    completeness: CompletenessRule = Field(CompletenessRule(), description="When a partition is complete.")
    late_window: Duration = Field(
        timedelta(hours=4),
        description="How long after the partition's end the DAG waits for missing files before it fails. "
        "At most `7d`.",
    )
    on_empty: Literal["fail", "skip", "accept"] = Field(
        "fail",
        description="What a closed partition without objects means. `fail`: wait for the late window, then "
        "fail. `skip`: no run of the other stages. `accept`: publish an empty partition.",
    )

    @field_validator("start_date", mode="before")
    @classmethod
    def _read_date(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a date; write one such as 2021-07-21") from None

    @field_validator("schedule")
    @classmethod
    def _schedule_has_a_grain(cls, schedule: str) -> str:
        check_schedule(schedule)
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
            try:
                path_template.resolve(self.path_template, self.grain)
            except ValueError as error:
                raise misplaced("path_template", str(error)) from None
        return self

    @property
    def grain(self) -> Grain:
        """The length of the source's partitions."""
        return GRAINS[self.schedule]

    @property
    def landing(self) -> str:
        """The part of the bucket that belongs to the source, tokens of the clock not filled in."""
        if self.path_template is None:
            return self.location
        return self.location + path_template.resolve(self.path_template, self.grain)

    @property
    def completeness_rule(self) -> Completeness:
        """The completeness rule as the domain knows it."""
        return Completeness(
            **self.completeness.model_dump(), give_up_after=self.late_window, on_empty=self.on_empty
        )


class SchemaReference(Strict):
    """Which schema the source's lines follow, and how strictly."""

    file: str = Field(description="The schema file, below `include/`, such as `schemas/SOURCE/1.0.json`.")
    validation: Literal["strict"] = Field(
        "strict", description="A line that does not fit the schema is quarantined."
    )
    evolution: Literal["backward_compatible", "none"] = Field(
        "backward_compatible",
        description="Whether a version that breaks the one before it (drops or retypes a field, or adds a "
        "REQUIRED one) is refused. `none`: it is not.",
    )
    unknown_fields: Literal["keep", "quarantine"] = Field(
        "keep",
        description="Fields that the schema does not name: kept as JSON in the column `unknown_fields`, or a "
        "reason to quarantine the line.",
    )
    event_time: str | None = Field(
        None, description="The field with the event's own time; TIMESTAMP or DATE. Default: see below."
    )
    max_lateness: Duration = Field(
        timedelta(days=7),
        description="An event older than this before the partition's start is quarantined "
        "(`event_time_out_of_range`).",
    )
    max_ahead: Duration = Field(
        timedelta(minutes=5), description="The same for an event that lies after the partition's end."
    )


class Deduplication(Strict):
    """The fields that identify an event."""

    key: Annotated[list[str], Field(min_length=1)] = Field(description="The fields that identify an event.")


class DataQuality(Strict):
    """Row-level rules; a row that breaks one is quarantined with the rule's name."""

    rules: list[Rule] = Field(description="The rules, in order.")


class Enrichment(Strict):
    """One added column."""

    name: FieldName = Field(description="The added column.")
    type: FieldType = Field(description="Its type, as in the schema file; not RECORD.")
    expression: str = Field(description="Spark SQL over the schema's fields and earlier enrichments.")
    description: str = Field("", description="The column's description in BigQuery.")


class BronzeToSilverStep(Strict):
    """One step of bronze_to_silver; exactly one key."""

    deduplication: Deduplication | None = Field(
        None,
        description="`key`: the fields that identify an event. Within a partition the first wins, by "
        "object name, then line number; the others are counted as duplicates. At most one such step.",
    )
    data_quality: DataQuality | None = Field(
        None,
        description="`rules`: a list of row-level checks. A row that breaks one is quarantined with the "
        "rule's name.",
    )
    enrichment: list[Enrichment] | None = Field(
        None, description="Added columns, in order; a later one may use an earlier one."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_one_step(cls, value: Any) -> Any:
        given = len(value) if isinstance(value, dict) else 1
        if given != 1:
            raise ValueError(
                f"a step has exactly one key, this one has {given}; start a new list item for each"
            )
        return value


class Processing(Strict):
    """What happens between the layers."""

    bronze_to_silver: list[BronzeToSilverStep] = Field([], description="The steps, in order.")


class Serving(Strict):
    """What the published table feeds."""

    cluster_by: Annotated[list[str], Field(max_length=4)] = Field(
        [], description="Clustering of the published table: up to 4 columns."
    )
    materialized_views: list[Identifier] = Field(
        [],
        description="Each is `include/sql/materialized_views/NAME.sql`, refreshed after every partition in "
        "the pool `mv_NAME`.",
    )
    feature_sets: list[Identifier] = Field(
        [],
        description="Each is `include/sql/features/NAME.sql`, pushed to the Bigtable column family `NAME`.",
    )
    third_party_api: Literal[False] = Field(False, description="Only false in this version.")
    reporting: Literal[False] = Field(False, description="Only false in this version.")
    ml_features: Literal[False] = Field(False, description="Only false in this version.")


class Monitoring(Strict):
    """When the source is late, and who hears of it."""

    sla_minutes: int = Field(120, ge=1, description="How long after its end a partition should be published.")
    alert_email: str | None = Field(None, description="Who hears of it.")
    metrics: list[str] = Field([], description="What to measure.")

    @field_validator("alert_email")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        if address is not None and not re.match(EMAIL, address):
            raise ValueError(f"{address!r} is not an e-mail address; write one such as team@example.com")
        return address


class Retention(Strict):
    """How long the warehouse keeps the source."""

    published: Duration = Field(
        timedelta(days=400),
        description="Partition expiry of the published tables, from the partition's own time. At most 412 "
        "days, since a table has at most 10,000 partitions.",
    )
    candidate: Duration = Field(timedelta(days=3), description="How long a candidate table stays.")

    @field_validator("published")
    @classmethod
    def _fits_bigquery(cls, kept: timedelta) -> timedelta:
        # BigQuery allows 10,000 partitions a table; 400 days of hours are 9,600.
        if kept > timedelta(hours=9_900):
            raise ValueError("published is at most 412d: an hourly table may have 10,000 partitions at most")
        return kept


class SourceFile(Strict):
    """A whole source file."""

    source_id: SourceId = Field(
        description="The file's name without `.yaml`; also the DAG's id and the tables' name. Lower-case "
        "letters, digits, `_`; at most 30."
    )
    display_name: str = Field(description="The DAG's title in the UI.")
    description: str = Field(description="One or two sentences.")
    owner: str = Field("data-platform", description="The tasks' owner in Airflow.")
    ingestion: Ingestion = Field(description="Where it lands.")
    schema_: Annotated[SchemaReference, Field(alias="schema")] = Field(
        alias="schema", description="What its lines look like."
    )
    processing: Processing = Field(Processing(), description="What happens between the layers.")
    serving: Serving = Field(Serving(), description="What the published table feeds.")
    monitoring: Monitoring = Field(Monitoring(), description="When it is late.")
    retention: Retention = Field(Retention(), description="How long the warehouse keeps it.")
    runbook: str | None = Field(
        None, description="The source's own runbook: failure messages end with it and a heading."
    )

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
