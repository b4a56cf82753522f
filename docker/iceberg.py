"""The Iceberg REST catalog in a container, by the command that the local cloud uses."""

from __future__ import annotations

import os
from pathlib import Path

from local import iceberg

PORT = 8181


def main() -> None:
    """Become the catalog's server, which listens on 127.0.0.1 and keeps its tables in /data."""
    command = iceberg.command(Path.cwd(), Path("/data"), PORT, os.environ["STORAGE_EMULATOR_HOST"])
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
