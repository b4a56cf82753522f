"""Ports for servers that tests start themselves."""

from __future__ import annotations

import os
import random

from local.ports import LAST, is_free

_EPHEMERAL = 32768  # from here on systems take the ports of outgoing connections, and of bind(0)


def _choice() -> list[int]:
    """The ports of this lane of tests, in an order of its own: another session may run on this machine."""
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    lanes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(LAST + lane, _EPHEMERAL, lanes)
    return random.sample(ports, len(ports))


_UNTRIED = iter(_choice())


def free_port() -> int:
    """A port that is free, that no local cloud chooses, and that no caller here was given before.

    A server binds it seconds later, so it must not be one that others get by asking for any.
    """
    return next(port for port in _UNTRIED if is_free(port))
