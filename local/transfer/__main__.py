"""python -m local.transfer: a server of Storage Transfer Service's REST API, as far as it is used here."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.json_handler import JsonHandler
from local.ports import HOST
from local.transfer.buckets import Buckets
from local.transfer.jobs import ApiError, Jobs

_JOB, _OPERATION = r"(transferJobs/[^/:]+)", r"(transferOperations/[^/:]+)"


class Handler(JsonHandler, BaseHTTPRequestHandler):
    """Answers the calls in `_route`; anything else is 404."""

    protocol_version = "HTTP/1.1"
    jobs: Jobs

    def do_GET(self) -> None:
        """Get or list."""
        self._respond()

    def do_POST(self) -> None:
        """Create, run or cancel."""
        self._respond()

    def _respond(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.answer(200, self._route(json.loads(text or b"{}")))
        except ApiError as error:
            detail = {"code": error.code, "message": str(error), "status": error.status}
            self.answer(error.code, {"error": detail})
        except ValueError as error:
            self.answer(400, {"error": {"code": 400, "message": str(error), "status": "INVALID_ARGUMENT"}})

    def _route(self, body: dict[str, Any]) -> object:
        url = urlsplit(self.path)
        path, query = unquote(url.path), {k: v[0] for k, v in parse_qs(url.query).items()}
        calls: tuple[tuple[str, str, Callable[[str], object]], ...] = (
            ("GET", "/healthz()", lambda _: {"status": "ok"}),
            ("POST", "/v1/transferJobs()", lambda _: self.jobs.create(body)),
            ("GET", f"/v1/{_JOB}", self.jobs.get),
            ("POST", f"/v1/{_JOB}:run", self.jobs.run),
            (
                "GET",
                "/v1/transferOperations()",
                lambda _: self.jobs.operations(json.loads(query.get("filter", "{}"))),
            ),
            ("GET", f"/v1/{_OPERATION}", self.jobs.operation),
            ("POST", f"/v1/{_OPERATION}:cancel", self.jobs.cancel),
        )
        for method, pattern, call in calls:
            if method == self.command and (match := re.fullmatch(pattern, path)):
                return call(match[1])
        raise ApiError(404, "NOT_FOUND", f"{self.command} {path} is not among the calls of this stand-in")


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m local.transfer", description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the jobs")
    options = parser.parse_args()
    Handler.jobs = Jobs(options.data_dir / "jobs.json", Buckets(os.environ["STORAGE_EMULATOR_HOST"]))
    ThreadingHTTPServer((options.host, options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
