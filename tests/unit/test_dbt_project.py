"""The dbt project as dbt parses it: no warehouse, no network."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_socket
import yaml
from dbt.cli.main import dbtRunner

from hourglass.config.dbt_manifest import state_of_files
from local.credentials.key import write_key
from tests.unit.partition_predicates import unbounded

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "include/dbt"
Node = dict[str, Any]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The arguments of a dbt command, after one parse without sockets or credentials."""
    folder = str(tmp_path_factory.mktemp("dbt"))
    arguments = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    arguments += ["--target-path", folder, "--log-path", folder, "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOURGLASS_PROJECT", "hourglass-parse")
        patch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        pytest_socket.disable_socket(allow_unix_socket=True)
        try:
            parsed = dbtRunner().invoke(["parse", "--warn-error", "--no-partial-parse", *arguments])
            assert parsed.success, parsed.exception
            yield arguments
        finally:
            pytest_socket.enable_socket()


@pytest.fixture(scope="module")
def manifest(target: list[str]) -> dict[str, Any]:
    folder = Path(target[target.index("--target-path") + 1])
    loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> dict[str, Node]:
    return {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}


@pytest.fixture(scope="module")
def tests_of(manifest: dict[str, Any]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test":
            found.setdefault(node["attached_node"], []).append(node)
    return found


@pytest.fixture(scope="module")
def compiled(
    target: list[str], manifest: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The SQL of every incremental model for one event date, by the model's name; compiling asks no service."""
    key = tmp_path_factory.mktemp("key") / "key.json"
    write_key(key, "http://127.0.0.1:9", "hourglass-parse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOURGLASS_PROJECT", "hourglass-parse")
        patch.setenv("HOURGLASS_EVENT_DATES", "2026-01-05")
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        command = [
            "compile",
            "--no-introspect",
            "--no-populate-cache",
            "-s",
            "config.materialized:incremental",
        ]
        done = dbtRunner().invoke([*command, *target])
        assert done.success, done.exception
    return {run.node.name: run.node.compiled_code for run in done.result}


def test_an_incremental_model_reads_only_the_partitions_that_it_needs(
    models: dict[str, Node], manifest: dict[str, Any], compiled: dict[str, str]
) -> None:
    partitioned = {(m["schema"], m["alias"]): selectable(m) for m in models.values()}
    for table in manifest["sources"].values():
        if table["schema"] == "silver":
            partitioned[table["schema"], table["identifier"]] = {"landing_hour"}
    dated = [name for name, model in models.items() if name in compiled and selectable(model)]
    assert len(dated) > 40
    assert {n: bad for n in dated if (bad := unbounded(compiled[n], partitioned))} == {}
    # Without its predicates the first of them would be found.
    fact = compiled["fct_github_events"].replace("landing_hour >=", "1 <=").replace("landing_hour <", "1 >")
    assert unbounded(fact.replace("event_date in", "1 in"), partitioned) == ["staging.stg_github__events"]


def selectable(model: Node) -> set[str]:
    """The columns by any of which partitions of a model, or of what a view reads, can be selected."""
    if model["config"]["materialized"] == "view":
        return {"landing_hour", "event_date"} & set(model["columns"])
    return {partition["field"]} if (partition := model["config"].get("partition_by")) else set()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select * from `p`.`gold`.`t` where event_date in (date '2026-01-05')", []),
        ("select * from `p`.`gold`.`t` where event_date >= date '1970-01-01'", ["gold.t"]),
        ("select * from `p`.`gold`.`t` -- where event_date = date '2026-01-05'", ["gold.t"]),
        ("select * from (select * from `p`.`gold`.`t`) where event_date = date '2026-01-05'", ["gold.t"]),
        ("select 1 from `p`.`gold`.`t` where event_date = 1 union all select 2 from `p`.`gold`.`t`", ["gold.t"]),
        ("select * from `p`.`gold`.`t` where ((event_date >= date '2026-01-05' and x in (1)))", []),
    ],
)  # fmt: skip
def test_a_read_without_a_bound_is_found(sql: str, found: list[str]) -> None:
    assert unbounded(sql, {("gold", "t"): {"event_date"}}) == found


