"""The proxy's gRPC side: a server that takes every method as bytes, behind a relay that can reset connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.faults.http_front import CHUNK, reset
from tests.faults.rules import Book, Rule, Seen

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
CODES = {code.value[0]: code for code in grpc.StatusCode}


def serve_grpc(service: str, upstream: str, book: Book) -> int:
    """Serve one service's front; returns the port."""
    server = grpc.server(ThreadPoolExecutor(32), options=OPTIONS)
    relay = _Relay(server.add_insecure_port("127.0.0.1:0"))
    channel = grpc.insecure_channel(upstream, options=OPTIONS)
    server.add_generic_rpc_handlers((_Methods(service, channel, book, relay),))
    server.start()
    _SERVERS.append(server)
    return relay.port


_SERVERS: list[Any] = []  # a server without a reference is stopped


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, service: str, channel: Any, book: Book, relay: _Relay) -> None:
        self._service, self._channel, self._book, self._relay = service, channel, book, relay

    def service(self, details: Any) -> Any:
        """Any method, as a stream of bytes both ways, which a call with one message is as well."""

        def call(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            return self._call(details, requests, context)

        return grpc.stream_stream_rpc_method_handler(call)

    def _call(self, details: Any, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        sent = list(requests)  # no service here streams its requests
        seen = Seen(self._service, "POST", details.method)
        verdict = self._book.judge(seen, sent[0] if sent else b"")
        rule = verdict.rule
        verdict.before()
        if rule.action in ("hang", "delay"):
            _wait(context, rule.seconds)
        if rule.action == "hang" and not context.is_active():
            return  # the client gave up, and its next try is on this connection already
        if rule.action in ("reset", "hang"):
            self._relay.reset(context.peer())
            return
        if rule.action == "answer":
            seen.answered = True
            _abort(context, rule)
        answers, failure = self._forward(details, sent, context)
        seen.status = failure.code().value[0] if failure else 0
        verdict.after()
        if rule.action == "lose":
            self._relay.reset(context.peer())
            return
        seen.answered = True
        yield from answers
        if failure:
            context.set_trailing_metadata(_plain(failure.trailing_metadata()))
            context.abort(failure.code(), failure.details())

    def _forward(self, details: Any, sent: list[bytes], context: Any) -> tuple[list[bytes], Any]:
        method = self._channel.stream_stream(details.method)
        left = context.time_remaining()
        answers: list[bytes] = []
        # A call without a deadline has centuries left, which overflow.
        timeout = left if left is not None and left < 86_400 else None
        call = method(iter(sent), metadata=_plain(details.invocation_metadata), timeout=timeout)
        context.add_callback(call.cancel)
        try:
            answers.extend(call)
        except grpc.RpcError as error:
            return answers, error
        return answers, None


def _plain(metadata: Any) -> list[tuple[str, Any]]:
    return [
        (k, v) for k, v in metadata or () if not k.startswith(("user-agent", "grpc-accept", "grpc-encoding"))
    ]


def _abort(context: Any, rule: Rule) -> None:
    context.set_trailing_metadata(tuple(rule.headers.items()))
    context.abort(CODES[rule.status], rule.text)


def _wait(context: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and context.is_active():
        time.sleep(0.05)


class _Relay:
    """Passes bytes between the clients and the gRPC server, which cannot reset a connection itself."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._clients: dict[int, socket.socket] = {}  # by the port that the gRPC server sees
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self, peer: str) -> None:
        """Reset the connection of a call's client, with all of its calls."""
        client = self._clients.pop(int(peer.rpartition(":")[2]), None)
        if client is not None:
            reset(client)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            number = server.getsockname()[1]
            self._clients[number] = client
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(number, server, client), daemon=True).start()

    def _answer(self, number: int, server: socket.socket, client: socket.socket) -> None:
        _pump(server, client)
        self._clients.pop(number, None)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
