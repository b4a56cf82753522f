"""include/features/registry.yaml: what each feature is, whose, how fresh, and where its values come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError

from hourglass.config.document import Document, read_document
from hourglass.config.errors import ConfigError, Problem, did_you_mean
from hourglass.config.explain import problems_of
from hourglass.config.serving import Identifier
from hourglass.config.types import Duration, Strict

_REFERENCE = "warehouse.md#feature-registry"
Kind = Literal["STRING", "INT64", "FLOAT64", "NUMERIC", "BOOL", "DATE", "TIMESTAMP"]


class Feature(Strict):
    """One version of a feature."""

    name: Identifier = Field(description="The name that models and readers use.")
    version: int = Field(ge=1, description="Counts up when the meaning changes; earlier ones stay beside it.")
    entity: Identifier = Field(description="What it is a property of: the column that identifies it.")
    type: Kind = Field(description="BigQuery type of its values.")
    description: Annotated[str, StringConstraints(min_length=10)] = Field(description="What it says.")
    owner: str = Field(min_length=1, description="Who answers for it.")
    freshness: Duration = Field(description="How old a value may be at most where it is used.")
    model: Identifier = Field(description="The dbt model that computes it.")
    column: Identifier | None = Field(None, description="Its column there; by default the feature's name.")

    @property
    def source_column(self) -> str:
        """Its column in the model."""
        return self.column or self.name

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from all others."""
        return self.entity, self.name, self.version


class Registry(Strict):
    """All features."""

    features: list[Feature] = Field(description="The features, every version of each.")

    def newest(self) -> dict[tuple[str, str], Feature]:
        """The newest version of each feature, by entity and name."""
        return {(f.entity, f.name): f for f in sorted(self.features, key=lambda f: f.version)}

    def longest_freshness(self, model: str) -> timedelta:
        """How far back a training set has to look for a model's features."""
        return max(f.freshness for f in self.features if f.model == model)


def load_registry(include: Path) -> Registry:
    """Read the registry and check it against the models.

    Args:
        include: The include folder.

    Raises:
        ConfigError: Every mistake with its line and column.
    """
    document = read_document(include / "features" / "registry.yaml")
    document.anchor = _REFERENCE
    try:
        registry = Registry.model_validate(document.data)
    except ValidationError as error:
        found = problems_of(error, document, Registry, lambda _: _REFERENCE)
        raise ConfigError(problem for _, problem in found) from None
    if problems := [*_repeated(document, registry), *_unmade(document, registry, include)]:
        raise ConfigError(problems)
    return registry


def _repeated(document: Document, registry: Registry) -> Iterator[Problem]:
    seen = set()
    for number, feature in enumerate(registry.features):
        if feature.key in seen:
            text = f"{feature.name} of {feature.entity} has version {feature.version} already; give it the next one"
            yield document.problem(("features", number, "version"), text)
        seen.add(feature.key)


def _unmade(document: Document, registry: Registry, include: Path) -> Iterator[Problem]:
    """Features of models, or columns, that are not there, or of another type."""
    models = {path.stem for path in (include / "dbt" / "models").rglob("*.sql")}
    columns: dict[str, Mapping[str, str]] = {}
    for number, feature in enumerate(registry.features):
        place = ("features", number)
        if feature.model not in models:
            text = f"there is no dbt model {feature.model!r}{did_you_mean(feature.model, models)}"
            yield document.problem((*place, "model"), text)
            continue
        if feature.model not in columns:
            columns[feature.model] = _columns(include, feature.model)
        kind = columns[feature.model].get(feature.source_column)
        if kind is None:
            hint = did_you_mean(feature.source_column, columns[feature.model])
            text = f"model {feature.model} has no column {feature.source_column!r}{hint}"
            yield document.problem((*place, "column" if feature.column else "name"), text)
        elif kind != feature.type:
            text = f"{feature.model}.{feature.source_column} is {kind}; write that, or correct the model's contract"
            yield document.problem((*place, "type"), text)


def _columns(include: Path, model: str) -> dict[str, str]:
    """The columns of a model's contract with their types, from its properties file."""
    for path in sorted((include / "dbt" / "models").rglob("*.yml")):
        text = path.read_text("utf-8")
        if f"name: {model}\n" not in text:
            continue
        data = yaml.load(text, Loader=yaml.CSafeLoader)
        for entry in data.get("models") or []:
            if entry["name"] == model:
                return {c["name"]: str(c.get("data_type")).upper() for c in entry.get("columns") or []}
    return {}
