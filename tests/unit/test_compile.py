"""Compiled files: what they say, and what becomes of one that a person edits or owns."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hourglass.cli.app import app
from hourglass.compile.artifact import Artifact, State, marker_of
from hourglass.compile.columns import silver_columns
from hourglass.compile.project import Compiler
from hourglass.config.loader import load_source, load_sources

ROOT = Path(__file__).resolve().parents[2]
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "STRING", "mode": "REQUIRED", "description": "The {{ key }}"},
    {"name": "user", "type": "RECORD", "classification": "pii", "fields": [
        {"name": "name", "type": "STRING"}, {"name": "city", "type": "STRING", "classification": "public"}]},
    {"name": "user_name", "type": "STRING"},
    {"name": "group", "type": "STRING", "mode": "REQUIRED"},
    {"name": "price", "type": "NUMERIC", "mode": "REQUIRED"},
    {"name": "secret", "type": "FLOAT64", "classification": "restricted"},
    {"name": "token", "type": "STRING", "mode": "REQUIRED"},
    {"name": "parts", "type": "RECORD", "mode": "REPEATED", "fields": [
        {"name": "sku", "type": "STRING"}, {"name": "sizes", "type": "INT64", "mode": "REPEATED"}]},
    {"name": "paid_at", "type": "TIMESTAMP", "mode": "REQUIRED"},
]  # fmt: skip


class Folder:
    """An include folder with sources of a test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dbt = root / "dbt"
        (root / "sources").mkdir(parents=True)
        (root / "schemas").mkdir()
        self.dbt.mkdir()

    def source(
        self,
        source_id: str,
        gold: list[Any] | None = None,
        key: list[str] | None = None,
        pii: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        steps: list[Any] = [{"deduplication": {"key": key or ["id"]}}] if key != [] else []
        schema = {"source_id": source_id, "version": "1.0", "fields": FIELDS}
        (self.root / "schemas" / f"{source_id}.json").write_text(json.dumps(schema))
        source = {
            "source_id": source_id,
            "display_name": source_id,
            "description": "A {{ description }} with marks.",
            "ingestion": {
                "pattern": "batch_file",
                "location": f"gs://raw/{source_id}/",
                "path_template": "hive",
                "schedule": "0 * * * *",
            },
            "schema": {"file": f"schemas/{source_id}.json", "event_time": "paid_at", "max_lateness": "36h"},
            "processing": {
                "bronze_to_silver": steps + ([{"pii": pii}] if pii else []),
                "silver_to_gold": gold or [],
            },
        }
        for path, value in more.items():
            *parents, last = path.split("__")
            node: Any = source
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
        (self.root / "sources" / f"{source_id}.yaml").write_text(json.dumps(source))

    def files(self, *chosen: str) -> dict[str, str]:
        loaded = load_sources(self.root)
        assert not loaded.errors, "\n".join(map(str, loaded.errors))
        report = Compiler(self.dbt, loaded.sources).compile(chosen or [s.id for s in loaded.sources])
        assert not report.errors, report.errors
        return {str(f.path): f.artifact.text for f in report.findings if f.artifact}

    def error(self, source_id: str) -> str:
        loaded = load_sources(self.root)
        if loaded.errors:
            return str(loaded.errors[0])
        return Compiler(self.dbt, loaded.sources).compile([source_id]).errors[source_id]

    def model(self, name: str) -> dict[str, Any]:
        for path, text in self.files().items():
            if path.endswith(".yml"):
                for model in (yaml.safe_load(text).get("models")) or []:
                    if model["name"] == name:
                        return dict(model)
        raise AssertionError(name)

    def sql(self, name: str) -> str:
        (found,) = [text for path, text in self.files().items() if path.endswith(f"/{name}.sql")]
        return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("HOURGLASS_INCLUDE", str(tmp_path / "include"))
    return Folder(tmp_path / "include")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compile", *arguments], catch_exceptions=False)
    return done.exit_code, done.output


def found_tests(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        test["name"]: {**test, "kind": kind} for item in model["data_tests"] for kind, test in item.items()
    }


def test_staging_takes_records_apart_and_keeps_names_apart(folder: Folder) -> None:
    folder.source("shop")
    model = folder.model("stg_shop__shop")
    columns = {c["name"]: c for c in model["columns"]}
    assert list(columns)[:5] == ["id", "user__name", "user_city", "user_name", "group"]
    assert columns["group"]["quote"] is True
    assert columns["parts"]["data_type"] == "array<struct<sku string, sizes array<int64>>>"
    assert columns["user__name"]["config"]["meta"]["classification"] == "pii"
    assert columns["user_city"]["config"]["meta"]["classification"] == "public"
    assert "{{" not in columns["id"]["description"] + model["description"]
    sql = folder.sql("stg_shop__shop")
    assert "    user.name as user__name," in sql
    assert "    `group`," in sql
    assert sql.endswith('from {{ source("shop", "shop") }}\n')
    listed = re.findall(r"^    (?:.* as )?`?(\w+)`?,?$", sql, re.MULTILINE)
    assert listed == list(columns), "the contract and the query have the same columns"


def test_tests_hold_what_refine_promises_and_no_more(folder: Folder) -> None:
    folder.source("shop", key=["id", "user.name"], pii={"drop": ["token"]})
    tests = found_tests(folder.model("stg_shop__shop"))
    required = tests["stg_shop__shop__required_fields_not_null"]["arguments"]["columns"]
    assert {"id", "`group`", "landing_hour"} <= set(required)
    assert {"token", "unknown_fields", "user_city"} & set(required) == set()
    unique = tests["stg_shop__shop__one_row_per_key_and_landing_hour"]
    assert unique["arguments"]["columns"] == ["landing_hour", "id", "user__name"]
    assert (
        unique["config"]["where"] == "__landing_hours_shop__ and __event_dates__ and user__name is not null"
    )


def test_a_key_that_pii_spoils_is_no_key(folder: Folder) -> None:
    folder.source(
        "shop",
        key=["token"],
        pii={"drop": ["token"]},
        gold=[{"aggregate": {"group_by": ["date"], "metrics": ["count(*) as n"]}}],
    )
    assert "stg_shop__shop__one_row_per_key_and_landing_hour" not in found_tests(
        folder.model("stg_shop__shop")
    )
    assert "row_number" not in folder.sql("gold_shop")


@pytest.mark.parametrize(
    ("schedule", "lateness", "expected"),
    [
        ("0 * * * *", "36h", (2, 1)),
        ("0 2 * * *", "7d", (7, 2)),
        ("0 0 * * 1", "1h", (1, 8)),
        ("*/15 * * * *", "0s", (0, 1)),
    ],
)
def test_the_source_says_how_far_its_rows_may_land(
    folder: Folder, schedule: str, lateness: str, expected: tuple[int, int]
) -> None:
    more = {
        "ingestion__schedule": schedule,
        "schema__max_lateness": lateness,
        "ingestion__path_template": "year=YYYY/month=MM/day=DD/hour=hh/minute=mm/",
    }
    if schedule != "*/15 * * * *":
        more["ingestion__path_template"] = "hive"
    folder.source("shop", **more)
    source = yaml.safe_load(folder.files()["models/staging/shop/_shop__sources.yml"])["sources"][0]
    meta = source["config"]["meta"]
    assert (meta["max_lateness_days"], meta["max_ahead_days"]) == expected


AGGREGATE = {
    "aggregate": {
        "group_by": ["user.city", "date"],
        "metrics": ["sum(price) as total", "max(secret) as worst", "count(distinct user.name) as names"],
    }
}


def test_gold_is_partitioned_by_the_date_it_is_grouped_by(folder: Folder) -> None:
    folder.source("shop", gold=[AGGREGATE], retention__gold="90d")
    model = folder.model("gold_shop")
    config = model["config"]
    assert (config["alias"], config["schema"], config["tags"]) == ("shop", "gold", ["shop"])
    assert config["partition_by"] == {"field": "date", "data_type": "date", "granularity": "day"}
    assert config["require_partition_filter"] is True
    assert "'90'" in config["partition_expiration_days"]
    columns = {c["name"]: c for c in model["columns"]}
    assert {n: c["data_type"] for n, c in columns.items()} == {
        "user_city": "string", "date": "date", "total": "numeric", "worst": "float64", "names": "int64",
    }  # fmt: skip
    assert columns["worst"]["config"]["meta"]["classification"] == "restricted", "a maximum shows a value"
    assert "config" not in columns["names"], "a count does not"
    tests = found_tests(model)
    assert tests["gold_shop__one_row_per_group"]["arguments"]["columns"] == ["user_city", "date"]
    assert tests["gold_shop__keys_not_null"]["arguments"]["columns"] == ["date"]
    assert {t["config"]["where"] for t in tests.values()} == {"__event_dates_of_date__"}
    sql = folder.sql("gold_shop")
    assert "partition by event_date, id\n" in sql
    assert "order by landing_hour, source_object, source_line" in sql
    assert "{{ event_dates_predicate(event_dates) }}" in sql


@pytest.mark.parametrize("part", ["hour", "window"])
def test_hours_and_windows_bring_their_date_along(folder: Folder, part: str) -> None:
    gold = [{"aggregate": {"group_by": [part], "metrics": ["count(*) as n"]}}]
    more: dict[str, Any] = {}
    if part == "window":
        more["ingestion"] = {"pattern": "event_streaming", "pubsub_topic": "shop", "window_size": "5m"}
    folder.source("shop", gold=gold, **more)
    model = folder.model("gold_shop")
    assert [c["name"] for c in model["columns"]] == [
        "event_date",
        {"window": "window_start"}.get(part, part),
        "n",
    ]
    assert model["config"]["partition_by"]["field"] == "event_date"
    expected = {"hour": "timestamp_trunc(paid_at, hour)", "window": "div(unix_seconds(paid_at), 300) * 300"}
    assert expected[part] in folder.sql("gold_shop")


def test_without_a_date_the_whole_table_is_computed(folder: Folder) -> None:
    folder.source("shop", gold=[{"aggregate": {"group_by": ["group"], "metrics": ["avg(price) as mean"]}}])
    config = folder.model("gold_shop")["config"]
    assert (config["materialized"], config["incremental_strategy"]) == ("incremental", "insert_overwrite")
    assert {"partition_by", "require_partition_filter", "partition_expiration_days"} & set(config) == set()
    sql = folder.sql("gold_shop")
    assert "event_dates" not in sql
    assert "partition by id\n" in sql
    assert "where" not in found_tests(folder.model("gold_shop"))["gold_shop__one_row_per_group"]["config"]


def test_a_joined_source_without_gold_gets_a_table_of_its_current_rows(folder: Folder) -> None:
    folder.source("people", key=["id"])
    assert "models/marts/people/gold_people.sql" not in folder.files()
    folder.source("shop", gold=[{"join": {"table": "gold.people", "on": "id"}}])
    files = folder.files("shop")
    assert "models/marts/people/gold_people.sql" in files, "the joined source is compiled too"
    people = folder.sql("gold_people")
    assert "order by paid_at desc, landing_hour desc, source_object desc, source_line desc" in people
    assert "where age = 1" in people
    sql = folder.sql("gold_shop")
    assert '{{ ref("gold_people") }}' in sql
    assert "left join people on deliveries.id = people.id" in sql
    # Every column of people but the key is there already.
    assert "people.price" not in sql
    tests = found_tests(folder.model("gold_shop"))
    assert tests["gold_shop__people_does_not_multiply_rows"]["arguments"] == {
        "to": "ref('gold_people')",
        "columns": ["id"],
    }
    assert tests["gold_shop__people_is_found"]["config"]["severity"] == "warn"


def write_seed(folder: Folder, tags: list[str]) -> None:
    (folder.dbt / "seeds").mkdir(exist_ok=True)
    seed = {"name": "prices", "config": {"tags": tags}, "columns": [
        {"name": "group", "data_type": "string"}, {"name": "label", "data_type": "string"},
        {"name": "date", "data_type": "date"}]}  # fmt: skip
    (folder.dbt / "seeds/_seeds.yml").write_text(yaml.safe_dump({"seeds": [seed]}))
    (folder.dbt / "seeds/prices.csv").write_text("group,label,date\n")


def test_a_joined_seed_brings_its_columns_but_no_date_part(folder: Folder) -> None:
    write_seed(folder, ["shop"])
    aggregate = {"group_by": ["label", "date"], "metrics": ["count(*) as n"]}
    folder.source(
        "shop", gold=[{"join": {"table": "prices", "on": "group", "type": "inner"}}, {"aggregate": aggregate}]
    )
    sql = folder.sql("gold_shop")
    assert "inner join prices on deliveries.`group` = prices.`group`" in sql
    assert "event_date as `date`" in sql
    assert [c["name"] for c in folder.model("gold_shop")["columns"]] == ["label", "date", "n"]


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ([{"join": {"table": "gold.poeple", "on": "id"}}], "gold.poeple"),
        ([{"join": {"table": "gold.people", "on": "paid"}}], "'paid'"),
        ([{"join": {"table": "prices", "on": "group"}}], "prices"),
        ([{"aggregate": {"group_by": ["nothing"], "metrics": ["count(*) as n"]}}], "'nothing'"),
        ([{"aggregate": {"group_by": ["group"], "metrics": ["sum(nothing) as n"]}}], "'nothing'"),
    ],
)
def test_what_is_not_there_is_named(folder: Folder, gold: list[Any], message: str) -> None:
    folder.source("people")
    write_seed(folder, [])
    folder.source("shop", gold=gold)
    assert message in folder.error("shop")


