"""Generated data: determinism, rates, formats, layouts, rows without a generator, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recount import recount
from typer.testing import CliRunner

from hourglass.cli.app import app
from hourglass.config import Source, load_source
from hourglass.generate.core import GenerateError, Rates, draw_for, good_rows, make_partition
from hourglass.generate.draw import Draw
from hourglass.generate.patterns import text_for
from hourglass.generate.write import generate, tally_file
from hourglass.partition import Partition

PARTITION = Partition.parse("2026-01-05T06")
FIELDS = [
    {"name": "id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "at", "type": "TIMESTAMP", "mode": "REQUIRED"},
    {"name": "email", "type": "STRING"},
    {"name": "kind", "type": "STRING"},
    {"name": "code", "type": "STRING"},
    {"name": "amount", "type": "NUMERIC"},
    {"name": "share", "type": "FLOAT64"},
    {"name": "count", "type": "INT64", "source_path": "n.count"},
    {"name": "open", "type": "BOOL"},
    {"name": "day", "type": "DATE"},
]
NESTED = [
    {"name": "more", "type": "JSON"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    {"name": "who", "type": "RECORD", "fields": [{"name": "city", "type": "STRING"}]},
]
RULES = [
    {"field": "email", "check": "valid_email"},
    {"field": "kind", "check": "in_set", "values": ["a", "b"]},
    {"field": "code", "check": "regex", "pattern": "^[A-Z]{2}-\\d{3,5}(x|yz)?$"},
    {"field": "amount", "check": "positive_number"},
    {"field": "share", "check": "between", "min": 0, "max": 1},
    {"field": "count", "check": "between", "min": -5, "max": 5},
    {"field": "at", "check": "not_in_future"},
    {"field": "at", "check": "max_age", "age": "3d"},
]
Make = Callable[..., Source]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A source without a generator, with changes to its YAML's `ingestion` and `schema`."""

    def made(
        fields: list[dict[str, Any]] = FIELDS,
        reference: dict[str, Any] | None = None,
        key: str = "id",
        **changes: Any,
    ) -> Source:
        include = tmp_path / "include"
        for name in ("sources", "schemas/crafted"):
            (include / name).mkdir(parents=True, exist_ok=True)
        schema = {"source_id": "crafted", "version": "1.0", "fields": fields}
        (include / "schemas/crafted/1.0.json").write_text(json.dumps(schema))
        batch = {"pattern": "batch_file", "location": "gs://bucket/crafted/", "schedule": "0 * * * *"}
        file = {
            "source_id": "crafted",
            "display_name": "Crafted",
            "description": "Crafted",
            "ingestion": (batch if "pattern" not in changes else {}) | changes,
            "schema": {"file": "schemas/crafted/1.0.json", "event_time": "at", **(reference or {})},
            "processing": {
                "bronze_to_silver": [{"deduplication": {"key": [key]}}, {"data_quality": {"rules": RULES}}]
            },
        }
        (include / "sources/crafted.yaml").write_text(yaml.safe_dump(file))
        return load_source("crafted", include)

    return made


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