def test_every_model_says_what_it_is_and_whose(
    models: dict[str, Node], tests_of: dict[str, list[Node]]
) -> None:
    for name, model in models.items():
        assert model["contract"]["enforced"], name
        assert len(model["description"]) > 40, name
        assert model["config"]["meta"].get("owner"), name
        assert model["config"]["meta"].get("grain"), name
        assert model["config"]["labels"].get("managed_by") == "hourglass", name
        assert model["config"]["labels"].get("table_type"), name
        assert tests_of.get(model["unique_id"]), name


def test_every_column_is_described_and_typed(models: dict[str, Node]) -> None:
    bare = [
        f"{name}.{column['name']}"
        for name, model in models.items()
        for column in model["columns"].values()
        if not column["description"] or not column["data_type"]
    ]
    assert bare == []


def test_tables_are_partitioned_by_their_date_and_expire(models: dict[str, Node]) -> None:
    tables = {n: m["config"] for n, m in models.items() if m["config"]["materialized"] != "view"}
    dated = {name: config for name, config in tables.items() if config.get("partition_by")}
    assert {"fct_github_events", "fct_github_repo_daily", "gold_orders"} <= set(dated)
    for name, config in tables.items():
        assert config["incremental_strategy"] == "insert_overwrite", name
        assert len(config.get("cluster_by") or []) <= 4, name
    for name, config in dated.items():
        assert (config["partition_by"]["data_type"], config["partition_by"]["granularity"]) == (
            "date",
            "day",
        ), name
        assert config["require_partition_filter"] is True, name
        # None: the log of a database, which is its history.
        assert 1 <= (config.get("partition_expiration_days") or 400) <= 731, name
    assert dated["fct_github_events"]["partition_expiration_days"] == 400


def test_every_test_reads_the_dates_at_hand_and_has_an_owner(
    models: dict[str, Node], tests_of: dict[str, list[Node]]
) -> None:
    by_id = {model["unique_id"]: model for model in models.values()}
    for unique_id, tests in tests_of.items():
        config = by_id[unique_id]["config"] if unique_id in by_id else {}
        # A table without dates, or a view that is one row per key, is read whole.
        dated = config.get("partition_by") or config.get("meta", {}).get("partition_column")
        for test in tests:
            assert test["config"]["meta"].get("owner"), test["name"]
            assert not dated or "__event_dates_" in (test["config"]["where"] or ""), test["name"]


def test_no_task_runs_a_unit_test(manifest: dict[str, Any]) -> None:
    """`dbt build` of one model, which a task is, would run its unit tests too, if dbt knew them."""
    assert list((PROJECT / "models").rglob("*__unit_tests.yml"))
    assert manifest["unit_tests"] == {}


def test_a_model_that_joins_or_ranks_has_a_unit_test(
    models: dict[str, Node], manifest: dict[str, Any]
) -> None:
    files = [yaml.safe_load(p.read_text("utf-8")) for p in (PROJECT / "models").rglob("*__unit_tests.yml")]
    tested = {test["model"] for file in files for test in file["unit_tests"]}
    by_hand = {n: m for n, m in models.items() if not m["raw_code"].startswith("-- Generated from")}
    needing = {name for name, model in by_hand.items() if joins_or_ranks(model, manifest["macros"])}
    # A macro's join is that of the models that call it; to read one table and count is neither.
    assert {"training_photo_interest_v1", "postgres_orders_orders_history"} <= needing
    assert "fct_daily_summary" not in needing
    missing = sorted(needing - tested)
    assert not missing, (
        f"no unit test for {', '.join(missing)}: in *__unit_tests.yml beside the model, give it rows of the case "
        "that its description is about (a tie, the border of a day, a repeat, a null) and the rows to expect of it"
    )


