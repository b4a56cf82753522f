"""docs/reference/kill-matrix.md says what the last `make kill-matrix` recorded."""

from __future__ import annotations

import json

import pytest

from tests.kills import page
from tests.kills.page import PAGE, RECORD

RECORDED = json.loads(RECORD.read_text("utf-8"))


def test_the_page_is_what_the_run_recorded() -> None:
    assert PAGE.read_text("utf-8") == page.page(RECORDED)


def test_no_reader_saw_a_half_written_place() -> None:
    seen = {version for cell in RECORDED["cells"] for version in cell["shown"].values()}
    assert seen <= {"old", "new", "old and new"}
    mixed = [
        c for c in RECORDED["cells"] if "old and new" in (v for k, v in c["shown"].items() if k != "features")
    ]
    assert mixed == []


def test_a_cell_that_nobody_knows_is_refused() -> None:
    cell = {**RECORDED["cells"][0], "shown": {"silver": "MIXED"}}
    with pytest.raises(KeyError, match="MIXED"):
        page.page({"passes": [], "cells": [cell]})
