"""What the warehouse's tests share: a BigQuery project for each module, with dbt on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warehouse.platforms import Built
    from tests.warehouse.published import Warehouse


@pytest.fixture(scope="module")
def warehouse(
    cloud: object, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """An empty warehouse; one build at the top of a module serves all of its assertions."""
    from tests.warehouse.published import Warehouse

    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    return Warehouse(f"hourglass-{name}", tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="session")
def business(cloud: object, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Three days of four platforms and their marts: one build for the tests of all of them."""
    from tests.warehouse.platforms import build
    from tests.warehouse.published import Warehouse

    return build(Warehouse("hourglass-business", tmp_path_factory.mktemp("dbt")))