def joins_or_ranks(node: Node, macros: dict[str, Node]) -> bool:
    """Whether the SQL of a model or a macro, or of the project's macros that it calls, has a join or a window."""
    code = re.sub(r"\{#.*?#\}|--[^\n]*", "", node.get("raw_code") or node["macro_sql"], flags=re.DOTALL)
    called = [m for m in node["depends_on"]["macros"] if m.startswith("macro.hourglass.")]
    # Jinja's filter `join(` has no space.
    found = re.search(r"\bjoin\s|\bover\s*\(", code, re.IGNORECASE)
    return bool(found) or any(joins_or_ranks(macros[m], macros) for m in called)


def test_datasets_are_named_as_written(models: dict[str, Node]) -> None:
    assert {m["schema"] for m in models.values()} <= {
        "staging",
        "intermediate",
        "gold",
        "api",
        "reporting",
        "ml",
    }


def test_every_source_has_a_model_to_build(manifest: dict[str, Any]) -> None:
    sources = [
        yaml.safe_load(p.read_text("utf-8"))["source_id"] for p in (ROOT / "include/sources").glob("*.yaml")
    ]
    with_models = [s for s in sources if (PROJECT / "models/staging" / s).is_dir()]
    assert "github" in with_models
    built = [n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "seed", "snapshot")]
    for source in with_models:
        kinds = {n["resource_type"] for n in built if source in n["tags"]}
        assert "model" in kinds, f"no model has the tag {source}, and the stage would call that a success"
    # A seed is loaded by the DAG that joins it.
    assert "seed" in {n["resource_type"] for n in built if "transactions" in n["tags"]}


def test_tables_written_by_a_selection_read_nothing_outside_it(models: dict[str, Node]) -> None:
    """A source's DAG builds only its own tag: what these read must be silver or built by the same run."""
    github = {m["unique_id"]: m for m in models.values() if "github" in m["tags"]}
    assert {m["name"] for m in github.values()} == {
        "stg_github__events",
        "fct_github_events",
        "fct_github_repo_daily",
    }
    for model in github.values():
        for parent in model["depends_on"]["nodes"]:
            assert parent in github or parent.startswith("source."), f"{model['name']} reads {parent}"


@pytest.mark.parametrize(("target_name", "most_bytes"), [("prod", 1_000_000_000), ("dev", 100_000_000)])
def test_the_profile_bounds_cost_and_time(target_name: str, most_bytes: int) -> None:
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text("utf-8"))["hourglass"]["outputs"][
        target_name
    ]
    assert profile["method"] == "oauth"
    # In prod an environment variable may raise it; this is its default.
    assert str(most_bytes) in str(profile["maximum_bytes_billed"])
    assert (profile["job_execution_timeout_seconds"], profile["job_retries"]) == (300, 1)


def test_metrics_and_those_who_use_the_marts_are_declared(manifest: dict[str, Any]) -> None:
    metrics = {m["name"]: m for m in manifest["metrics"].values()}
    assert {
        "daily_active_users",
        "sessions",
        "order_revenue",
        "cart_conversion",
        "lifetime_value_90d",
    } <= set(metrics)
    assert [name for name, metric in metrics.items() if not metric["config"]["meta"].get("owner")] == []
    for used in manifest["exposures"].values():
        assert used["owner"]["email"], used["name"]
        assert used["depends_on"]["nodes"], used["name"]


def test_a_parse_is_kept_for_one_state_of_the_files_alone(tmp_path: Path) -> None:
    def state() -> str:
        state_of_files.cache_clear()
        return state_of_files(tmp_path)

    (tmp_path / "models").mkdir()
    (tmp_path / "target").mkdir()
    model = tmp_path / "models" / "fct.sql"
    model.write_text("select 1 as n")
    found = [state()]
    (tmp_path / "target" / "manifest.json").write_text("{}")
    assert state() == found[0], "what dbt writes is no part of the project"
    model.write_text("select 11 as n")
    found.append(state())
    os.utime(model, ns=(1, 1))  # other content of the same length
    found.append(state())
    model.rename(tmp_path / "models" / "dim.sql")
    found.append(state())
    assert len(set(found)) == len(found)
