"""The token server of the local cloud in a container: open to the other containers, with a key beside it.

It writes /credentials/key.json, whose tokens come from this server, and appends what is posted to /alerts
to /credentials/alerts.jsonl.
"""

from __future__ import annotations

from http.server import ThreadingHTTPServer
from pathlib import Path

from local.credentials.__main__ import Handler
from local.credentials.key import write_key
from local.environment import PROJECT

FOLDER = Path("/credentials")
PORT = 8090


def main() -> None:
    """Write the key and serve until told to stop."""
    write_key(FOLDER / "key.json", f"http://tokens:{PORT}/token", PROJECT)
    Handler.alerts = FOLDER / "alerts.jsonl"
    # Every address of the container; compose publishes none of it on the host.
    ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()  # noqa: S104


if __name__ == "__main__":
    main()
