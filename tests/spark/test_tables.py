"""The Iceberg tables: one landing hour is replaced and nothing else, columns come and go, hours commit at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from refine_hour import Hour, column, event, line

from hg_spec import RefineError, parse_spec

Hours = Callable[[str], Hour]
SIX, SEVEN = "2021-07-21T06:00:00+00:00", "2021-07-21T07:00:00+00:00"


def test_columns_in_order(hour: Hour, spark: Any) -> None:
    hour.gz("a.gz", [line(1)])
    spec = hour.spec(enrichment=[{"name": "twice", "type": "INT64", "expression": "n * 2"}])
    hour.run(spec)
    silver = spark.table(spec["tables"]["silver"])
    assert silver.columns[-6:] == [
        "twice",
        "landing_hour",
        "event_date",
        "source_object",
        "source_line",
        "unknown_fields",
    ]
    assert silver.columns[: len(hour.schema)] == [f["name"] for f in hour.schema]
    assert dict(spark.table(spec["tables"]["quarantine"]).dtypes) == {
        "landing_hour": "timestamp",
        "reason": "string",
        "field": "string",
        "raw_line": "binary",
        "source_object": "string",
        "source_line": "bigint",
    }
    properties = {r[0]: r[1] for r in spark.sql(f"SHOW TBLPROPERTIES {spec['tables']['silver']}").collect()}
    assert properties["format-version"] == "2"
    assert properties["write.metadata.delete-after-commit.enabled"] == "true"


def test_a_rerun_replaces_its_hour_and_no_other(hours: Hours) -> None:
    six, seven = hours(SIX), hours(SEVEN)
    six.gz("a.gz", [line(1), line(2), b"bad"])
    seven.gz("a.gz", [line(1, at="2021-07-21T07:00:00Z"), b"bad", b"bad"])
    first = six.refine()
    other = seven.refine()
    again = six.refine()
    assert (again.silver, again.quarantine) == (first.silver, first.quarantine)
    assert again.outcome["snapshots"] != first.outcome["snapshots"]
    six.objects.clear()
    six.gz("b.gz", [line(3)])
    late = six.refine()
    assert [r["id"] for r in late.silver] == ["3"]
    assert late.quarantine == []
    assert seven.rows(_tables(seven)["silver"]) == other.silver
    assert seven.rows(_tables(seven)["quarantine"]) == other.quarantine


def _tables(hour: Hour) -> dict[str, str]:
    tables: dict[str, str] = hour.spec()["tables"]
    return tables


def test_the_outcome_lists_the_hours_files(hours: Hours, spark: Any) -> None:
    six, seven = hours(SIX), hours(SEVEN)
    seven.gz("a.gz", [line(9, at=SEVEN)])
    seven.refine()
    six.gz("a.gz", [line(1), line(2), b"bad"])
    outcome = six.refine().outcome
    (silver,) = outcome["files"]["silver"]
    (bad,) = outcome["files"]["quarantine"]
    assert (silver["rows"], bad["rows"]) == (2, 1)
    assert [r["id"] for r in spark.read.parquet(silver["uri"]).orderBy("id").collect()] == ["1", "2"]
    # The landing hour is a column of the file itself: a load of the file alone knows its partition.
    assert "landing_hour" in spark.read.parquet(silver["uri"]).columns
    assert "%" not in silver["uri"]


def test_hours_commit_at_the_same_time(hours: Hours) -> None:
    made = [hours(f"2021-07-21T{h:02}:00:00+00:00") for h in (6, 7, 8, 9)]
    for number, hour in enumerate(made):
        hour.gz("a.gz", [line(number, at=hour.start), b"bad"])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda hour: hour.refine(), made))
    for number, (hour, result) in enumerate(zip(made, results, strict=True)):
        assert [r["id"] for r in hour.rows(_tables(hour)["silver"])] == [str(number)]
        assert result.counts == {"lines": 2, "silver": 1, "quarantined": 1, "duplicates": 0}


def test_hours_add_columns_at_the_same_time(hours: Hours, spark: Any) -> None:
    """Each of them changes the table's columns under the others' feet, in the very same moment."""
    first = hours("2021-07-21T05:00:00+00:00")
    first.gz("a.gz", [line(0, at=first.start)])
    first.refine()
    made = [hours(f"2021-07-21T{h:02}:00:00+00:00") for h in (6, 7, 8, 9)]
    for number, hour in enumerate(made):
        hour.schema += [column(f"new_{n}", "STRING") for n in range(4)]
        hour.gz("a.gz", [json.dumps(event(number, at=hour.start, **{f"new_{number}": "x"})).encode()])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda hour: hour.refine(), made))
    for number, hour in enumerate(made):
        (row,) = hour.rows(_tables(hour)["silver"])
        assert [row[f"new_{n}"] for n in range(4)] == ["x" if n == number else None for n in range(4)]


def test_an_older_version_writes_its_own_columns_alone(hours: Hours, spark: Any) -> None:
    """After a schema was rolled back, the gate loads the files by the schema that is configured."""
    six, seven = hours(SIX), hours(SEVEN)
    seven.schema.insert(1, column("colour", "STRING"))
    actor = next(f for f in seven.schema if f["name"] == "actor")
    seven.schema[seven.schema.index(actor)] = {
        **actor,
        "fields": [*actor["fields"], column("nick", "STRING")],
    }
    seven.gz("a.gz", [json.dumps(event(2, at=SEVEN, colour="red")).encode()])
    seven.refine()
    six.gz("a.gz", [line(1, actor={"id": 1, "email": "e"})])
    (file,) = six.refine().outcome["files"]["silver"]
    written = spark.read.parquet(file["uri"])
    assert "colour" not in written.columns
    assert "nick" not in written.select("actor.*").columns
    (row,) = six.rows(_tables(six)["silver"])
    assert (row["id"], row["colour"], row["actor"]["nick"], row["actor"]["email"]) == ("1", None, None, "e")


def test_new_fields_become_columns_and_old_ones_stay(hours: Hours, spark: Any) -> None:
    six, seven = hours(SIX), hours(SEVEN)
    six.gz("a.gz", [line(1, actor={"id": 1, "email": "e"}, items=[{"sku": "a"}])])
    six.refine()
    seven.schema[seven.schema.index(next(f for f in seven.schema if f["name"] == "actor"))] = column(
        "actor", "RECORD", "NULLABLE", [column("id", "INT64", "REQUIRED"), column("nick", "STRING")]
    )
    seven.schema[:] = [f for f in seven.schema if f["name"] != "tags"]
    seven.schema.insert(1, column("colour", "STRING"))
    items = next(f for f in seven.schema if f["name"] == "items")
    seven.schema[seven.schema.index(items)] = items | {
        "fields": [*items["fields"], column("price", "NUMERIC")]
    }
    new = event(
        2, at=SEVEN, colour="red", actor={"id": 2, "nick": "bo"}, items=[{"sku": "b", "price": 1}], tags=["t"]
    )
    seven.gz("a.gz", [json.dumps(new).encode()])
    result = seven.refine()
    row = result.row(2)
    assert (row["colour"], row["actor"]) == ("red", {"id": 2, "nick": "bo", "email": None})
    assert row["items"][0]["price"] == 1
    assert row["tags"] is None
    assert row["unknown_fields"] == '{"tags":["t"]}'
    old = six.rows(_tables(six)["silver"])[0]
    assert (old["colour"], old["actor"]) == (None, {"id": 1, "nick": None, "email": "e"})
    assert spark.table(_tables(six)["silver"]).columns[:3] == ["id", "colour", "at"]
    again = six.refine()  # the old schema, in the wider table
    assert again.row(1)["actor"] == {"id": 1, "nick": None, "email": "e"}


def test_a_new_version_leaves_old_data_files_alone(hours: Hours, spark: Any) -> None:
    """1.0 to 1.1: three NULLABLE fields come, an enrichment goes. Old rows and new rows read NULL for the other's."""
    six, seven = hours(SIX), hours(SEVEN)
    six.gz("a.gz", [line(1, actor={"id": 1}, items=[{"sku": "a", "detail": {"q": 1}}])])
    old = six.refine(enrichment=[{"name": "twice", "type": "INT64", "expression": "n * 2"}])
    seven.schema = [_grown(f) for f in seven.schema] + [column("colour", "STRING")]
    new = line(
        2, at=SEVEN, colour="red", actor={"id": 2, "team": {"n": 3}}, items=[{"sku": "b", "price": 1.5}]
    )
    seven.gz("a.gz", [new])
    result = seven.refine(schema={"version": "1.1", "fields": seven.schema})
    row = result.row(2)
    assert (row["colour"], row["twice"], row["unknown_fields"]) == ("red", None, None)
    assert (row["actor"]["team"], row["items"][0]["price"]) == ({"n": 3}, 1.5)
    before = six.rows(_tables(six)["silver"])[0]
    assert (before["colour"], before["twice"], before["actor"]["team"]) == (None, 2, None)
    assert before["items"] == [{"sku": "a", "detail": {"q": 1}, "price": None}]
    files = {f["file_path"] for f in spark.table(_tables(six)["silver"] + ".files").collect()}
    assert files == {f["uri"] for f in old.outcome["files"]["silver"] + result.outcome["files"]["silver"]}
    assert result.outcome["schema_version"] == "1.1"


