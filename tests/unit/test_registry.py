"""The feature registry: every mistake with its place, and what is shipped agrees with the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hourglass.config import ConfigError
from hourglass.config.features import load_registry

ROOT = Path(__file__).resolve().parents[2]
SOUND = """features:
  - name: events_7d
    version: 1
    entity: user_id
    type: INT64
    description: Events of the seven days.
    owner: ada
    freshness: 7d
    model: user_features
"""
PROPERTIES = """
models:
  - name: user_features
    columns: [{name: events_7d, data_type: int64}, {name: events_7d_v2, data_type: float64}]
"""


@pytest.fixture
def include(tmp_path: Path) -> Path:
    models = tmp_path / "dbt/models/marts/ml"
    models.mkdir(parents=True)
    (models / "user_features.sql").write_text("select 1")
    (models / "_ml__models.yml").write_text(PROPERTIES)
    (tmp_path / "features").mkdir()
    return tmp_path


def load(include: Path, text: str) -> str:
    (include / "features/registry.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_registry(include)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("version: 1", "version: 0", "3:14", "greater than or equal to 1"),
        ("    owner: ada\n", "", "2:5", "key 'owner' is missing"),
        ("freshness: 7d", "freshness: week", "8:16", "'week' is not a duration"),
        ("type: INT64", "type: INTEGER", "5:11", "'INTEGER' is not allowed here"),
        ("type: INT64", "type: STRING", "5:11", "user_features.events_7d is INT64"),
        ("name: events_7d", "name: events_8d", "2:11", "no column 'events_8d'; did you mean 'events_7d'?"),
        ("model: user_features", "model: user_feature", "9:12", "did you mean 'user_features'?"),
        ("entity", "entitty", "4:5", "unknown key 'entitty'; did you mean 'entity'?"),
    ],
)
def test_a_mistake_is_named_with_its_place(include: Path, old: str, new: str, place: str, says: str) -> None:
    text = load(include, SOUND.replace(old, new, 1))
    assert f"registry.yaml:{place}: error: " in text, text
    assert says in text


def test_versions_stand_side_by_side_and_none_twice(include: Path) -> None:
    second = (
        SOUND.split("\n", 1)[1]
        .replace("type: INT64", "type: FLOAT64")
        .replace("freshness: 7d", "freshness: 30d")
    )
    second = second.replace("version: 1", "version: 2") + "    column: events_7d_v2\n"
    (include / "features/registry.yaml").write_text(SOUND + second)
    registry = load_registry(include)
    assert [f.version for f in registry.features] == [1, 2]
    assert registry.newest()["user_id", "events_7d"].source_column == "events_7d_v2"
    assert registry.longest_freshness("user_features").days == 30
    assert "events_7d of user_id has version 2 already" in load(include, SOUND + second + second)


def test_the_shipped_registry_has_every_feature_of_the_training_sets() -> None:
    registry = load_registry(ROOT / "include")
    ml = ROOT / "include/dbt/models/marts/ml"
    known = {(f.entity, f.source_column) for f in registry.features}
    sets = list(ml.glob("training_photo_interest_*.sql"))
    assert len(sets) == 2
    for path in sets:
        text = path.read_text("utf-8")
        for argument, entity in (("users", "user_id"), ("photos", "content_id")):
            listed = re.search(rf"{argument}=\[(.*?)\]", text)
            for column in re.findall(r'"(\w+)"', listed[1]) if listed else ():
                assert (entity, column) in known, f"{path.name} uses {column} of {entity}"
        age = re.search(r"max_age_days=(\d+)", text)
        assert age
        assert int(age[1]) == registry.longest_freshness("user_features").days
