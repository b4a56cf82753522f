"""A REST API for tests: it pages, checks its token, and does what is wrong with real ones when told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "test-token"
Fault = Callable[["Handler"], bool]


class RestApi:
    """An API that lists `records` behind a cursor, oldest first, `limit` a page.

    Each request first takes the next of `faults`; None stands for a request that is answered.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.faults: deque[Fault | None] = deque()
        self.seen: list[dict[str, str]] = []
        self.more_flag = True
        handler = type("Bound", (Handler,), {"api": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1/charges?kind=all"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        limit = int(query.get("limit", 10))
        start = 0
        if after := query.get("starting_after"):
            start = next(i for i, r in enumerate(self.records) if r["id"] == after) + 1
        found = self.records[start : start + limit]
        return {"data": found, "has_more": start + limit < len(self.records)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: RestApi

    def do_GET(self) -> None:
        query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        self.api.seen.append(query)
        fault = self.api.faults.popleft() if self.api.faults else None
        if fault is not None and fault(self):
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, b'{"error": "expired token"}')
            return
        self.answer(200, json.dumps(self.api.page(query)).encode())

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the tests' output quiet."""


def status(code: int, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Fault:
    """Answer with a status."""

    def fault(handler: Handler) -> bool:
        handler.answer(code, body, headers)
        return True

    return fault


def reset(handler: Handler) -> bool:
    """Break the connection without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
    return True


def cut(handler: Handler) -> bool:
    """Promise more bytes than come."""
    handler.answer(200, b'{"data": [', {"Content-Length": "9000"})
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def hang(until: threading.Event, arrived: threading.Event) -> Fault:
    """Say nothing until told to."""

    def fault(handler: Handler) -> bool:
        arrived.set()
        until.wait(60)
        return False

    return fault