FORMATS = [
    {"format": "json", "compression": "gzip"},
    {"format": "json", "multiline": True},
    {"format": "csv", "csv": {"delimiter": ";", "null_value": "-"}},
    {"format": "parquet"},
    {"format": "avro"},
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: "-".join(map(str, form.values())))
def test_every_format_is_counted_right_and_written_the_same_again(
    make: Make, form: dict[str, Any], tmp_path: Path
) -> None:
    source = make(FIELDS if form["format"] == "csv" else FIELDS + NESTED, **form)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        tally = generate(source, PARTITION, folder, 120, Rates(0.2, 0.1, 0.4), seed=3, objects=2)
    assert digests(folders[0]) == digests(folders[1])
    told = json.loads(tally_file(folders[0], source, PARTITION).read_text())
    assert recount(source, PARTITION, folders[0], told["objects"]) == tally.to_dict()
    assert (tally.silver, tally.duplicates, tally.quarantined) == (120, 12, 48)
    damage = {"csv": {"malformed_csv", "wrong_type"}, "json": {"wrong_type"}}.get(form["format"], set())
    damage |= {"not_json"} if form == FORMATS[0] else set()
    rules = {
        "valid_email_email",
        "in_set_kind",
        "regex_code",
        "between_share",
        "max_age_at",
        "not_in_future_at",
    }
    assert {"missing_required", "event_time_out_of_range"} | damage | rules <= set(tally.reasons)
    assert not {"malformed_csv", "wrong_type", "not_json"} - damage & set(tally.reasons)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rates=st.tuples(*[st.floats(0, 1)] * 3),
    seed=st.integers(0, 2**40),
    count=st.integers(1, 60),
    objects=st.integers(1, 5),
)
def test_the_tally_holds_for_all_seeds_and_rates(
    make: Make, tmp_path: Path, rates: tuple[float, float, float], seed: int, count: int, objects: int
) -> None:
    source = make(FIELDS + NESTED)
    tally = generate(source, PARTITION, tmp_path / "out", count, Rates(*rates), seed, objects).to_dict()
    told = json.loads(tally_file(tmp_path / "out", source, PARTITION).read_text())
    assert recount(source, PARTITION, tmp_path / "out", told["objects"]) == tally
    assert tally["silver"] == count
    assert tally["lines"] == tally["silver"] + tally["quarantined"] + tally["duplicates"]
    # What an earlier example wrote below the same folder is gone.
    data = {
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out/crafted").rglob("*") if p.is_file()
    }
    assert data == set(told["objects"])


def test_another_seed_or_partition_writes_other_rows() -> None:
    source, draw = load_source("github"), {}
    for name, partition, seed in (
        ("a", PARTITION, 1),
        ("b", PARTITION, 2),
        ("c", Partition.parse("2026-01-05T07"), 1),
    ):
        draw[name] = list(good_rows(source, draw_for(source, partition, seed), 5))
    assert draw["a"] != draw["b"]
    assert draw["a"] != draw["c"]
    assert draw["a"] == list(good_rows(source, draw_for(source, PARTITION, 1), 5))


def test_permissive_sources_lack_only_what_is_required(make: Make) -> None:
    source = make(reference={"validation": "permissive"})
    lines, _, tally = make_partition(source, PARTITION, 50, Rates(0, 0, 1))
    wrong = [line.record["at"] for line in lines if line.record.get("at") == "yesterday"]
    assert len(wrong) == tally.reasons["wrong_type"] > 0


def test_unknown_fields_are_bad_only_where_they_are_quarantined(make: Make) -> None:
    for said, seen in (("keep", False), ("quarantine", True)):
        lines, _, tally = make_partition(
            make(reference={"unknown_fields": said}), PARTITION, 60, Rates(0, 0, 1)
        )
        assert len(list(lines)) == 120
        assert ("unknown_field" in tally.reasons) is seen


def test_a_source_without_a_key_has_no_duplicates() -> None:
    source = load_source("ga4")
    lines, total, tally = make_partition(
        source, Partition.parse("2026-01-05", source.grain), 40, Rates(0, 1, 0)
    )
    assert len(list(lines)) == total == 40
    assert tally.duplicates == 0


def test_undelivered_messages_lie_apart(make: Make, tmp_path: Path) -> None:
    topic = {
        "pubsub_topic": "crafted",
        "location": "gs://bucket/crafted/",
        "dead_letter": "gs://bucket/dead/crafted/",
    }
    source = make(pattern="event_streaming", **topic)
    tally = generate(source, PARTITION, tmp_path / "out", 50, Rates(0, 0, 0.5), objects=2)
    told = json.loads(tally_file(tmp_path / "out", source, PARTITION).read_text())
    dead = [name for name in told["objects"] if name.startswith("dead/crafted/2026/01/05/06/")]
    lines = sum(len((tmp_path / "out" / name).read_text().splitlines()) for name in dead)
    assert lines == tally.reasons["dead_letter"] > 0
    usual = r"crafted/2026/01/05/06/\d\d_\d\dZ_[0-9a-f-]{36}\.json"
    assert all(re.fullmatch(usual, name) for name in set(told["objects"]) - set(dead))