def test_views_show_what_their_readers_may_see(folder: Folder) -> None:
    flags = {"third_party_api": True, "reporting": True, "ml_features": True}
    folder.source("shop", serving=flags)
    names = {
        layer: [c["name"] for c in folder.model(f"{layer}_shop")["columns"]]
        for layer in ("api", "reporting", "ml")
    }
    assert "user_city" in names["api"]
    for layer, shown in names.items():
        assert {"user__name", "secret", "unknown_fields", "source_object"} & set(shown) == set(), layer
        model = folder.model(f"{layer}_shop")
        assert (model["config"]["schema"], model["config"]["alias"]) == (layer, "shop")
        assert model["data_tests"], layer
    assert folder.model("api_shop")["config"]["meta"]["partition_column"] == "landing_hour"
    assert "partition_column" not in folder.model("ml_shop")["config"]["meta"]
    assert "order by paid_at desc, landing_hour desc" in folder.sql("ml_shop")
    folder.source("shop", gold=[AGGREGATE], serving=flags)
    assert 'ref("gold_shop")' in folder.sql("reporting_shop")
    assert "worst" not in folder.sql("reporting_shop")
    assert folder.model("reporting_shop")["config"]["meta"]["partition_column"] == "date"


def test_a_file_is_current_stale_edited_or_owned(folder: Folder) -> None:
    folder.source("shop")
    status, said = run("--check")
    assert status == 1
    assert "stg_shop__shop.sql is missing; run python -m hourglass compile shop" in said
    assert run()[0] == 0
    assert run("--check")[0] == 0
    model = folder.dbt / "models/staging/shop/stg_shop__shop.sql"
    first = model.read_text()

    folder.source("shop", description="It is something else now.")
    status, said = run("--check")
    assert (status, "_shop__models.yml is stale" in said) == (1, True)
    assert run()[0] == 0

    model.write_text(first.replace("    price,", "    price * 2 as price,"))
    edited = model.read_text()
    for arguments in ((), ("--check",)):
        status, said = run(*arguments)
        assert (status, "stg_shop__shop.sql was edited below its first line" in said) == (1, True)
        assert model.read_text() == edited
    model.write_text(edited.partition("\n")[2])
    status, said = run("--check")
    assert (status, "it belongs to people" in said) == (0, True)
    assert run()[0] == 0
    assert model.read_text() == edited.partition("\n")[2]


