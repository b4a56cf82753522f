"""Generates one partition of a source and prints the spec with which refine runs it, and the tally.

Run in the project's environment, since Spark's own has none of the project's packages.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hourglass.config import Source, load_source
from hourglass.generate.core import Rates
from hourglass.generate.write import generate, tally_file
from hourglass.partition import Manifest, Partition

WHEN = datetime(2026, 1, 6, 14, tzinfo=UTC)
RATES = Rates(late=0.1, duplicates=0.1, bad=0.25)


def main(source_id: str, folder: Path) -> None:
    """Generate into `folder` and print spec and tally as one JSON document."""
    source = load_source(source_id)
    partition = Partition.containing(WHEN, source.grain)
    tally = generate(source, partition, folder, 240, RATES, seed=7, objects=2)
    print(json.dumps({"spec": spec(source, partition, folder), "tally": tally.to_dict()}))  # noqa: T201


def spec(source: Source, partition: Partition, folder: Path) -> dict[str, Any]:
    """What the DAG would hand to refine, with files for objects."""
    told = json.loads(tally_file(folder, source, partition).read_text())
    made = source.refine_spec(Manifest.freeze(source.id, partition.key, "bucket", []), partition)
    dead = source.dead_letter_prefix
    for name in told["objects"]:
        path = folder / name
        entry = {
            "uri": f"file://{path}",
            "generation": path.stat().st_mtime_ns // 1000,
            "size": path.stat().st_size,
        }
        made["manifest"]["objects"].append(
            entry | ({"dead_letter": True} if dead and name.startswith(dead) else {})
        )
    made["manifest"]["uri"] = "file:///none"
    made["tables"] = {kind: f"lake.{kind}.generated_{source.id}" for kind in made["tables"]}
    return made | {"batch_id": f"refine-{source.id}-1", "outcome": (folder / "outcome.json").as_uri()}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
