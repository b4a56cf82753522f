"""python -m local.airflow_setup FILE: migrate Airflow's database and import its settings in one start.

Each `airflow …` command takes seconds to start; these four run in one process, by Airflow's own parser.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from local.settings import read_settings


def main(settings_file: Path) -> None:
    """Migrate and import.

    Args:
        settings_file: airflow_settings.yaml; when it is missing, only the database is migrated.
    """
    # Not at the top: importing Airflow reads its configuration and takes seconds.
    from airflow.cli.cli_parser import get_parser

    def run(*arguments: str) -> None:
        options = get_parser().parse_args(arguments)
        options.func(options)

    run("db", "migrate")
    if not settings_file.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind, content in read_settings(settings_file).items():
            if content:
                file = Path(folder, f"{kind}.json")
                file.write_text(json.dumps(content))
                run(kind, "import", str(file), *(["--overwrite"] if kind == "connections" else []))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
