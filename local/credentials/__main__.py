"""python -m local.credentials: the token server, which also takes the alerts that production sends out."""

from __future__ import annotations

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from local.json_handler import JsonHandler
from local.ports import HOST

_TOKEN = {"access_token": "local-emulator-token", "token_type": "Bearer", "expires_in": 86400}


class Handler(JsonHandler, BaseHTTPRequestHandler):
    """POST /token gives a token to anybody; POST /alerts keeps one JSON object."""

    protocol_version = "HTTP/1.1"
    alerts: Path
    _writing = threading.Lock()

    def do_GET(self) -> None:
        """Say that the server lives."""
        self.answer(200 if self.path == "/healthz" else 404, {"status": "ok"})

    def do_POST(self) -> None:
        """Give a token, or keep an alert."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/token":
            self.answer(200, _TOKEN)
        elif self.path == "/alerts":
            self._keep(body)
        else:
            self.answer(404, {"error": f"{self.path} is unknown; here are /token and /alerts"})

    def _keep(self, body: bytes) -> None:
        try:
            alert = json.loads(body)
        except ValueError as error:
            self.answer(400, {"error": f"an alert must be JSON: {error}"})
            return
        with self._writing, self.alerts.open("a") as file:
            file.write(json.dumps(alert) + "\n")
        self.answer(200, {"status": "kept"})


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m local.credentials", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alerts", type=Path, required=True, help="file to append alerts to")
    options = parser.parse_args()
    Handler.alerts = options.alerts
    ThreadingHTTPServer((HOST, options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
