"""The dbt project as dbt parses it: no warehouse, no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_socket
import yaml
from dbt.cli.main import dbtRunner

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "include/dbt"
Node = dict[str, Any]
# A domain of the marts may be without models.
STRICTLY = ["--warn-error-options", "{error: all, silence: [UnusedResourceConfigPath]}"]


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
            parsed = dbtRunner().invoke(["parse", *STRICTLY, "--no-partial-parse", *arguments])
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
