"""Retention by storage class becomes lifecycle rules that no table suffers from."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.cli.lifecycle import run
from hourglass.config.lifecycle import CLASSES, class_changes, lifecycle_rules

DAYS = {"standard": timedelta(days=90), "nearline": timedelta(days=365), "coldline": timedelta(days=2555)}
AGES = st.lists(st.integers(1, 4000), min_size=1, max_size=4, unique=True).map(
    lambda days: dict(zip(CLASSES, [timedelta(days=d) for d in sorted(days)], strict=False))
)


def test_an_object_grows_colder_and_goes_at_the_end() -> None:
    assert class_changes(DAYS) == [(90, "NEARLINE"), (365, "COLDLINE"), (2555, "delete")]
    assert class_changes({"standard": timedelta(days=30), "coldline": timedelta(days=60)}) == [
        (30, "COLDLINE"),
        (60, "delete"),
    ]


def test_sources_share_rules_and_table_files_are_never_deleted() -> None:
    rules = lifecycle_rules(
        [
            ("github/", DAYS, True),
            ("orders/", DAYS, True),
            ("silver/github/", {"standard": DAYS["standard"]}, False),
        ]
    )
    assert rules == [
        {
            "action": {"type": "SetStorageClass", "storageClass": "NEARLINE"},
            "condition": {"age": 90, "matchesPrefix": ["github/", "orders/"]},
        },
        {
            "action": {"type": "SetStorageClass", "storageClass": "COLDLINE"},
            "condition": {"age": 365, "matchesPrefix": ["github/", "orders/"]},
        },
        {
            "action": {"type": "Delete"},
            "condition": {"age": 2555, "matchesPrefix": ["github/", "orders/"]},
        },
    ]


@given(AGES)
def test_every_class_follows_the_one_before(ages: dict[str, timedelta]) -> None:
    changes = class_changes(ages)
    assert [age for age, _ in changes] == sorted(a.days for a in ages.values())
    assert changes[-1][1] == "delete"
    assert [then.lower() for _, then in changes[:-1]] == list(ages)[1:]


def test_the_command_prints_what_gcloud_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOURGLASS_PROJECT", "acme")
    assert run("hourglass-raw") == 0
    rules = json.loads(capsys.readouterr().out)["rule"]
    colder = [
        r for r in rules if r["action"].get("storageClass") == "COLDLINE" and r["condition"]["age"] == 30
    ]
    assert [r["condition"]["matchesPrefix"] for r in colder] == [["mobile_sdk/"]]
    assert run(None) == 0
    lake = json.loads(capsys.readouterr().out)["acme-hourglass-lake"]["rule"]
    assert {r["action"]["type"] for r in lake} == {"SetStorageClass"}
    assert run("elsewhere") == 1
    assert "retention.bronze" in capsys.readouterr().err
