"""The push task against BigQuery, GCS and Bigtable: query, write, record, and what a second push removes."""

from __future__ import annotations

import dataclasses
import os
import time
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from google.cloud import bigquery

from hourglass.cloud.dataproc import BatchHook
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.config.owner import Warehouse
from hourglass.config.serving import FeatureSet
from hourglass.config.warehouse import load_warehouse
from hourglass.features.read import Store, open_store
from hourglass.operators.push_features import PushFeaturesOperator

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SIX = datetime(2021, 7, 21, 6, tzinfo=UTC)
EVERY_TYPE = """
SELECT
    CONCAT('user', CAST(n AS STRING)) AS entity,
    n,
    n / 2 AS half,
    MOD(n, 2) = 0 AS even,
    TIMESTAMP_ADD(@landing_hour, INTERVAL n MINUTE) AS seen_at,
    DATE(@landing_hour) AS day,
    CAST(n AS NUMERIC) AS price,
    CAST(NULL AS STRING) AS nothing,
    GENERATE_ARRAY(1, n) AS items
FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS n
"""


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    (tmp_path / "sql" / "features").mkdir(parents=True)
    real = Platform.from_env()
    (tmp_path / "spark").symlink_to(real.include / "spark")
    return dataclasses.replace(real, include=tmp_path)


