"""The seed product_catalog: what stands in the repository is what the generator makes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import yaml

from hourglass.generate import catalog_seed, pools

SEEDS = Path(__file__).resolve().parents[2] / "include/dbt/seeds"


def test_the_seed_is_up_to_date() -> None:
    assert (SEEDS / "product_catalog.csv").read_text("utf-8") == catalog_seed.text(), (
        "run PYTHONPATH=plugins python -m hourglass.generate.catalog_seed"
    )


def test_the_seed_has_every_product_once_and_no_cost() -> None:
    rows = list(csv.DictReader(io.StringIO(catalog_seed.text())))
    assert [row["product_id"] for row in rows] == [pools.product_id(n) for n in range(pools.PRODUCTS)]
    assert {row["category"] for row in rows} == set(pools.CATEGORIES)
    assert not any("cost" in row for row in rows)


def test_every_column_of_the_seed_is_typed_and_described() -> None:
    seed = yaml.safe_load((SEEDS / "_product_catalog__seeds.yml").read_text("utf-8"))["seeds"][0]
    types = seed["config"]["column_types"]
    assert tuple(types) == catalog_seed.COLUMNS
    assert {c["name"]: c["data_type"] for c in seed["columns"]} == types
    assert all(c["description"] for c in seed["columns"])


def test_the_command_writes_the_seed_and_tells_when_it_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOURGLASS_INCLUDE", str(tmp_path))
    assert catalog_seed.main(["--check"]) == 1
    assert "catalog_seed" in capsys.readouterr().err
    assert catalog_seed.main([]) == 0
    assert catalog_seed.main(["--check"]) == 0
    written = tmp_path / "dbt/seeds/product_catalog.csv"
    written.write_text(written.read_text("utf-8").replace("true", "false", 1), "utf-8")
    assert catalog_seed.main(["--check"]) == 1
    assert catalog_seed.main(["--wrong"]) == 2
