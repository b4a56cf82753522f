"""DuckDB's own files: extensions from their PyPI packages, and what memory has no room for in the data folder.

Nothing is downloaded, and nothing is written to HOME or to the folder that the server was started in.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import duckdb
from local_bigquery.settings import settings

NAMES = ("ducklake", "httpfs", "icu", "spatial")


def packaged(name: str) -> Path:
    """Find an extension's file inside its package.

    Args:
        name: the extension's name.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = found.submodule_search_locations if found and found.submodule_search_locations else []
    for folder in folders:
        for file in Path(folder).glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"):
            return file
    raise FileNotFoundError(
        f"DuckDB's extension {name} {duckdb.__version__} is missing from this environment. "
        "Next: install local/bigquery/requirements.txt into it."
    )


def link(folder: Path) -> None:
    """Lay out the packaged extensions as DuckDB's extension_directory.

    Args:
        folder: the directory; links to another environment's files are replaced.
    """
    with duckdb.connect() as scratch:
        ((platform,),) = scratch.execute("SELECT platform FROM pragma_platform()").fetchall()
    target = folder / f"v{duckdb.__version__}" / platform
    target.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        file = target / f"{name}.duckdb_extension"
        file.unlink(missing_ok=True)
        file.symlink_to(packaged(name))


def apply() -> None:
    """Let every DuckDB connection find the packaged extensions and the folder to spill to."""
    folder = settings.data_dir / "extensions"
    link(folder)
    folders = {"extension_directory": str(folder), "temp_directory": str(settings.data_dir / "spilled")}
    connect = duckdb.connect

    def packaged_connect(
        database: str = ":memory:", read_only: bool = False, config: dict[str, Any] | None = None
    ) -> Any:
        return connect(database, read_only, folders | (config or {}))

    duckdb.connect = packaged_connect  # type: ignore[assignment]
