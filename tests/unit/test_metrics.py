"""Metrics: what they compute, of which type, and what cannot be read."""

from __future__ import annotations

import pytest

from hourglass.config.metrics import Metric, parse_metric


@pytest.mark.parametrize(
    ("text", "metric", "kind", "result"),
    [
        ("sum(amount) as total", Metric("sum", "amount", "total"), "NUMERIC", "NUMERIC"),
        ("SUM( amount )  AS  total", Metric("sum", "amount", "total"), "INT64", "INT64"),
        ("count(*) as n", Metric("count", "*", "n"), None, "INT64"),
        ("count(id) as n", Metric("count", "id", "n"), "JSON", "INT64"),
        ("count(distinct a.b) as n", Metric("count", "a.b", "n", distinct=True), "STRING", "INT64"),
        ("avg(n) as mean", Metric("avg", "n", "mean"), "INT64", "FLOAT64"),
        ("avg(n) as mean", Metric("avg", "n", "mean"), "NUMERIC", "NUMERIC"),
        ("stddev(n) as s", Metric("stddev", "n", "s"), "NUMERIC", "FLOAT64"),
        ("min(at) as first", Metric("min", "at", "first"), "TIMESTAMP", "TIMESTAMP"),
        ("any_value(x) as x1", Metric("any_value", "x", "x1"), "JSON", "JSON"),
        ("approx_count_distinct(x) as n", Metric("approx_count_distinct", "x", "n"), "STRING", "INT64"),
        ("countif(a = 'x as y' or b) as n", Metric("countif", "a = 'x as y' or b", "n"), None, "INT64"),
        (
            "cast(sum(p * q) / 2 as numeric) as half",
            Metric("cast", "sum(p * q) / 2", "half", cast="NUMERIC"),
            None,
            "NUMERIC",
        ),
        (
            "cast(max(cast(x as INT64)) as STRING) as top",
            Metric("cast", "max(cast(x as INT64))", "top", cast="STRING"),
            None,
            "STRING",
        ),
    ],
)
def test_a_metric_is_read_with_its_type(text: str, metric: Metric, kind: str | None, result: str) -> None:
    assert parse_metric(text) == metric
    assert metric.result_type(kind) == result
    assert parse_metric(f"{metric.sql} as {metric.alias}") == metric


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sum(amount)", r"write sum\(amount\) as NAME"),
        ("cast(x as INT64)", "has no name"),
        ("sum(amount as total", "parenthesis"),
        ("amount as total", "is no call"),
        ("sum() as total", "is no call"),
        ("summ(amount) as total", "did you mean 'sum'"),
        ("sum(a * b) as total", r"write cast\(sum\(a \* b\) as TYPE\) as total"),
        ("sum(*) as total", "which is no field"),
        ("sum(distinct a) as total", "which is no field"),
        ("count(distinct *) as n", "which is no field"),
        ("cast(a as WORD) as b", "casts to no type"),
        ("sum(a) as 1st", "has no name"),
        ("countif(a = 'x) as n", "quote"),
        ("sum(a) + sum(b) as n", r"write cast\(sum\(a\) \+ sum\(b\) as TYPE\) as n"),
        ("countif(a) + countif(b) as n", "more than one call"),
        ("", "has no name"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_metric(text)


@pytest.mark.parametrize(
    ("text", "kind"), [("sum(x) as y", "STRING"), ("min(x) as y", "RECORD"), ("avg(x) as y", "REPEATED")]
)
def test_a_field_of_another_type_is_refused(text: str, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"but 'x' is {kind}; write cast"):
        parse_metric(text).result_type(kind)
