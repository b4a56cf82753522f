"""From include/sources/*.yaml to validated sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from hourglass.config.checks import CrossChecks, reference_of
from hourglass.config.document import Document, Location, read_document
from hourglass.config.errors import ConfigError, Problem, did_you_mean, shown
from hourglass.config.evolution import evolution_problems, version_problems
from hourglass.config.explain import kind_of, problems_of
from hourglass.config.models import SourceFile
from hourglass.config.plain import dig
from hourglass.config.plain_secrets import looks_secret, plain_secrets, worth_a_look
from hourglass.config.platform import include_folder
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


def source_files(include: Path) -> list[Path]:
    """Every file of a folder that is, or should be, a source."""
    return sorted(p for p in (include / "sources").glob("*.y*ml") if not p.name.startswith("."))


def load_sources(include: Path, files: Iterable[Path] | None = None) -> Loaded:
    """Load every source; a broken file takes only itself out.

    Args:
        include: The include folder.
        files: The files to load, in order; every one by default. Of two that claim one location, the later
            is to blame.
    """
    loaded = Loaded()
    seen: dict[str, Path] = {}
    for path in files if files is not None else source_files(include):
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
    include = include or include_folder()
    path = include / "sources" / f"{source_id}.yaml"
    known = [p.stem for p in (include / "sources").glob("*.yaml")]
    if source_id not in known:
        message = f"there is no source {source_id!r}{did_you_mean(source_id, known)}"
        raise ConfigError([Problem(shown(path), 0, 0, message, "", "source-file.md#source-file")])
    return load_source_file(path, include)


def load_source_file(path: Path, include: Path) -> Source:
    """Load one source file and the schema it names.

    Raises:
        ConfigError: With every mistake of both files.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        found = (
            "is empty" if document.data is None else f"holds {kind_of(document.data)}, not a mapping of keys"
        )
        raise ConfigError([document.problem((), f"the file {found}; begin with source_id: {path.stem}")])
    file, problems = _validated(SourceFile, document, _refused(document.data), reference_of)
    problems += _identity(document, path)
    schema, more = _load_schema(document, include)
    problems += [*more, *CrossChecks(document, schema, include).problems()]
    if problems or file is None or schema is None:
        raise ConfigError(problems)
    return Source(file, schema)


def _load_unique(path: Path, include: Path, landings: dict[str, Path]) -> Source:
    source = load_source_file(path, include)
    mine: dict[str, Path] = {}
    for key, landing in source.landings():
        if landing.split("/")[2] != source.bucket:
            message = f"{key} is in another bucket than {source.location}; one partition lies in one bucket"
            _raise_misplaced(path, key, message)
        for other, owner in [*landings.items(), *mine.items()]:
            if landing.startswith(other) or other.startswith(landing):
                _raise_misplaced(path, key, _overlap(path, landing, other, owner))
        mine[landing] = path
    landings |= mine
    return source


def _overlap(path: Path, landing: str, other: str, owner: Path) -> str:
    where = landing if landing == other else f"{landing} overlaps {other}, which"
    whose = "another part of this source" if owner == path else shown(owner)
    return (
        f"{where} is already the location of {whose}; one object can belong to one source only, so give each "
        "a prefix of its own"
    )


def _raise_misplaced(path: Path, key: str, message: str) -> NoReturn:
    problem = read_document(path).problem(("ingestion", key), message, reference="source-file.md#ingestion")
    raise ConfigError([problem])


def _identity(document: Document, path: Path) -> Iterator[Problem]:
    said = document.data.get("source_id")
    if path.suffix != ".yaml":
        message = f"the file is called {path.name}; rename it {path.stem}.yaml"
        yield document.problem(("source_id",), message)
    elif isinstance(said, str) and said != path.stem:
        message = f"source_id {said!r} differs from the file's name {path.name!r}; make them equal"
        yield document.problem(("source_id",), message, reference="source-file.md#top-level")


def _refused(data: Any) -> Iterator[tuple[Location, str, bool]]:
    """What is wrong whatever the models say of it."""
    if not worth_a_look(data):
        return
    for location, message in plain_secrets(data):
        yield location, message, False
    yield from _nothing(data, ())


def _nothing(value: Any, location: Location) -> Iterator[tuple[Location, str, bool]]:
    if value is None and location:
        last = location[-1]
        what = f"key {last!r}" if isinstance(last, str) else f"item {last + 1} of the list"
        yield location, f"{what} has no value; give it one or remove it", isinstance(last, str)
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nothing(item, (*location, key))


def _load_schema(document: Document, include: Path) -> tuple[SourceSchema | None, Sequence[Problem]]:
    name = dig(document.data, ("schema", "file"))
    if not isinstance(name, str):
        return None, []
    path = include / name
    if Path(name).is_absolute() or not _is_schema(name, path):
        there = [str(p.relative_to(include)) for p in (include / "schemas").rglob("*.json")]
        message = f"there is no schema file {name!r} in include/{did_you_mean(name, there)}"
        return None, [document.problem(("schema", "file"), message, reference="source-file.md#schema")]
    try:
        schema_document = read_document(path)
    except ConfigError as error:
        return None, error.problems
    return _checked_schema(document, schema_document, include)


def _is_schema(name: str, path: Path) -> bool:
    try:
        return path.suffix == ".json" and ".." not in Path(name).parts and path.is_file()
    except ValueError:  # a NUL in the name
        return False


def _checked_schema(
    document: Document, schema_document: Document, include: Path
) -> tuple[SourceSchema | None, Sequence[Problem]]:
    schema, problems = _validated(SourceSchema, schema_document, (), lambda _: None)
    # A sound schema has hundreds of values and nothing to refuse, which its text tells at once.
    if schema is None or "null" in schema_document.text or looks_secret(schema_document.text):
        refused = _refused(schema_document.data)
        schema, problems = _validated(SourceSchema, schema_document, refused, lambda _: None)
    if schema is None:
        return None, problems
    said = document.data.get("source_id")
    # include/schemas/NAME.json may be called after what it describes.
    names = (
        (said, schema_document.path.stem) if schema_document.path.parent == include / "schemas" else (said,)
    )
    if isinstance(said, str) and schema.source_id not in names:
        message = f"this schema belongs to {schema.source_id!r}, but source {said!r} names it"
        problems.append(schema_document.problem(("source_id",), message))
    problems += version_problems(schema_document, include)
    if dig(document.data, ("schema", "evolution")) != "none":
        problems += evolution_problems(schema_document, include)
    return schema, problems


def _validated(
    model: type[Model],
    document: Document,
    refused: Iterable[tuple[Location, str, bool]],
    reference: Callable[[Location], str | None],
) -> tuple[Model | None, list[Problem]]:
    problems: dict[Location, Problem] = {}
    for location, message, at_key in refused:
        problems.setdefault(
            location, document.problem(location, message, at_key=at_key, reference=reference(location))
        )
    try:
        return model.model_validate(document.data), list(problems.values())
    except ValidationError as error:
        found = list(problems_of(error, document, model, reference))
    # What has been refused already explains the model's complaint about it, or about what is in it.
    rest = [p for at, p in found if not any(at[: len(r)] == r for r in problems)]
    return None, [*problems.values(), *rest]
