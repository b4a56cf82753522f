"""`schema`: the JSON Schema of a source's YAML for editors, and the reference's tables, from the models."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hourglass.config import ingestion, models, patterns, processing, serving, types
from hourglass.config.errors import shown
from hourglass.config.platform import include_folder

# The heading of the reference, and the models whose keys stand below it.
TABLES: dict[str, tuple[type[BaseModel], ...]] = {
    "top-level": (models.SourceFile,),
    "ingestion": (ingestion.Landing,),
    "completeness": (ingestion.CompletenessRule,),
    "csv": (ingestion.CsvFormat,),
    **{name: (pattern,) for name, pattern in patterns.PATTERNS.items() if name != "batch_file"},
    "pagination": (patterns.Pagination,),
    "schema": (models.SchemaReference,),
    "steps": (processing.Processing, processing.BronzeToSilverStep),
    "deduplication": (processing.Deduplication, processing.DataQuality),
    "enrichment": (processing.Enrichment,),
    "pii": (processing.Pii,),
    "gold-steps": (processing.SilverToGoldStep,),
    "join": (processing.Join,),
    "aggregate": (processing.Aggregate,),
    "serving": (serving.Serving,),
    "feature-sets": (serving.FeatureSet,),
    "monitoring": (serving.Monitoring,),
    "retention": (serving.Retention,),
    "storage-classes": (serving.StorageClasses,),
}
_ISO_DURATION = re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?")
_TABLE = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def run(*, check: bool, docs: bool) -> int:
    """Write one of the two, or say whether it is stale.

    Returns:
        The exit status: 1 if `check` finds it stale.
    """
    path = reference_file() if docs else schema_file()
    before = path.read_text("utf-8") if path.is_file() else ""
    text = reference(before) if docs else source_schema()
    if not check:
        path.write_text(text, "utf-8")
        typer.echo(f"{shown(path)} written")
        return 0
    stale = before != text
    command = "python -m hourglass schema" + (" --docs" if docs else "")
    typer.echo(f"{shown(path)} is stale; run {command}" if stale else f"{shown(path)} is up to date")
    return int(stale)


def schema_file() -> Path:
    """Where the JSON Schema stands; source files name it relative to themselves."""
    return include_folder() / "source.schema.json"


def reference_file() -> Path:
    """The page of the reference whose tables are generated."""
    return Path(__file__).resolve().parents[3] / "docs" / "reference" / "source-file.md"


def source_schema() -> str:
    """The JSON Schema of a source's YAML, as text."""
    schema = models.SourceFile.model_json_schema(by_alias=True)
    body = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A source of Hourglass",
        "description": "include/sources/SOURCE.yaml: one source, one DAG.",
        **{key: value for key, value in _cleaned(schema).items() if key not in ("title", "description")},
    }
    for step in ("BronzeToSilverStep", "SilverToGoldStep"):
        body["$defs"][step] |= {"minProperties": 1, "maxProperties": 1}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _cleaned(node: Any) -> Any:
    """The schema without the titles that repeat each key, without null, and with plain descriptions."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {k: _cleaned(v) for k, v in node.items() if not (k == "title" and isinstance(v, str))}
    # A key without a value is a mistake; what is not wanted is left out.
    options = [option for option in kept.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        kept = {**options[0], **kept}
    elif options:
        kept["anyOf"] = options
    if "default" in kept:
        _clean_default(kept)
    if isinstance(kept.get("description"), str):
        kept["description"] = kept["description"].replace("`", "").strip().split("\n\nArgs:")[0]
    return kept


def _clean_default(node: dict[str, Any]) -> None:
    """Durations as people write them; a whole mapping's defaults stand at its own keys."""
    value = node["default"]
    if value is None or isinstance(value, dict):
        del node["default"]
    elif isinstance(value, str) and _ISO_DURATION.fullmatch(value):
        node["default"] = types.shown_duration(TypeAdapter(timedelta).validate_python(value))


def reference(text: str) -> str:
    """The reference's page with its tables written anew."""
    return _TABLE.sub(lambda match: f"{match[1]}{_table(*TABLES[match[2]])}{match[3]}", text)


def _table(*described: type[BaseModel]) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    rows += [_row(name, field) for model in described for name, field in own_keys(model).items()]
    return "\n".join(rows) + "\n"


def own_keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a model; of a pattern, those that not every pattern has."""
    shared = ingestion.Landing.model_fields if model in patterns.PATTERNS.values() else {}
    return {name: field for name, field in model.model_fields.items() if name not in shared}


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`{field.alias or name}`", _type(field.annotation), _default(field), field.description or "")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(kind: Any) -> str:
    inner = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) is list:
        return f"list of {_type(inner[0])}"
    name = {str: "text", int: "integer", bool: "true or false", timedelta: "duration"}.get(kind)
    if name:
        return name
    if isinstance(kind, type):
        return "mapping" if issubclass(kind, BaseModel) else kind.__name__
    if get_origin(kind) is not None and inner and not isinstance(inner[0], str | bool):
        return _type(inner[0])
    return ", ".join(f"`{_yaml(choice)}`" for choice in inner) if len(inner) <= 6 else "schema type"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None or field.default in ("", []):
        return "none"
    return "see there" if isinstance(field.default, BaseModel) else f"`{_yaml(field.default)}`"


def _yaml(value: Any) -> str:
    if isinstance(value, timedelta):
        return types.shown_duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
