"""The proxy's HTTP/1.1 side."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.faults.rules import Book, Rule, Seen, Verdict

HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length"}
CHUNK = 1 << 16


def serve_http(service: str, upstream: str, book: Book) -> int:
    """Serve one service's front; returns the port."""

    class Front(_Handler):
        pass

    Front.service, Front.upstream, Front.book = service, upstream, book
    server = _Server(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: str
    upstream: str
    book: Book

    def _handle(self) -> None:
        body = self._body()
        seen = Seen(self.service, self.command, self.path)
        verdict = self.book.judge(seen, body)
        rule = verdict.rule
        verdict.before()
        if rule.action in ("hang", "delay"):
            time.sleep(rule.seconds)
        if rule.action in ("reset", "hang"):
            self._reset()
        elif rule.action == "answer":
            seen.answered = True
            self._answer(rule)
        else:
            self._pass_on(body, seen, verdict)

    def _pass_on(self, body: bytes, seen: Seen, verdict: Verdict) -> None:
        try:
            upstream, answer = self._forward(body)
        except (OSError, http.client.HTTPException):
            self._reset()  # the service itself is down
            return
        seen.status = answer.status
        lost = verdict.rule.action == "lose"
        if lost:
            answer.read()
        verdict.after()
        if lost:
            self._reset()
        else:
            seen.answered = True
            self._relay(answer)
        upstream.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _forward(self, body: bytes) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        upstream = http.client.HTTPConnection(self.upstream, timeout=600)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        upstream.putheader("Host", self.upstream)
        for name, value in self.headers.items():
            if name.lower() not in HOP | {"expect"}:
                upstream.putheader(name, value)
        if body or self.command in ("POST", "PUT", "PATCH"):
            upstream.putheader("Content-Length", str(len(body)))
        upstream.endheaders(body or None)
        return upstream, upstream.getresponse()

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        length = answer.getheader("Content-Length")
        rewritten = self._rewritten(answer)
        if rewritten is not None:
            length = str(len(rewritten))
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value.replace(self.upstream, self._me()))
        bodyless = self.command == "HEAD" or answer.status in (204, 304)
        if length is not None:
            self.send_header("Content-Length", length)
        elif not bodyless:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if bodyless:
            return
        if rewritten is not None:
            self.wfile.write(rewritten)
            return
        while part := answer.read(CHUNK):
            self.wfile.write(part if length is not None else b"%x\r\n%s\r\n" % (len(part), part))
        if length is None:
            self.wfile.write(b"0\r\n\r\n")

    def _rewritten(self, answer: http.client.HTTPResponse) -> bytes | None:
        """Metadata whose links would lead past the proxy; None for everything else, contents above all."""
        if self.service != "gcs" or self.command == "HEAD" or answer.getheader("Content-Encoding"):
            return None
        is_content = "alt=media" in self.path or not self.path.startswith(("/storage/", "/upload/"))
        if is_content or not answer.getheader("Content-Type", "").startswith("application/json"):
            return None
        return answer.read().replace(self.upstream.encode(), self._me().encode())

    def _me(self) -> str:
        host, port = self.server.server_address[:2]
        return f"{host!s}:{port}"

    def _answer(self, rule: Rule) -> None:
        content = rule.text.encode()
        self.send_response_only(rule.status)
        headers = {"Content-Type": "application/json", **rule.headers}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset(self) -> None:
        self.close_connection = True
        reset(self.connection)

    def handle(self) -> None:
        """Serve the connection; a client that goes away is no news."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def reset(connection: socket.socket) -> None:
    """Close a connection by a reset instead of a proper end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)  # ends another thread's recv, which would put the reset off
    # close() would wait for the files that the request handler has made of the socket.
    os.close(connection.detach())
