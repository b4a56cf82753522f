"""The shape of a source's YAML file. The descriptions are the reference's, and what editors show."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hourglass.config.patterns import EventStreaming, Ingestion
from hourglass.config.processing import Aggregate, BronzeToSilverStep, Enrichment, Processing
from hourglass.config.rules import Rule
from hourglass.config.serving import Monitoring, Retention, Serving
from hourglass.config.types import Duration, Strict

# 30 characters leave room for start, hash and attempt in Dataproc's 63 characters of a batch id.
SourceId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")]


class SchemaReference(Strict):
    """Which schema the source's lines follow, and how strictly."""

    file: str = Field(
        description="The schema file, below `include/`: `schemas/SOURCE/1.0.json`, or `schemas/NAME.json` when "
        "there are no versions."
    )
    validation: Literal["strict", "permissive"] = Field(
        "strict",
        description="`strict`: a line that does not fit the schema is quarantined. `permissive`: a value that "
        "does not fit a NULLABLE field becomes NULL, stays in `unknown_fields`, and is counted.",
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
    monitoring: Monitoring = Field(Monitoring(), description="When it is late or odd.")
    retention: Retention = Field(Retention(), description="How long everything is kept.")
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
        """All rules, in order."""
        return [r for s in self.steps("data_quality") if s.data_quality for r in s.data_quality.rules]

    @property
    def row_rules(self) -> list[Rule]:
        """The rules that judge a row by itself, in order: the refine job's."""
        return [r for r in self.rules if not r.set_level]

    @property
    def set_rules(self) -> list[Rule]:
        """The rules that judge a partition as a whole, in order: the gate's."""
        return [r for r in self.rules if r.set_level]

    @property
    def enrichments(self) -> list[Enrichment]:
        """All added columns, in order."""
        return [e for s in self.steps("enrichment") for e in s.enrichment or []]

    @property
    def pii(self) -> list[tuple[str, str]]:
        """What is done to personal data: fields and methods (hash, mask, drop), in order."""
        return [pair for s in self.steps("pii") if s.pii for pair in s.pii.methods()]

    @property
    def aggregate(self) -> Aggregate | None:
        """The one aggregate of silver_to_gold."""
        steps = [s.aggregate for s in self.processing.silver_to_gold if s.aggregate]
        return steps[0] if steps else None

    @property
    def window_size(self) -> timedelta | None:
        """The length of `window` in silver_to_gold."""
        return self.ingestion.window_size if isinstance(self.ingestion, EventStreaming) else None
