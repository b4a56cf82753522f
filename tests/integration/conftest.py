"""What several files of integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import bigquery

from tests.faults.proxy import FaultProxy


@pytest.fixture(scope="module")
def proxied(cloud: Any) -> Iterator[FaultProxy]:
    """The fault proxy in front of every service, while a file's tests run."""
    with FaultProxy() as proxy:
        yield proxy


@pytest.fixture
def proxy(proxied: FaultProxy) -> FaultProxy:
    """The proxy without rules."""
    proxied.clear()
    return proxied


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, cloud: object) -> Iterator[bigquery.Client]:
    """Of a BigQuery project of the file's own, its `OWN_PROJECT`: no other test sees what dbt writes there."""
    project = request.module.OWN_PROJECT
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOURGLASS_PROJECT", project)
        patch.setenv("HOURGLASS_LOCATION", "US")
        yield bigquery.Client(project=project)
