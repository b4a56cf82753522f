"""Schema drift: which version takes the data, what to add to a schema, and what people are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.config.schema import SchemaField
from hourglass.partition.drift import Drift, accepting, addition, data_path, notice, values_at

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "amount", "type": "INT64"},
    {"name": "who", "type": "RECORD", "fields": [{"name": "login", "type": "STRING", "source_path": "user"}]},
]
LOOSE = [{**FIELDS[0], "mode": "NULLABLE"}, *FIELDS[1:], {"name": "city", "type": "STRING"}]
INT_N = {"name": "n", "type": "INT64"}
JSON_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def unknown(path: str, *values: Any) -> Drift:
    return Drift(unknown={path: 7}, values={path: values})


@pytest.mark.parametrize(
    ("drift", "version"),
    [
        (unknown("city", "Bern"), "1.1"),
        (unknown("city", 5), None),
        (unknown("town", "Bern"), None),
        (unknown("who.user", "ann"), "1.0"),
        (Drift(missing={"id": 7}), "1.1"),
        (Drift(missing={"id": 7}, unknown={"town": 1}, values={"town": ["x"]}), None),
        (Drift(retyped={"amount": 7}, values={"amount": ["12"]}), None),
        (Drift(retyped={"amount": 7}, values={"amount": [12]}), "1.0"),
    ],
)
def test_the_first_version_that_takes_all_of_it_is_named(drift: Drift, version: str | None) -> None:
    assert accepting(drift, [("1.0", FIELDS), ("1.1", LOOSE)]) == version


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([1, None, 2], {"type": "INT64"}),
        ([1, 2.5], {"type": "FLOAT64"}),
        ([True], {"type": "BOOL"}),
        (["2026-01-05"], {"type": "DATE"}),
        (["2026-01-05T06:00:00Z", "2026-01-05"], {"type": "TIMESTAMP"}),
        (["x", "2026-01-05"], {"type": "STRING"}),
        ([1, "x"], {"type": "JSON"}),
        ([None], {"type": "JSON"}),
        ([], {"type": "JSON"}),
        ([{}], {"type": "JSON"}),
        ([["a"], []], {"type": "STRING", "mode": "REPEATED"}),
        ([["a", None]], {"type": "JSON"}),
        ([[[1]]], {"type": "JSON"}),
        ([{"n": 1}, {"m": "x"}], {"type": "RECORD", "fields": [INT_N, {"name": "m", "type": "STRING"}]}),
    ],
)  # fmt: skip
def test_what_to_add_follows_from_the_values(values: list[Any], field: dict[str, Any]) -> None:
    assert addition("who.extra", values) == {"name": "extra", **field}


def test_a_key_that_is_no_column_name_becomes_its_source_path() -> None:
    assert addition("the-ün.10 %", [1]) == {"name": "_10__", "type": "INT64", "source_path": "10 %"}


@given(st.lists(JSON_VALUES, max_size=4))
def test_what_to_add_is_a_sound_field_that_takes_the_values(values: list[Any]) -> None:
    """Whatever a producer sends, the suggestion is a field of a schema file, and the data fits it."""
    made = addition("extra", values)
    SchemaField.model_validate({"description": "x", **made})
    drift = Drift(unknown={"extra": 1}, values={"extra": values})
    assert accepting(drift, [("2.0", [made])]) == "2.0"


def test_values_are_found_below_records_and_lists() -> None:
    document = {"a": [{"b": 1}, {"b": {"c": 2}}, {}], "x": {"y": [3]}}
    assert list(values_at(document, "a.b")) == [1, {"c": 2}]
    assert list(values_at(document, "x.y")) == [[3]]
    assert list(values_at(document, "a.none")) == []
    assert data_path(FIELDS, "who.login") == "who.user"


def test_the_notice_names_fields_examples_and_the_remedy() -> None:
    drift = Drift(
        unknown={"city": 7}, retyped={"amount": 3}, missing={"id": 2},
        values={"city": ["Bern"], "amount": ["12,5"]},
    )  # fmt: skip
    text = "\n".join(notice(drift, "1.0", None))
    assert 'field city is not in schema 1.0: in 7 rows, kept in unknown_fields, such as "Bern"' in text
    assert "field amount has values of another type" in text
    assert '3 lines are quarantined as wrong_type, such as "12,5"' in text
    assert "field id is REQUIRED in schema 1.0 and missing: 2 lines" in text
    assert 'add to fields in a new version: {"name": "city", "type": "STRING"}' in text
    assert 'amount now looks like {"type": "STRING"}' in text
    assert 'without id, write "mode": "NULLABLE"' in text
    assert notice(drift, "1.0", "1.1")[-1].startswith("schema 1.1 accepts this data")


def test_a_hundred_new_fields_make_no_hundred_lines() -> None:
    many = Drift(unknown={f"f{n}": 1 for n in range(100)})
    lines = notice(many, "1.0", None)
    assert len(lines) <= 22
    assert "and 90 more fields" in lines
    assert json.dumps(lines)