@pytest.fixture
def store() -> Store:
    return open_store(os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"])


def push(platform: Platform, sql: str, name: str, start: datetime = SIX, **settings: Any) -> int:
    (platform.include / "sql" / "features" / f"{name}.sql").write_text(sql)
    return operator_of(platform, name, **settings).execute(context_of(start))


def operator_of(platform: Platform, name: str, **settings: Any) -> PushFeaturesOperator:
    return PushFeaturesOperator(
        task_id=f"push_{name}",
        feature_set=FeatureSet(name=name, **settings),
        source=load_source("github"),
        platform=platform,
    )


def context_of(start: datetime) -> Any:
    run = SimpleNamespace(logical_date=start, run_id="r")
    return {"dag_run": run, "params": {}, "ti": None}


def test_a_querys_rows_are_read_back_with_their_types(platform: Platform, store: Store, name: str) -> None:
    assert push(platform, EVERY_TYPE.format(rows=12), name, top=3) == 12
    found = store.features(name, "user5")
    assert found is not None
    assert found.values == {
        "n": 5, "half": 2.5, "even": False, "seen_at": SIX.replace(minute=5), "day": date(2021, 7, 21),
        "price": Decimal(5), "nothing": None, "items": [1, 2, 3],
    }  # fmt: skip
    assert found.as_of == SIX.replace(hour=7)


@pytest.mark.parametrize("mode", ["upsert", "snapshot"])
def test_a_second_push_leaves_what_the_query_has_now(
    platform: Platform, store: Store, name: str, mode: str
) -> None:
    assert push(platform, EVERY_TYPE.format(rows=4), name, mode=mode) == 4
    assert push(platform, "SELECT 'user2' AS entity, 20 AS n", name, mode=mode) == 1
    assert {e: f.values for e, f in store.many(name, [f"user{i}" for i in range(6)]).items()} == {
        "user2": {"n": 20}
    }


def test_a_large_set_is_pushed_by_spark(platform: Platform, store: Store, name: str) -> None:
    """The same rows, types and removals as in the worker."""
    assert push(platform, EVERY_TYPE.format(rows=12), name, top=3) == 12
    small = store.features(name, "user5")
    with pytest.raises(TaskDeferred) as deferred:
        push(platform, EVERY_TYPE.format(rows=8), name, top=3, spark_above=7)
    batch_id = deferred.value.trigger.batch_id
    hook = BatchHook()
    where = {"region": platform.region, "project_id": platform.project}
    batch = wait_for(hook, batch_id, where)
    event = {
        "batch_id": batch_id,
        "batch_state": batch.state.name,
        "batch_state_message": batch.state_message,
    }
    finish = operator_of(platform, name, top=3)
    assert finish.finish(context_of(SIX), event, **(deferred.value.kwargs or {})) == 8
    assert store.features(name, "user5") == small
    assert set(store.many(name, [f"user{i}" for i in range(1, 13)])) == {f"user{i}" for i in range(1, 9)}
    assert push(platform, "SELECT 'user2' AS entity, 2 AS n", name) == 1
    assert store.features(name, "user5") is None


def wait_for(hook: BatchHook, batch_id: str, where: dict[str, str]) -> Any:
    for _ in range(300):
        batch = hook.get_batch(batch_id=batch_id, **where)
        if batch.state.name not in ("PENDING", "RUNNING"):
            return batch
        time.sleep(1)
    raise AssertionError(f"batch {batch_id} is still running")


def test_an_old_snapshot_is_not_pushed(platform: Platform, store: Store, name: str) -> None:
    assert push(platform, "SELECT 'a' AS entity, 7 AS n", name, SIX.replace(hour=7), mode="snapshot") == 1
    assert push(platform, "SELECT 'a' AS entity, 6 AS n", name, mode="snapshot") == 0
    found = store.features(name, "a")
    assert found is not None
    assert found["n"] == 7


def test_a_set_without_rows_is_pushed(platform: Platform, store: Store, name: str) -> None:
    push(platform, "SELECT 'a' AS entity, 6 AS n", name)
    assert push(platform, "SELECT 'a' AS entity, 6 AS n FROM UNNEST([1]) AS x WHERE x > 1", name) == 0
    assert store.features(name, "a") is None


def test_a_changed_layout_names_the_migration(platform: Platform, name: str) -> None:
    push(platform, "SELECT 'a' AS entity, 6 AS n", name)
    with pytest.raises(
        Exception, match=r"keeps 1 versions, not 24[\s\S]*features migrate[\s\S]*#features-need-migration"
    ):
        push(platform, "SELECT 'a' AS entity, 6 AS n", name, versions=24)


def test_a_query_without_an_entity_is_named(platform: Platform, name: str) -> None:
    with pytest.raises(
        Exception, match=rf"feature set {name} has no column 'entity'[\s\S]*#features-not-pushed"
    ):
        push(platform, "SELECT 6 AS n", name)


def test_the_warehouses_sets_are_pushed_by_day(store: Store) -> None:
    client, platform = bigquery.Client(), Platform.from_env()
    client.create_dataset("gold", exists_ok=True)
    names = [
        "sessions_7d",
        "events_7d",
        "views_7d",
        "interactions_7d",
        "active_days_7d",
        "interaction_rate_7d",
    ]
    names += ["engagement_seconds_7d", "days_since_previous_activity", "views_1d", "users_1d", "users_7d"]
    numbers = ", ".join(f"{number} AS {name}" for number, name in enumerate([*names, "shares_7d"]))
    day = "DATE '2021-07-21' AS event_date"
    for table, columns in (
        ("user_features", f"'ada' AS user_id, 'standard' AS user_segment, 'DE' AS user_country, {numbers}"),
        ("recommendation_features", f"'photo' AS content_id, {numbers}"),
        (
            "fct_recommendations",
            "'ada' AS user_id, c AS content_id, n AS recommendation_rank, 9 - n AS score",
        ),
    ):
        rows = "FROM UNNEST(['b', 'a']) AS c WITH OFFSET AS n" if table.startswith("fct") else ""
        client.query_and_wait(f"CREATE OR REPLACE TABLE gold.{table} AS SELECT {day}, {columns} {rows}")
    sets = {one.name: one for one in load_warehouse(platform.include).feature_sets}
    for name, feature_set in sets.items():
        task = PushFeaturesOperator(
            task_id=f"push_{name}", feature_set=feature_set, source=Warehouse(), platform=platform
        )
        assert task.execute(context_of(datetime(2021, 7, 21, tzinfo=UTC))) == 1
    user, photo = store.features("user_features", "ada"), store.features("item_features", "photo")
    top = store.features("user_recommendations", "ada")
    assert user is not None
    assert photo is not None
    assert top is not None
    assert (user.values["events_7d"], user.values["user_country"], user.as_of.day) == (1, "DE", 22)
    assert photo.values["shares_7d"] == 11
    assert top.values == {"items": ["b", "a"], "scores": [9, 8]}
