"""Stage 1 on the layouts in which Datastream and Pub/Sub write by themselves, with the shipped sources."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import storage

from hourglass.cloud import gcs
from hourglass.config import Platform, load_source
from hourglass.operators.sense import look, where_of
from hourglass.partition import Partition
from hourglass.partition.completeness import Verdict

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
HOUR = Partition.parse("2019-03-04T05")


def put(source: str, *names: str) -> None:
    bucket = storage.Client().bucket(load_source(source).bucket)
    for name in names:
        bucket.blob(name).upload_from_string("{}")


def manifest(source: str) -> dict[str, Any]:
    where = where_of(load_source(source), Platform.from_env(), HOUR, "google_cloud_default")
    where["rule"] = {**where["rule"], "settle": 0}
    readiness, summary = look(where, datetime.now(tz=UTC))
    assert readiness.verdict is Verdict.COMPLETE
    document: dict[str, Any] = json.loads(
        gcs.read_text(gcs.client(), *summary["uri"][5:].split("/", 1)) or ""
    )
    return document


def test_the_changes_of_every_table_and_minute_are_one_partition() -> None:
    folder = "postgres_orders"
    wanted = [
        f"{folder}/public_customers/2019/03/04/05/00/a_postgresql-cdc_1.jsonl.gz",
        f"{folder}/public_order_items/2019/03/04/05/59/b_postgresql-cdc_1.jsonl.gz",
        f"{folder}/public_orders/2019/03/04/05/07/c_postgresql-backfill_1.jsonl.gz",
        f"{folder}/public_orders/2019/03/04/05/31/d_postgresql-cdc_1.jsonl.gz",
    ]
    put(
        "postgres_orders",
        *wanted,
        f"{folder}/public_orders/2019/03/04/06/00/next_hour.jsonl.gz",
        f"{folder}/public_payments/2019/03/04/05/00/a_table_that_is_not_named.jsonl.gz",
        f"{folder}/public_orders_archive/2019/03/04/05/00/another_table.jsonl.gz",
    )
    assert [o["name"] for o in manifest("postgres_orders")["objects"]] == wanted


def test_dead_letters_of_the_hour_are_in_the_manifest_and_marked() -> None:
    messages = [f"iot_sensors/2019/03/04/05/{minute}_00_4c2d.json" for minute in ("00", "59")]
    dead = "iot_sensors_dead_letter/2019/03/04/05/12_00_9f1e.json"
    put("iot_sensors", *messages, dead, "iot_sensors_dead_letter/2019/03/04/04/12_00_77aa.json")
    objects = {o["name"]: o.get("dead_letter", False) for o in manifest("iot_sensors")["objects"]}
    assert objects == {**dict.fromkeys(messages, False), dead: True}
