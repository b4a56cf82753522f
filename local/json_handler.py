"""What the small JSON services have in common."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler


class JsonHandler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def answer(self, status: int, content: object) -> None:
        """Send an answer.

        Args:
            status: The HTTP status.
            content: What JSON can hold.
        """
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log what happened, but not the health checks of every start."""
        if self.path != "/healthz":
            super().log_message(format, *arguments)
