"""The patterns by which data gets into the bucket, each with its own keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from hourglass.config.ingestion import Folder, Landing
from hourglass.config.types import Duration, Strict, misplaced
from hourglass.partition import Grain

TableName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$")
]
_URL = re.compile(r"https://[^\s/?#@]+([/?][^\s#]*)?|http://(127\.0\.0\.1|localhost)(:\d+)?([/?][^\s#]*)?")


_SCHEDULE = Landing.model_fields["schedule"].description
_SCHEDULE = "A cron expression of five fields in UTC, in quotes: each firing begins a partition."


class BatchFile(Landing):
    """Files that a producer puts into the bucket."""

    pattern: Literal["batch_file"] = Field(description="Files that a producer puts into the bucket.")
    location: Folder = Field(description="`gs://bucket/prefix/`, with `/` at the end.")


class Pagination(Strict):
    """How a REST API hands out its records, page by page."""

    items: str = Field(
        "data", description="Dotted path of the list of records in the answer; empty: the answer is the list."
    )
    cursor: str | None = Field(
        None,
        description="The parameter that asks for the next page, such as `starting_after`. Without one, the "
        "answer has one page.",
    )
    cursor_field: str = Field("id", description="The field of the last record that the cursor takes.")
    next: str | None = Field(
        None,
        description="Dotted path of the next page's cursor in the answer, such as `meta.next_cursor`, instead "
        "of `cursor_field`.",
    )
    more: str | None = Field(None, description="Dotted path of the answer's flag that there are more pages.")
    since: str | None = Field(
        None, description="The parameter for the partition's start, such as `created[gte]`."
    )
    until: str | None = Field(
        None, description="The parameter for the partition's end, such as `created[lt]`."
    )
    time_format: Literal["iso", "unix", "unix_ms"] = Field(
        "iso", description="How both are written: `iso` is `2021-07-21T06:00:00Z`."
    )
    order: Literal["oldest_first", "newest_first"] = Field(
        "oldest_first",
        description="`newest_first`: what appears later stands before the cursor, so the API is asked once, "
        "after the partition has closed.",
    )
    page_size: dict[str, int] = Field(
        {}, description="The parameter for a page's size, and the size, such as `{limit: 100}`."
    )

    @model_validator(mode="after")
    def _has_a_cursor_to_fill(self) -> Self:
        if self.cursor is None and self.next is not None:
            raise misplaced("next", "next needs cursor, the parameter that takes it; add cursor")
        return self


class StreamingApi(Landing):
    """A REST API that is polled, or that calls a webhook."""

    default_template: ClassVar[str | None] = "hive"

    pattern: Literal["streaming_api"] = Field(
        description="A REST API that is polled, or that calls a webhook."
    )
    schedule: str = Field("0 * * * *", description=_SCHEDULE)
    connector_type: Literal["rest_api"] = Field("rest_api", description="The kind of API.")
    api_endpoint: str | None = Field(
        None, description="The URL that is polled: https, or http on 127.0.0.1. Needed with `poll_interval`."
    )
    auth_type: Literal["bearer_token", "none"] = Field(
        "none", description="`bearer_token`: the secret goes into the Authorization header."
    )
    secret_name: str | None = Field(
        None, description="The secret's name in Secret Manager; never the secret itself."
    )
    poll_interval: Duration | None = Field(None, description="How often the API is asked, such as `60s`.")
    webhook_path: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/_.-]*$")] | None = Field(
        None, description="The path at which the API calls us, such as `/stripe`, instead of `poll_interval`."
    )
    pagination: Pagination | None = Field(None, description="How the API hands out its records.")

    @field_validator("api_endpoint")
    @classmethod
    def _is_a_safe_url(cls, url: str | None) -> str | None:
        if url is not None and not _URL.fullmatch(url):
            raise ValueError(
                f"{url!r} is not an https URL; write one such as https://api.example.com/v1/items"
            )
        return url

    @field_validator("poll_interval")
    @classmethod
    def _polls_no_more_than_once_a_second(cls, interval: timedelta | None) -> timedelta | None:
        if interval is not None and interval < timedelta(seconds=1):
            raise ValueError("poll_interval is at least 1s")
        return interval

    @model_validator(mode="after")
    def _polls_or_is_called(self) -> Self:
        if self.poll_interval is None and self.webhook_path is None:
            raise misplaced("pattern", "streaming_api needs either poll_interval or webhook_path; add one")
        if self.poll_interval is not None and self.webhook_path is not None:
            message = "webhook_path stands instead of poll_interval; the API is asked, or it calls: keep one"
            raise misplaced("webhook_path", message)
        if self.poll_interval is not None and self.api_endpoint is None:
            raise misplaced("poll_interval", "poll_interval needs api_endpoint, the URL to ask; add it")
        if self.auth_type == "bearer_token" and self.secret_name is None:
            raise misplaced("auth_type", "bearer_token needs secret_name, where the token is kept; add it")
        if self.auth_type == "none" and self.secret_name is not None:
            raise misplaced("secret_name", "secret_name needs auth_type: bearer_token; add it")
        return self

    @property
    def lands_itself(self) -> bool:
        """A polled API is landed by us, a webhook's calls by something else."""
        return self.poll_interval is not None


