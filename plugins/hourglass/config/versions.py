"""The versions of a source's schema that stand beside the one it uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hourglass.config.evolution import version_of
from hourglass.config.source import Source


def later_versions(source: Source, include: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """Version and fields of each schema file that is newer than the source's, in order.

    A file that cannot be read is left out; `validate` says what is wrong with it.

    Args:
        source: The source.
        include: The include folder.
    """
    folder = (include / source.file.schema_.file).parent
    if folder == include / "schemas":  # no folder of versions: every other file there is another source's
        return []
    mine = version_of(source.schema.version) or ()
    newer = [(v, p) for p in folder.glob("*.json") if (v := version_of(p.stem)) and v > mine]
    found = []
    for _, path in sorted(newer):
        try:
            document = json.loads(path.read_text("utf-8"))
            found.append((str(document["version"]), list(document["fields"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