def test_every_table_has_its_own_objects(tmp_path: Path) -> None:
    source = load_source("postgres_orders")
    generate(source, PARTITION, tmp_path, 100, Rates(bad=0))
    tables = source.file.ingestion.table_names
    for table, prefix in zip(tables, source.prefixes(PARTITION)[1], strict=False):
        (path,) = (tmp_path / prefix).rglob("*.json*")
        assert table.split(".")[-1] in prefix
        assert path.stat().st_size > 0


def test_moments_are_late_at_the_rate_and_no_later_than_allowed() -> None:
    draw = Draw(1, PARTITION, late=0.25, lateness=timedelta(hours=2))
    moments = [draw.moment() for _ in range(4_000)]
    late = [moment for moment in moments if moment < PARTITION.start]
    assert 0.22 < len(late) / len(moments) < 0.28
    assert min(late) >= PARTITION.start - timedelta(hours=2)
    assert max(moments) < PARTITION.end


def test_popular_things_are_popular() -> None:
    draw = Draw(1, PARTITION)
    indexes = [draw.zipf(1_000) for _ in range(5_000)]
    assert 0 <= min(indexes) <= max(indexes) < 1_000
    assert indexes.count(0) > 10 * max(1, indexes.count(500))
    assert sorted(draw.money(10) for _ in range(2_001))[1_000] == pytest.approx(10, rel=0.1)
    assert Draw.person(7) == Draw.person(7)
    assert Draw.person(7).id == Draw.ident("user", 7)


@pytest.mark.parametrize(
    "pattern", ["^[^/]+/[^/]+$", "^[A-Z]{2}$", r"^\d{4}-\w+$", "^(cat|dog)s?$", "^.+@x\\.y$", "[a-f0-9]{8}"]
)
def test_a_text_is_found_for_usual_patterns(pattern: str) -> None:
    draw = Draw(1, PARTITION)
    texts = [text_for(pattern, draw) for _ in range(30)]
    assert all(text is not None and re.search(pattern, text) for text in texts)


def test_no_text_is_made_for_patterns_beyond_the_usual() -> None:
    assert text_for(r"^(?=a)b", Draw(1, PARTITION)) is None


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["generate", *arguments], catch_exceptions=False)
    return done.exit_code, done.output


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    status, output = run(
        "github", "--partition", PARTITION.key, "--rows", "100", "--bad", "0.05", "--to", str(tmp_path)
    )
    assert status == 0
    assert output.startswith("106 lines: 100 good (")
    assert "1 repeated, 5 bad" in output
    folder = tmp_path / "github/year=2026/month=01/day=05/hour=06"
    assert sorted(path.name for path in folder.iterdir()) == ["_SUCCESS", "github-2026010506-000.json.gz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--partition", "2026-01-05"], "write one such as 2026-01-05T00"),
        (
            ["--partition", "2026-01-05T06", "--bad", "1.5"],
            "the rate of bad is 1.5; give a share between 0 and 1",
        ),
        (["--partition", "2026-01-05T06", "--rows", "0"], "ask for 1 or more"),
        (["--partition", "2026-01-05T06", "--objects", "0"], "ask for 1 or more"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], message: str, tmp_path: Path) -> None:
    status, output = run("github", *arguments, "--to", str(tmp_path / "out"))
    assert status == 1
    assert message in output
    assert not (tmp_path / "out").exists()


def test_a_generator_with_too_few_rows_is_named(make: Make) -> None:
    source = make(key="open")  # true and false: two rows, and no more
    with pytest.raises(GenerateError, match="the generator of crafted gave 2 of 5 rows"):
        list(good_rows(source, draw_for(source, PARTITION, 1), 5))
