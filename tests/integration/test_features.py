"""Law 4's upsert mode against the Bigtable emulator."""

from __future__ import annotations

import os
import uuid
from typing import Any

import pytest

from hourglass.cloud import bigtable
from hourglass.cloud.bigtable import FeatureWriter, PushError, ensure_family, read_features

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SIX, SEVEN = 1_626_850_800_000, 1_626_854_400_000


@pytest.fixture
def instance() -> Any:
    return bigtable.instance(os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"])


@pytest.fixture
def family(instance: Any) -> str:
    name = f"t{uuid.uuid4().hex[:12]}"
    ensure_family(instance, name)
    ensure_family(instance, name)
    return name


def test_features_read_back_with_their_types(instance: Any, family: str) -> None:
    row = {"entity": "Zoë#1", "n": 3, "rate": 0.5, "bot": False, "name": 'q"x', "none": None}
    assert FeatureWriter(instance, family, SIX).upsert([row]) == 1
    assert read_features(instance, family, "Zoë#1") == {k: v for k, v in row.items() if k != "entity"}
    assert read_features(instance, family, "nobody") == {}


def test_an_old_hour_never_hides_a_newer_value(instance: Any, family: str) -> None:
    FeatureWriter(instance, family, SEVEN).upsert([{"entity": "a", "n": 7}])
    FeatureWriter(instance, family, SIX).upsert([{"entity": "a", "n": 6}])
    assert read_features(instance, family, "a") == {"n": 7}


def test_removing_an_hours_cells_uncovers_the_value_before(instance: Any, family: str) -> None:
    FeatureWriter(instance, family, SIX).upsert([{"entity": "a", "n": 6}])
    newer = FeatureWriter(instance, family, SEVEN)
    newer.upsert([{"entity": "a", "n": 7}])
    newer.remove(["a"], ["n"])
    assert read_features(instance, family, "a") == {"n": 6}


def test_a_feature_that_was_dropped_goes_away_with_the_same_push(instance: Any, family: str) -> None:
    writer = FeatureWriter(instance, family, SIX)
    writer.upsert([{"entity": "a", "n": 6, "old": 1}])
    writer.upsert([{"entity": "a", "n": 6}], stale=["old"])
    assert read_features(instance, family, "a") == {"n": 6}


def test_features_of_two_pushes_never_mix(instance: Any, family: str) -> None:
    FeatureWriter(instance, family, SIX).upsert([{"entity": "a", "n": 6, "only_at_six": 1}])
    FeatureWriter(instance, family, SEVEN).upsert([{"entity": "a", "n": 7}])
    assert read_features(instance, family, "a") == {"n": 7}


def test_many_rows_go_in_several_requests(instance: Any, family: str) -> None:
    rows = ({"entity": f"user{i}", "n": i} for i in range(4_500))
    assert FeatureWriter(instance, family, SIX).upsert(rows) == 4_500
    assert read_features(instance, family, "user4499") == {"n": 4499}


def test_a_refused_row_is_an_error_that_says_what_to_do(instance: Any) -> None:
    with pytest.raises(PushError, match=r"refused 1 of 1 rows.*correct the feature set"):
        FeatureWriter(instance, "no_such_family", SIX).upsert([{"entity": "a", "n": 1}])
