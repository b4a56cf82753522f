"""What the warehouse's tests share: a BigQuery project for each module, with dbt on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warehouse.published import Warehouse


@pytest.fixture(scope="module")
def warehouse(
    cloud: object, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """An empty warehouse; one build at the top of a module serves all of its assertions."""
    from tests.warehouse.published import Warehouse

    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    return Warehouse(f"hourglass-{name}", tmp_path_factory.mktemp("dbt"))
