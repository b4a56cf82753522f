"""What the published table feeds, who watches it, and how long everything is kept."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from hourglass.config.rules import EMAIL
from hourglass.config.types import Duration, Strict, misplaced

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class FeatureSet(Strict):
    """One feature set: a query whose rows go to Bigtable."""

    name: Identifier = Field(
        description="The query is `include/sql/features/NAME.sql`, the Bigtable column family `NAME`."
    )
    mode: Literal["upsert", "snapshot"] = Field(
        "upsert",
        description="`upsert`: a push writes the entities of its partition. `snapshot`: it writes all entities, "
        "which readers see all at once when the push has ended.",
    )
    versions: int = Field(
        1,
        ge=1,
        le=1000,
        description="How many partitions share a row in Bigtable: the family's versions of a cell.",
    )
    top: int | None = Field(None, ge=1, description="How many items of a list are kept, such as `100`.")
    keep: Duration = Field(
        timedelta(days=90),
        description="In upsert mode: features older than this, counted from the newest push, are removed.",
    )
    spark_above: int = Field(
        1_000_000,
        ge=0,
        description="With more rows than this a push is a Spark job; with fewer it runs in the worker.",
    )

    def __str__(self) -> str:
        return self.name

    @model_validator(mode="after")
    def _a_snapshot_has_one_version(self) -> Self:
        if self.mode == "snapshot" and self.versions != 1:
            raise misplaced("versions", "a snapshot keeps one version; leave out `versions`")
        return self


class _NameAlone:
    """Says in the JSON Schema that a set may be its name alone."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": r"^[a-z][a-z0-9_]*$"}, handler(core)]}


_NAME_ALONE = BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value)


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
    feature_sets: list[Annotated[FeatureSet, _NAME_ALONE, _NameAlone]] = Field(
        [],
        description="What is pushed to Bigtable: names, or what is written below "
        "[a feature set](#feature-sets).",
    )
    third_party_api: bool = Field(
        False, description="A view `api.SOURCE` of what is classified public, or not classified."
    )
    reporting: bool = Field(
        False, description="A view `reporting.SOURCE` without what is classified pii or restricted."
    )
    ml_features: bool = Field(
        False,
        description="A view `ml.SOURCE` without what is classified pii or restricted, the latest row of each "
        "deduplication key.",
    )


class QuarantineLimit(Strict):
    """How much of a partition may be quarantined before the gate stops it; both must be exceeded."""

    rate: float = Field(0.05, ge=0, le=1, description="The share of the lines read, such as `0.05`.")
    rows: int = Field(100, ge=0, description="The number of lines.")


class Monitoring(Strict):
    """When the source is late or odd, and who hears of it."""

    sla_minutes: int = Field(
        120,
        ge=1,
        description="How long after its end a partition should be published. Read and checked; nothing acts on "
        "it yet.",
    )
    alert_email: str | None = Field(None, description="Who hears of it.")
    slack: Annotated[str, StringConstraints(pattern=r"^#\S{1,79}$")] | None = Field(
        None, description='The Slack channel that hears of it, in quotes: `"#data-alerts"`.'
    )
    pagerduty: str | None = Field(None, description="The PagerDuty service that is called.")
    volume_tolerance: float | None = Field(
        0.1,
        gt=0,
        description="How far a partition's rows may lie from those of the same hour in the previous weeks, as a "
        "fraction; judged from seven days of history on. `null`: never judged.",
    )
    volume_severity: Literal["critical", "warning"] = Field(
        "warning",
        description="What a number of rows beyond that does: `warning` is recorded and notified, `critical` stops "
        "the partition at the gate.",
    )
    quarantine: QuarantineLimit = Field(
        QuarantineLimit(),
        description="The gate stops a partition of which more is quarantined: more than `rows` lines, and more "
        "than the share `rate` of all. By default 100 and 0.05.",
    )
    metrics: list[str] = Field([], description="What to measure. Read and checked; nothing acts on it yet.")

    @field_validator("alert_email")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        if address is not None and not re.match(EMAIL, address):
            raise ValueError(f"{address!r} is not an e-mail address; write one such as team@example.com")
        return address


class StorageClasses(Strict):
    """Until which age an object stays in each storage class; after the last one it is deleted."""

    standard: Duration | None = Field(None, description="Until this age in Standard, such as `90d`.")
    nearline: Duration | None = Field(None, description="Then until this age in Nearline, such as `365d`.")
    coldline: Duration | None = Field(None, description="Then until this age in Coldline, such as `2555d`.")
    archive: Duration | None = Field(None, description="Then until this age in Archive.")

    @model_validator(mode="after")
    def _ages_increase(self) -> Self:
        ages = [(name, age) for name, age in self if age is not None]
        for (warmer, earlier), (colder, later) in pairwise(ages):
            if later <= earlier:
                message = f"an object is in {colder} after it was in {warmer}; give {colder} a greater age"
                raise misplaced(colder, message)
        return self

    def ages(self) -> dict[str, timedelta]:
        """The classes that are used, from warm to cold, each with the age at which it ends."""
        return {name: age for name, age in self if age is not None}


class Retention(Strict):
    """How long everything is kept."""

    published: Duration = Field(
        timedelta(days=400),
        description="Partition expiry of the published tables, from the partition's own time. At most 412 "
        "days, since a table has at most 10,000 partitions.",
    )
    candidate: Duration = Field(timedelta(days=3), description="How long a candidate table stays.")
    bronze: StorageClasses | None = Field(
        None,
        description="Storage classes of the raw objects and their ages. By default the bucket's own rules.",
    )
    silver: StorageClasses | None = Field(
        None, description="Storage classes of the Iceberg table's files and their ages. The same default."
    )
    gold: Duration | None = Field(
        None, description="Partition expiry of `gold.SOURCE`. By default that of the published tables."
    )

    @field_validator("published", "gold")
    @classmethod
    def _fits_bigquery(cls, kept: timedelta | None) -> timedelta | None:
        # BigQuery allows 10,000 partitions a table; 400 days of hours are 9,600.
        if kept is not None and kept > timedelta(hours=9_900):
            raise ValueError("that is at most 412d: an hourly table may have 10,000 partitions at most")
        return kept
