"""What google-auth raises, over HTTP and over gRPC, when a token is refused and when nobody answers.

Nothing is made by hand: google-auth asks a server of this machine, or a port at which none listens.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.api_core import exceptions, grpc_helpers
from google.auth import compute_engine, credentials, impersonated_credentials
from google.auth.compute_engine import _metadata
from google.auth.exceptions import RefreshError
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from hourglass.cloud.denied import denied_of
from hourglass.cloud.retry import passing

Make = Callable[[str], credentials.Credentials]
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
NOWHERE = "127.0.0.1:9"  # the port "discard", at which nothing listens
PAGE = "<html><title>Error 502 (Server Error)!!1</title></html>"
GRANT = {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}


def iam(code: int, status: str) -> str:
    return json.dumps({"error": {"code": code, "message": "…", "status": status}}, indent=2)


class Answer(BaseHTTPRequestHandler):
    """Gives one answer to whatever is asked."""

    status, text = 200, ""

    def do_GET(self) -> None:
        body = self.text.encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[Callable[[int, str], str]]:
    """Starts a server that gives one answer; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, text: str) -> str:
        handler = type("One", (Answer,), {"status": status, "text": text})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return f"127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """google-auth pauses for 15 seconds in all between its own tries."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def of_machine(monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(address: str) -> credentials.Credentials:
        # GCE_METADATA_HOST is read once, when google-auth is imported.
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", address)
        return compute_engine.Credentials()

    return make


def impersonating(address: str) -> credentials.Credentials:
    return impersonated_credentials.Credentials(
        oauth2.Credentials("token"),
        "etl@shop.iam.gserviceaccount.com",
        SCOPES,
        iam_endpoint_override=f"http://{address}/token",
    )


def of_a_key(address: str) -> credentials.Credentials:
    made = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = {
        "client_email": "etl@shop.iam.gserviceaccount.com",
        "private_key": made.decode(),
        "token_uri": f"http://{address}/token",
    }
    found: credentials.Credentials = service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
    return found


def over_http(found: credentials.Credentials) -> Exception:
    with pytest.raises(RefreshError) as raised:
        found.refresh(Request())
    return raised.value


def over_grpc(found: credentials.Credentials, folder: Path) -> Exception:
    """What a client of Google's raises; a socket's channel is the one that takes tokens without a certificate."""
    address, kind = f"unix:{folder}/socket", grpc.LocalConnectionType.UDS
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_secure_port(address, grpc.local_server_credentials(kind))
    server.start()
    plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(found, Request()))
    both = grpc.composite_channel_credentials(grpc.local_channel_credentials(kind), plugin)
    try:
        with grpc.secure_channel(address, both) as channel:
            ask = grpc_helpers.wrap_errors(channel.unary_unary("/google.Any/Get"))
            with pytest.raises(exceptions.ServiceUnavailable, match="Getting metadata from plugin") as raised:
                ask(b"", timeout=20)
    finally:
        server.stop(None)
    return raised.value


class Way:
    """Raises what a client raises whose credentials ask at an address."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder

    def failure(self, found: credentials.Credentials) -> Exception:
        return over_http(found) if self.name == "http" else over_grpc(found, self.folder)


@pytest.fixture(params=["http", "grpc"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    return Way(request.param, tmp_path)


def waits(error: Exception) -> bool:
    """Whether it is an outage, and no refusal."""
    found = denied_of(error)
    assert passing(error) == (found is None), "neither an outage nor a refusal, or both"
    assert found is None or not found.known
    return found is None


def test_a_metadata_server_that_is_away_is_an_outage(way: Way, of_machine: Make) -> None:
    assert waits(way.failure(of_machine(NOWHERE)))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_metadata_server_that_fails_is_an_outage(
    way: Way, status: int, of_machine: Make, answering: Callable[[int, str], str]
) -> None:
    assert waits(way.failure(of_machine(answering(status, "try later"))))


def test_a_machine_without_an_account_is_a_refusal(
    way: Way, of_machine: Make, answering: Callable[[int, str], str]
) -> None:
    assert not waits(way.failure(of_machine(answering(404, "no such account"))))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (429, iam(429, "RESOURCE_EXHAUSTED")),
        (503, iam(503, "UNAVAILABLE")),
        (500, iam(500, "INTERNAL")),
        (502, PAGE),
    ],
    ids=["limited", "away", "broken", "page"],
)
def test_an_impersonation_that_is_limited_or_fails_is_an_outage(
    way: Way, status: int, text: str, answering: Callable[[int, str], str]
) -> None:
    assert waits(way.failure(impersonating(answering(status, text))))


@pytest.mark.parametrize(("status", "word"), [(403, "PERMISSION_DENIED"), (404, "NOT_FOUND")])
def test_an_impersonation_that_is_not_allowed_is_a_refusal(
    way: Way, status: int, word: str, answering: Callable[[int, str], str]
) -> None:
    assert not waits(way.failure(impersonating(answering(status, iam(status, word)))))


@pytest.mark.parametrize(
    "answer",
    [GRANT, {"error": "invalid_client"}, {"error": "unauthorized_client"}],
    ids=lambda a: str(a["error"]),
)
def test_a_key_that_is_not_accepted_is_a_refusal(
    way: Way, answer: dict[str, str], answering: Callable[[int, str], str]
) -> None:
    assert not waits(way.failure(of_a_key(answering(400, json.dumps(answer)))))


@pytest.mark.parametrize(("status", "text"), [(503, PAGE), (500, "")])
def test_a_token_endpoint_that_fails_is_an_outage(
    way: Way, status: int, text: str, answering: Callable[[int, str], str]
) -> None:
    assert waits(way.failure(of_a_key(answering(status, text))))


def test_words_of_an_outage_that_are_not_the_plugins_stay_an_outage() -> None:
    error = exceptions.ServiceUnavailable("the backend said unauthorized: 401, status: 401")
    assert passing(error)
    assert denied_of(error) is None