def _grown(field: dict[str, Any]) -> dict[str, Any]:
    more = {
        "actor": column("team", "RECORD", "NULLABLE", [column("n", "INT64")]),
        "items": column("price", "FLOAT64"),
    }
    return field | {"fields": [*field["fields"], more[field["name"]]]} if field["name"] in more else field


def test_a_column_keeps_its_type(hours: Hours) -> None:
    six, seven = hours(SIX), hours(SEVEN)
    six.gz("a.gz", [line(1)])
    six.refine()
    seven.schema[2] = column("n", "STRING")
    seven.gz("a.gz", [line(2, at=SEVEN)])
    with pytest.raises(RefineError, match=r"`n` is bigint, the schema now says string"):
        seven.refine()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"rules": [{"name": "r", "field": "n", "expression": "m > 0"}]},
            r"rule r, field n.*does not analyse: m > 0",
        ),
        ({"rules": [{"name": "r", "field": "n", "expression": "n >"}]}, r"rule r, field n.*does not analyse"),
        (
            {"rules": [{"name": "r", "field": "n", "expression": "n + 1"}]},
            r"rule r, field n.*bigint, not boolean",
        ),
        ({"rules": [{"name": "r", "field": "n", "expression": "rand() > 0.5"}]}, r"another value each time"),
        ({"rules": [{"name": "r", "field": "at", "expression": "at < now()"}]}, r"another value each time"),
        ({"rules": [{"name": "r", "field": "n", "expression": "sum(n) > 0"}]}, r"rule r.*does not analyse"),
        (
            {"enrichment": [{"name": "e", "type": "STRING", "expression": "explode(tags)"}]},
            r"enrichment e.*does not analyse",
        ),
        ({"enrichment": [{"name": "e", "type": "TEXT", "expression": "n"}]}, r"enrichment e has type TEXT"),
        ({"enrichment": [{"name": "N", "type": "INT64", "expression": "n"}]}, r"column N would exist twice"),
        ({"format": {"type": "orc"}}, r"format orc, refine reads json"),
    ],
)
def test_a_wrong_configuration_fails_at_once(hour: Hour, change: dict[str, Any], message: str) -> None:
    hour.gz("a.gz", [line(1)])
    with pytest.raises(RefineError, match=message):
        hour.refine(**change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "not a spec file"),
        ('{"version": 2}', "version 2, this job reads version 1"),
        ("{}", "version"),
    ],
)
def test_a_wrong_spec_says_so(text: str, message: str) -> None:
    with pytest.raises(RefineError, match=message):
        parse_spec(text)