class DatabaseCdc(Landing):
    """The changes of a database's tables, as Datastream writes them."""

    default_template: ClassVar[str | None] = "{table}/plain"

    pattern: Literal["database_cdc"] = Field(
        description="The changes of a database's tables, as Datastream writes them."
    )
    schedule: str = Field("0 * * * *", description=_SCHEDULE)
    connector_type: Literal["datastream"] = Field("datastream", description="What reads the changes.")
    database_type: Literal["postgresql"] = Field(description="The database.")
    connection_profile: str = Field(min_length=1, description="Datastream's connection profile.")
    tables: Annotated[list[TableName], Field(min_length=1)] = Field(
        description="The tables, such as `public.orders`; each has its folder below the location."
    )

    @field_validator("tables")
    @classmethod
    def _names_a_table_once(cls, tables: list[str]) -> list[str]:
        if twice := next((name for name in tables if tables.count(name) > 1), None):
            raise ValueError(f"table {twice!r} stands in tables twice; keep one")
        return tables

    @property
    def table_names(self) -> list[str]:
        """What `{table}` stands for."""
        return self.tables


class CloudTransfer(Landing):
    """Objects that are copied from another cloud."""

    default_template: ClassVar[str | None] = "hive"

    pattern: Literal["cloud_transfer"] = Field(description="Objects that are copied from another cloud.")
    source_type: Literal["s3"] = Field(description="The other cloud's storage.")
    source_bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description="The bucket there."
    )
    source_path: Annotated[str, StringConstraints(pattern=r"^([^/\s].*)?$")] = Field(
        "", description="The prefix in it, without a `/` in front. The tokens of a path template may be used."
    )
    destination: Folder | None = Field(None, description="The same as `location`, which is then left out.")

    @field_validator("destination", mode="before")
    @classmethod
    def _ends_with_a_slash(cls, value: object) -> object:
        whole = isinstance(value, str) and value.startswith("gs://") and "/" in value[5:]
        return f"{value}/" if whole and not str(value).endswith("/") else value

    @model_validator(mode="after")
    def _has_one_destination(self) -> Self:
        if self.location is not None and self.destination is not None:
            raise misplaced("destination", "destination and location are the same thing; keep one")
        return self

    @property
    def lands_itself(self) -> bool:
        """The transfer is ours."""
        return True

    @property
    def folder(self) -> str | None:
        """The location as written, under whatever key."""
        return self.location or self.destination


class EventStreaming(Landing):
    """A Pub/Sub topic whose subscription writes objects into the bucket."""

    default_template: ClassVar[str | None] = "plain"

    pattern: Literal["event_streaming"] = Field(
        description="A Pub/Sub topic whose subscription writes objects into the bucket."
    )
    schedule: str = Field("0 * * * *", description=_SCHEDULE)
    pubsub_topic: Annotated[
        str, StringConstraints(pattern=r"^(projects/[a-z0-9:.-]+/topics/)?[A-Za-z][A-Za-z0-9_.~+%-]+$")
    ] = Field(description="The topic's name, or `projects/PROJECT/topics/NAME`.")
    message_format: Literal["json"] = Field("json", description="One JSON object a message.")
    window_size: Duration | None = Field(
        None, description="The length of `window` in `silver_to_gold`, such as `60s`."
    )
    dead_letter: Folder | None = Field(
        None,
        description="`gs://bucket/prefix/` in the location's bucket, with the location's path template below: "
        "the messages that could not be delivered. They are quarantined with the reason `dead_letter`.",
    )

    @field_validator("window_size")
    @classmethod
    def _window_is_at_least_a_second(cls, window: timedelta | None) -> timedelta | None:
        if window is not None and window < timedelta(seconds=1):
            raise ValueError("window_size is at least 1s")
        return window

    @model_validator(mode="after")
    def _messages_are_json_lines(self) -> Self:
        if self.format != "json":
            raise misplaced("format", "the messages of event_streaming are JSON; leave format out")
        return self


class BigqueryExport(Landing):
    """Daily tables that another product exports into BigQuery, and that stay there."""

    pattern: Literal["bigquery_export"] = Field(
        description="Daily tables that another product exports into BigQuery, and that stay there."
    )
    schedule: str = Field("0 0 * * *", description=_SCHEDULE)
    source_table: Annotated[
        str, StringConstraints(pattern=r"^([a-z][a-z0-9-]{4,28}[a-z0-9]\.)?[A-Za-z0-9_]+\.[A-Za-z0-9_]+_$")
    ] = Field(
        description="`dataset.events_` or `project.dataset.events_`: the daily tables' common beginning."
    )

    @model_validator(mode="after")
    def _is_daily(self) -> Self:
        if self.grain != Grain.DAY:
            raise misplaced("schedule", 'the tables of bigquery_export are daily; write "0 0 * * *"')
        if self.on_empty == "accept":
            raise misplaced("on_empty", "a day without its table has nothing to publish; write fail or skip")
        return self


Ingestion = Annotated[
    BatchFile | StreamingApi | DatabaseCdc | CloudTransfer | EventStreaming | BigqueryExport,
    Field(discriminator="pattern"),
]
PATTERNS: dict[str, type[Landing]] = {
    "batch_file": BatchFile,
    "streaming_api": StreamingApi,
    "database_cdc": DatabaseCdc,
    "cloud_transfer": CloudTransfer,
    "event_streaming": EventStreaming,
    "bigquery_export": BigqueryExport,
}
