"""One TCP port per part, chosen once and then kept."""

from __future__ import annotations

import json
import socket
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from local import processes

HOST = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections (32768 and up on Linux).
_FIRST, LAST, _STRIDE = 20000, 30000, 20
_DYING_SECONDS = 5.0  # a Java that was just killed loses its environment before its port


@dataclass(frozen=True)
class Moved:
    """A part whose port another process holds, so that it got a new one."""

    part: str
    old: int
    new: int
    holder: str

    def __str__(self) -> str:
        return f"port {self.old} of {self.part} is held by {self.holder}; {self.part} now uses {self.new}"


class Ports:
    """The ports of one instance, remembered in <cloud>/run/ports.json.

    Args:
        file: where they are remembered.
        cloud: the instance; its own processes may hold its ports.
    """

    def __init__(self, file: Path, cloud: Path) -> None:
        self._file = file
        self._cloud = cloud
        self._ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}

    def assign(self, parts: Iterable[str]) -> list[Moved]:
        """Give every part a port: the remembered one unless a foreign process holds it.

        Args:
            parts: their names.

        Returns:
            The parts whose port changed, with the process that holds the old one.

        Raises:
            RuntimeError: no port is free in the whole range.
        """
        moved = []
        before = dict(self._ports)
        for part in parts:
            old = self._ports.get(part)
            holder = self._foreign_holder(old) if old else None
            if old and not holder:
                continue
            self._ports[part] = self._choose()
            if old and holder:
                moved.append(Moved(part, old, self._ports[part], holder))
        if self._ports != before:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._ports, indent=1))
        return moved

    def missing(self, parts: Iterable[str]) -> list[str]:
        """The parts that have no port yet.

        Args:
            parts: their names.
        """
        return [part for part in parts if part not in self._ports]

    def __getitem__(self, part: str) -> int:
        return self._ports[part]

    def _choose(self) -> int:
        # Instances start at different places, so that two of them that start at once do not meet.
        offset = zlib.crc32(str(self._cloud).encode()) % ((LAST - _FIRST) // _STRIDE) * _STRIDE
        taken = set(self._ports.values())
        for step in range(LAST - _FIRST):
            port = _FIRST + (offset + step) % (LAST - _FIRST)
            if port not in taken and is_free(port):
                return port
        raise RuntimeError(f"no TCP port between {_FIRST} and {LAST} is free on {HOST}; end some servers")

    def _foreign_holder(self, port: int) -> str | None:
        deadline = time.monotonic() + _DYING_SECONDS
        while time.monotonic() < deadline:
            if is_free(port) or _is_held_by(port, self._cloud):
                return None
            time.sleep(0.1)
        holder = _holder(port)
        return processes.describe(holder) if holder else "a process of another user"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> psutil.Process | None:
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            try:
                return psutil.Process(connection.pid)
            except psutil.NoSuchProcess:
                return None
    return None


def _is_held_by(port: int, cloud: Path) -> bool:
    holder = _holder(port)
    return holder is not None and _belongs(holder, cloud)


def _belongs(process: psutil.Process, cloud: Path) -> bool:
    try:
        return bool(process.environ().get(processes.MARK) == str(cloud))
    except psutil.Error:
        return False
