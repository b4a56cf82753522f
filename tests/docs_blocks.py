"""What the documentation's Markdown holds: headings, links, code blocks, and the commands to be run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Their blocks follow on each other; see tests/e2e/test_new_source.py and test_incident.py.
STORY = ROOT / "docs/tutorial/first-source.md"
INCIDENT = ROOT / "docs/incidents/dates-in-another-format.md"
_FENCE = re.compile(
    r"(?P<run><!-- run -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: its page, language and text, and whether the page asks for it to be run."""

    page: Path
    language: str
    code: str
    runs: bool

    @property
    def commands(self) -> str:
        """The text as bash reads it; in a console block, the lines behind a `$`."""
        if self.language != "console":
            return self.code
        return "".join(line[2:] for line in self.code.splitlines(keepends=True) if line.startswith("$ "))


def pages() -> list[Path]:
    """Every Markdown page that a reader may open."""
    folders = [ROOT / "docs", ROOT / "deploy"]
    return sorted([*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))])


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for match in _FENCE.finditer(page.read_text("utf-8")):
        yield Block(page, match["language"], match["code"], bool(match["run"]))


def shell_blocks(page: Path) -> list[Block]:
    """The blocks that a reader types into a shell."""
    return [block for block in blocks(page) if block.language in ("bash", "console")]


def commands_to_run() -> list[Block]:
    """The blocks marked with `<!-- run -->` that work in any order, in the order of the pages."""
    return [b for page in pages() if page not in (STORY, INCIDENT) for b in shell_blocks(page) if b.runs]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next heading of any level."""
    found = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, f"{page.relative_to(ROOT)} has no heading {heading!r}"
    return found[1]


def keys(text: str) -> set[str]:
    """The code words in the first cells of the tables in a text."""
    cells = re.findall(r"^\|([^|]+)\|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}
