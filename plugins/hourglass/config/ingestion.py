"""Where a source lands, how often and in what format: the keys that every pattern has."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, WithJsonSchema, field_validator, model_validator

from hourglass.config import path_template
from hourglass.config.cron import check_schedule
from hourglass.config.types import Duration, Strict, misplaced
from hourglass.partition import Completeness, Grain

Folder = Annotated[str, StringConstraints(pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/(.*/)?$")]
Day = Annotated[date, WithJsonSchema({"type": "string", "format": "date", "examples": ["2021-07-21"]})]
_OWN_COMPRESSION = ("parquet", "avro")
# What tasks of ours complete a partition with.
MARKER = "_SUCCESS"


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
        "It is not read as data. Default: `_SUCCESS` where a task of ours lands the objects (a polled API, a "
        "transfer), else none.",
    )


class CsvFormat(Strict):
    """How a CSV object is written."""

    header: bool = Field(True, description="Whether the first line of every object names the columns.")
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        ",", description="One character between two values."
    )
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        '"', description="One character around a value that holds the delimiter or a line break."
    )
    escape: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = Field(
        None, description="One character before a quote inside a value. By default the quote stands twice."
    )
    null_value: str = Field("", description="What stands for a value that is not there.")


class Landing(Strict):
    """The keys that every pattern has; the patterns say what they mean by default."""

    # What a pattern without a path template of its own means; None: objects by their creation time.
    default_template: ClassVar[str | None] = None

    pattern: str = Field(description="How the source's data gets into the bucket.")
    location: Folder | None = Field(
        None,
        description="`gs://bucket/prefix/`, with `/` at the end. One location belongs to one source. "
        "`batch_file` needs it; the default of the others is `gs://HOURGLASS_RAW_BUCKET/SOURCE/`.",
    )
    path_template: str | None = Field(
        None,
        description="Below the location: `hive` is `year=YYYY/month=MM/day=DD/hour=hh/`, `plain` is "
        "`YYYY/MM/DD/hh/`, as far down as the schedule needs (`minute=mm/` and `mm/` below an hour); a path "
        "of your own uses those tokens and ends with `/`. `{table}` stands for each of `tables`. Default: "
        "`hive` for `streaming_api` and `cloud_transfer`, `plain` for `event_streaming`, `{table}/plain` for "
        "`database_cdc`; for the others none: an object belongs to the partition in which it was created.",
    )
    schedule: str = Field(
        description="A cron expression of five fields in UTC, in quotes: each firing begins a partition, which "
        "the next one ends. Required for `batch_file` and `cloud_transfer`; the default of the others is "
        "hourly, of `bigquery_export` daily."
    )
    format: Literal["json", "csv", "parquet", "avro"] = Field(
        "json", description="`json` is JSON lines, one event a line."
    )
    multiline: bool = Field(False, description="With `json`: each object is one JSON array of events.")
    csv: CsvFormat | None = Field(None, description="With `csv`: how it is written.")
    compression: Literal["gzip", "none"] = Field(
        "none",
        description="Must fit the objects' names (`.gz` or not). `parquet` and `avro` compress inside.",
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
        "fail. `skip`: no run of the other stages; it fails if there were objects before, whose rows would stay. "
        "`accept`: publish an empty partition.",
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
    def _schedule_is_a_cron(cls, schedule: str) -> str:
        check_schedule(schedule)
        return schedule

    @field_validator("late_window")
    @classmethod
    def _late_window_is_at_most_a_week(cls, window: timedelta) -> timedelta:
        if window > timedelta(days=7):
            raise ValueError("late_window is at most 7d, because the sweeper lists every partition inside it")
        return window

    @model_validator(mode="after")
    def _format_has_its_own_keys(self) -> Self:
        if self.multiline and self.format != "json":
            raise misplaced("multiline", f"multiline is for format: json, not {self.format}; leave it out")
        if self.csv is not None and self.format != "csv":
            raise misplaced("csv", f"csv is for format: csv, not {self.format}; leave it out")
        if self.format in _OWN_COMPRESSION and self.compression == "gzip":
            raise misplaced("compression", f"{self.format} compresses inside the file; write none")
        return self

    @model_validator(mode="after")
    def _template_fits_the_grain(self) -> Self:
        if self.path_template is not None:
            try:
                path_template.resolve(self.path_template, self.grain)
            except ValueError as error:
                raise misplaced("path_template", str(error)) from None
            if path_template.TABLE in self.path_template and not self.table_names:
                message = "{table} stands for the tables of database_cdc; this pattern has none, leave it out"
                raise misplaced("path_template", message)
        return self

    @property
    def grain(self) -> Grain:
        """How the source's time is cut into partitions."""
        return Grain.of(self.schedule)

    @property
    def folder(self) -> str | None:
        """The location as written, under whatever key."""
        return self.location

    @property
    def table_names(self) -> list[str]:
        """What `{table}` stands for; empty when the pattern has no tables."""
        return []

    @property
    def template(self) -> str | None:
        """The path below the location, tokens not filled in; None: objects by their creation time."""
        chosen = self.path_template or self.default_template
        return chosen and path_template.resolve(chosen, self.grain)

    @property
    def lands_itself(self) -> bool:
        """Whether a task of ours writes the objects and then the marker."""
        return False

    @property
    def completeness_rule(self) -> Completeness:
        """The completeness rule as the domain knows it."""
        given = self.completeness.model_dump()
        if self.lands_itself and given["marker"] is None:
            given["marker"] = MARKER
        return Completeness(**given, give_up_after=self.late_window, on_empty=self.on_empty)
