"""From include/sources/*.yaml to validated sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hourglass.config.document import Document, Location, read_document
from hourglass.config.errors import ConfigError, Problem, did_you_mean, shown
from hourglass.config.models import SourceFile
from hourglass.config.platform import Platform
from hourglass.config.schema import SourceSchema
from hourglass.config.source import Source

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Loaded:
    """What one folder of sources holds: the sound sources, and the errors of the others."""

    sources: list[Source] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        """All mistakes of all files."""
        return [p for e in self.errors for p in e.problems]


def load_sources(include: Path) -> Loaded:
    """Load every source; a broken file takes only itself out.

    Args:
        include: The include folder.
    """
    loaded = Loaded()
    seen: dict[str, Path] = {}
    for path in sorted((include / "sources").glob("*.y*ml")):
        try:
            loaded.sources.append(_load_unique(path, include, seen))
        except ConfigError as error:
            loaded.errors.append(error)
    return loaded


def load_source(source_id: str, include: Path | None = None) -> Source:
    """Load one source by its id.

    Raises:
        ConfigError: There is no such source, or its files are wrong.
    """
    include = include or Platform.from_env().include
    path = include / "sources" / f"{source_id}.yaml"
    if not path.exists():
        known = [p.stem for p in (include / "sources").glob("*.yaml")]
        message = f"there is no source {source_id!r}{did_you_mean(source_id, known)}"
        raise ConfigError([Problem(shown(path), 0, 0, message)])
    return load_source_file(path, include)


def load_source_file(path: Path, include: Path) -> Source:
    """Load one source file and the schema it names.

    Raises:
        ConfigError: With every mistake of both files.
    """
    document = read_document(path)
    file = _validated(SourceFile, document)
    if file.source_id != path.stem:
        message = f"source_id {file.source_id!r} differs from the file's name {path.name!r}; make them equal"
        raise ConfigError([document.problem(("source_id",), message)])
    schema = _load_schema(document, file, include)
    source = Source(file, schema)
    if problems := list(_cross_checks(document, source, include)):
        raise ConfigError(problems)
    return source


def _load_unique(path: Path, include: Path, locations: dict[str, Path]) -> Source:
    source = load_source_file(path, include)
    ingestion = source.file.ingestion
    landing = f"{ingestion.location}{ingestion.path_template or ''}"
    if landing in locations:
        other = shown(locations[landing])
        message = f"{landing} is already the location of {other}; one object can belong to one source only"
        raise ConfigError([read_document(path).problem(("ingestion", "location"), message)])
    locations[landing] = path
    return source


def _load_schema(document: Document, file: SourceFile, include: Path) -> SourceSchema:
    path = include / file.schema_.file
    if not path.is_file():
        there = [str(p.relative_to(include)) for p in (include / "schemas").rglob("*.json")]
        message = f"there is no schema file {file.schema_.file!r} in include/"
        raise ConfigError(
            [document.problem(("schema", "file"), message + did_you_mean(file.schema_.file, there))]
        )
    schema_document = read_document(path)
    schema = _validated(SourceSchema, schema_document)
    if schema.source_id != file.source_id:
        message = f"this schema belongs to {schema.source_id!r}, but source {file.source_id!r} names it"
        raise ConfigError([schema_document.problem(("source_id",), message)])
    return schema


def _cross_checks(document: Document, source: Source, include: Path) -> Iterable[Problem]:
    paths = source.schema.paths()
    added = {e.name for e in source.file.enrichments}
    for location, name in source.mentioned_fields():
        in_rule = "rules" in location or "deduplication" in location
        known = set(paths) if in_rule else set(paths) | added
        if name not in known:
            message = f"field {name!r} is not in {source.file.schema_.file}{did_you_mean(name, known)}"
            yield document.problem(location, message)
    if (
        source.event_time
        and (stamp := paths.get(source.event_time))
        and stamp.type not in ("TIMESTAMP", "DATE")
    ):
        message = f"event_time {source.event_time!r} is {stamp.type}; it must be a TIMESTAMP or a DATE"
        yield document.problem(("schema", "event_time"), message)
    for kind in ("materialized_views", "feature_sets"):
        folder = {"materialized_views": "materialized_views", "feature_sets": "features"}[kind]
        for index, name in enumerate(getattr(source.file.serving, kind)):
            if not (include / "sql" / folder / f"{name}.sql").is_file():
                there = [p.stem for p in (include / "sql" / folder).glob("*.sql")]
                message = f"there is no include/sql/{folder}/{name}.sql{did_you_mean(name, there)}"
                yield document.problem(("serving", kind, index), message)


def _validated(model: type[Model], document: Document) -> Model:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError([_problem(document, model, dict(e)) for e in error.errors()]) from None


def _problem(document: Document, model: type[BaseModel], error: dict[str, Any]) -> Problem:
    location: Location = tuple(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        hint = did_you_mean(str(location[-1]), _siblings(model, location))
        return document.problem(location, f"unknown key {location[-1]!r}{hint}", at_key=True)
    if kind == "missing":
        where = f" in {'.'.join(map(str, location[:-1]))}" if location[:-1] else ""
        return document.problem(location[:-1], f"key {location[-1]!r} is missing{where}; add it")
    if kind == "literal_error":
        hint = did_you_mean(str(error["input"]), _choices(context))
        return document.problem(location, f"{error['input']!r} is not allowed here{hint}")
    message = str(error["msg"]).removeprefix("Value error, ")
    return document.problem(location, message[0].lower() + message[1:] if kind != "value_error" else message)


def _choices(context: dict[str, Any]) -> list[str]:
    return [part.strip().strip("'") for part in context["expected"].replace(" or ", ", ").split(",")]


def _siblings(model: type[BaseModel], location: Location) -> list[str]:
    """The keys allowed where an unknown one was found."""
    schema = model.model_json_schema(by_alias=True)
    node: dict[str, Any] = schema
    for step in location[:-1]:
        node = _resolved(schema, node)
        node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
    return list(_resolved(schema, node).get("properties", {}))


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", [node]):
        if "$ref" in option:
            target: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
            return target
        if option.get("type") in ("object", "array"):
            return dict(option)
    return node
