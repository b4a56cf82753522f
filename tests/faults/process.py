"""The proxy's process: `python -m tests.faults.process CONTROL_FD EVENTS_FD '{"gcs": "127.0.0.1:4443", …}'`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from tests.faults.grpc_front import serve_grpc
from tests.faults.http_front import serve_http
from tests.faults.rules import GRPC_SERVICES, Book, Rule


def main() -> None:
    """Serve until the owner closes its end, or dies."""
    control, events = (Connection(int(fd)) for fd in sys.argv[1:3])
    upstream: dict[str, str] = json.loads(sys.argv[3])
    threading.Thread(target=_die_with, args=(os.getppid(),), daemon=True).start()
    lock = threading.Lock()

    def ask(number: int, seen: dict[str, Any]) -> None:
        with lock:
            events.send((number, seen))
            events.recv()

    book = Book(ask)
    control.send(
        {
            service: (serve_grpc if service in GRPC_SERVICES else serve_http)(service, address, book)
            for service, address in upstream.items()
        }
    )
    while True:
        try:
            name, *arguments = control.recv()
        except (EOFError, OSError):
            break
        control.send(_do(book, name, arguments))
    os._exit(0)  # requests under way are of no interest any more


def _do(book: Book, name: str, arguments: list[Any]) -> Any:
    if name == "seen":
        return [asdict(seen) for seen in list(book.seen)]
    if name == "add":
        number, values, when = arguments
        return book.add(number, Rule(**values), when)
    return getattr(book, name)(*arguments)


def _die_with(parent: int) -> None:
    # A process that the owner forked keeps the pipe open, so its end says nothing of the owner's.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    main()
