"""Pieces of SQL text that the job's expressions are made of."""

from __future__ import annotations

VALUE = "__hg_value"  # the column with the line, or with the JSON text that a reader made of the record
RAW = "__hg_raw"  # the record as it was read, where that is not VALUE
KEPT = "__hg_kept"  # unknown_fields of a row that lost values which do not fit
NULLED = "__hg_nulled"  # the paths of those values
WARNED = "__hg_warned"  # the rules that warn of a row
TIMESTAMP_FORMAT = "yyyy-MM-dd['T'][' ']HH:mm[:ss][.SSSSSSSSS][XXX][XX][X][' UTC']"
OPTIONS = {
    "mode": "PERMISSIVE",
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
    # Spark's default formats take "12:30" for a time of today, so that a re-run would give other rows.
    "timestampFormat": TIMESTAMP_FORMAT,
    "dateFormat": "yyyy-MM-dd",
    "enableDateTimeParsingFallback": "false",
    "timeZone": "UTC",
}


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as a SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def timestamp(iso: str) -> str:
    """SQL for a moment; the text carries its own offset."""
    return f"timestamp{literal(iso)}"


def dotted(path: str) -> str:
    """A path such as actor.id as SQL."""
    return ".".join(quoted(part) for part in path.split("."))


def from_json(text: str, ddl: str) -> str:
    """SQL for from_json with the job's strict options."""
    options = ", ".join(f"{literal(k)}, {literal(v)}" for k, v in OPTIONS.items())
    return f"from_json({text}, {literal(ddl)}, map({options}))"
