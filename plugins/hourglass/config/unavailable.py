"""What the reference document allows and this version does not do yet, refused by name and place.

A key that is accepted does what it says. These are recognised, so that the message can be better than
"unknown key", and stay refused until a stage makes them effective.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hourglass.config.document import Location

_LATER = "is not available in this version"
_PATTERNS = ("streaming_api", "database_cdc", "cloud_transfer", "event_streaming")
_PATTERN_KEYS = (
    "connector_type", "api_endpoint", "auth_type", "secret_name", "poll_interval", "webhook_path",
    "database_type", "connection_profile", "tables", "source_type", "source_bucket", "source_path",
    "destination", "pubsub_topic", "message_format", "window_size",
)  # fmt: skip
_STEP = "processing.bronze_to_silver.*"

# A dotted path (numbers of list items as *), and what to do instead.
KEYS: dict[str, str] = {
    **{
        f"ingestion.{key}": f"it belongs to a pattern that {_LATER}; batch_file needs none"
        for key in _PATTERN_KEYS
    },
    f"{_STEP}.pii": "leave it out, and hash in an enrichment such as sha2(ip_address, 256)",
    "processing.silver_to_gold": "write the gold model by hand in include/dbt/models and leave this out",
    "monitoring.slack": "use the Airflow connection hourglass_alerts and leave this out",
    "monitoring.pagerduty": "use the Airflow connection hourglass_alerts and leave this out",
    "monitoring.volume": "leave it out; an expectation on the row count at the gate is available",
    "monitoring.volume_tolerance": "leave it out; an expectation on the row count at the gate is available",
    "retention.bronze": "set a lifecycle rule on the bucket and leave this out",
    "retention.silver": "leave it out; `published` is the expiry of the published tables",
    "retention.gold": "leave it out; set partition_expiration_days on the dbt model",
    "fields.source_path": "leave it out; the field's name must be the name in the data",
}
VALUES: dict[str, dict[Any, str]] = {
    "ingestion.pattern": dict.fromkeys(
        _PATTERNS, "use batch_file on the files that the feed leaves in a bucket"
    ),
    "ingestion.format": dict.fromkeys(
        ("csv", "parquet", "avro"), "land JSON lines, one event a line, and write format: json"
    ),
    "schema.validation": {"permissive": "write strict: bad lines go to the quarantine, the others go on"},
    f"{_STEP}.data_quality.rules.*.check": {
        "unique": "use deduplication, or ExpectColumnValuesToBeUnique in include/expectations/SOURCE.yaml",
        "referential": "use UnexpectedRowsExpectation in include/expectations/SOURCE.yaml",
    },
    f"{_STEP}.data_quality.rules.*.severity": {
        "warning": "leave it out: a broken rule quarantines the row; an expectation at the gate can warn"
    },
    **{
        f"serving.{key}": {True: "write false or leave it out"}
        for key in ("third_party_api", "reporting", "ml_features")
    },
}


def unavailable(data: Any) -> Iterator[tuple[Location, str, bool]]:
    """What of a file this version does not do.

    Args:
        data: The file's plain value.

    Yields:
        The place, the message, and whether it is the key (rather than its value) that is meant.
    """
    for location, value in _walk(data, ()):
        path = _dotted(location)
        if advice := KEYS.get(path):
            yield location, f"key {location[-1]!r} {_LATER}: {advice}", True
        elif isinstance(value, str | bool) and value in (choices := VALUES.get(path, {})):
            named = str(value).lower() if isinstance(value, bool) else value
            yield location, f"{location[-1]}: {named} {_LATER}: {choices[value]}", False


def _dotted(location: Location) -> str:
    if location[:1] == ("fields",) and location[-1] == "source_path":
        return "fields.source_path"
    return ".".join("*" if isinstance(step, int) else step for step in location)


def _walk(data: Any, location: Location) -> Iterator[tuple[Location, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*location, key), value
            yield from _walk(value, (*location, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _walk(value, (*location, index))