def test_what_nothing_makes_any_more_is_removed(folder: Folder) -> None:
    folder.source("shop", gold=[AGGREGATE])
    run()
    model = folder.dbt / "models/marts/shop/gold_shop.sql"
    folder.source("shop")
    status, said = run("--check")
    assert (status, "is made by nothing any more" in said) == (1, True)
    assert model.exists()
    assert run()[0] == 0
    assert not model.exists()


def test_a_staging_folder_that_people_write_is_left_alone(folder: Folder) -> None:
    folder.source("shop")
    staging = folder.dbt / "models/staging/shop"
    staging.mkdir(parents=True)
    (staging / "stg_shop__things.sql").write_text("select 1\n")
    (staging / "_shop__models.yml").write_text("models: [{name: stg_shop__things, config: {tags: [shop]}}]\n")
    assert folder.files() == {}
    folder.source("shop", serving={"reporting": True})
    assert "need the staging model stg_shop__shop" in folder.error("shop")


def test_an_unknown_or_broken_source_fails_and_the_others_are_written(folder: Folder) -> None:
    folder.source("shop")
    (folder.root / "sources/broken.yaml").write_text("source_id: broken\n")
    status, said = run()
    assert (status, "broken.yaml" in said) == (1, True)
    assert (folder.dbt / "models/staging/shop/stg_shop__shop.sql").exists()
    status, said = run("shpo")
    assert (status, "did you mean 'shop'?" in said) == (1, True)


