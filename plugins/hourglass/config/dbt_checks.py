"""Would a source's transform stage find its dbt models? Read from the files, without running dbt."""

from __future__ import annotations

import re
from pathlib import Path

_MODELS = re.compile(r"^models\s*:", re.MULTILINE)


def tag_problem(include: Path, source_id: str) -> str | None:
    """What is wrong when no model of a source carries its tag: its stage would do nothing, and succeed.

    Args:
        include: The include folder.
        source_id: The source's id, which is the tag.
    """
    folder = include / "dbt" / "models" / "staging" / source_id
    if not folder.is_dir() or any(_tags(path, source_id) for path in sorted(folder.iterdir())):
        return None
    return (
        f"no model in include/dbt/models/staging/{source_id}/ has the tag {source_id}, so that the stage transform "
        f"would find nothing to do; write `config: {{tags: [{source_id}]}}` at each of them"
    )


def _tags(path: Path, source_id: str) -> bool:
    if path.suffix not in (".yml", ".yaml", ".sql") or not path.is_file():
        return False
    text = path.read_text("utf-8", errors="replace")
    if path.suffix != ".sql":
        found = _MODELS.search(text)
        text = text[found.start() :] if found else ""
    tag = rf"[\"']?{re.escape(source_id)}[\"']?"
    items = rf"(?:\[[^\]]*(?<!\w){tag}(?!\w)|(?:\s*-\s*\S+)*?\s*-\s*{tag}\s|{tag}\s)"
    return re.search(rf"\btags[\"']?\s*[:=]\s*{items}", text) is not None
