"""Start the local BigQuery: local-bigquery with the repairs of this folder.

Run it with the emulator's own Python 3.13::

    .local/venvs/bigquery/bin/python local/bigquery/launcher.py --host 127.0.0.1 --port 9050 --data-dir DIR

STORAGE_EMULATOR_HOST says where gs:// objects are; everything the server keeps lies in DIR.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# As a script, Python puts this folder first on the path, where a module named like a library would hide it.
sys.path[0] = str(Path(__file__).resolve().parents[2])

DEFAULT_DATASET = "_local"
"""The dataset local-bigquery insists on; the leading underscore hides it, as BigQuery hides such datasets."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Args:
        argv: arguments without the program's name; None reads sys.argv.

    Returns:
        host, port, data_dir and project.
    """
    parser = argparse.ArgumentParser(description="Run the local BigQuery.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that keeps all data")
    parser.add_argument("--project", default=os.environ.get("GOOGLE_CLOUD_PROJECT", "hourglass-local"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Configure local-bigquery, repair it and serve until stopped.

    Args:
        argv: arguments without the program's name; None reads sys.argv.
    """
    args = parse(argv)

    # Imported here, so that a wrong command line answers at once.
    import uvicorn
    from local_bigquery.settings import settings

    settings.bigquery_host, settings.bigquery_port = args.host, args.port
    settings.data_dir = args.data_dir.resolve()
    settings.default_project_id, settings.default_dataset_id = args.project, DEFAULT_DATASET

    from local.bigquery import recovery, repairs

    # DuckDB has no partitioning or options; their warnings would fill the log.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    repairs.apply()
    recovery.recover()
    uvicorn.run("local_bigquery:app", host=args.host, port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
