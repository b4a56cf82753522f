"""What several files of integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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