def test_the_longest_source_id_fits_the_linter_and_the_marker_reads_itself() -> None:
    artifact = Artifact(Path("models/x.sql"), "x" * 30, "select 1\n")
    first = artifact.text.splitlines()[0]
    assert len(first) <= 130
    marker = marker_of(artifact.text)
    assert marker is not None
    assert (marker.source, marker.sound) == ("x" * 30, True)
    assert marker_of(artifact.text.replace("select 1", "select 2")) != marker
    assert artifact.state(Path("/nowhere")) is State.MISSING


def test_github_stays_as_people_wrote_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "include/dbt/models", tmp_path / "models")
    assert Compiler(tmp_path, [load_source("github", ROOT / "include")]).compile(["github"]).findings == []


def test_every_shipped_source_is_compiled() -> None:
    loaded = load_sources(ROOT / "include")
    assert not loaded.errors
    report = Compiler(ROOT / "include/dbt", loaded.sources).compile([s.id for s in loaded.sources])
    assert report.errors == {}
    wrong = [str(f.path) for f in report.findings if f.state not in (State.CURRENT, State.OWNED)]
    assert wrong == [], "run python -m hourglass compile"


def test_no_two_columns_have_one_name() -> None:
    for source in load_sources(ROOT / "include").sources:
        names = [c.name.lower() for c in silver_columns(source)]
        assert len(names) == len(set(names)), source.id
