"""Law 3: nothing that is deployed asks where it runs; only endpoints and credentials differ, by environment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(p for folder in ("plugins", "dags", "include/spark") for p in (ROOT / folder).rglob("*.py"))
SQL = sorted(
    p
    for pattern in (
        "sql/**/*.sql",
        "dbt/models/**/*.sql",
        "dbt/macros/**/*.sql",
        "dbt/tests/**/*.sql",
        "dbt/*.yml",
    )
    for p in (ROOT / "include").glob(pattern)
)
WHERE = re.compile(
    r"emulator|laptop|localhost|127\.0\.0\.1|hourglass-local|(^|_)(is|on|if)_local", re.IGNORECASE
)
# The only places that may speak of it: two clients of Google's know no such setting of their own, one message
# says what to start, and an API may be polled without TLS on one's own machine.
ALLOWED = {
    "plugins/hourglass/cloud/dataproc.py": {"DATAPROC_EMULATOR_HOST"},
    "plugins/hourglass/cloud/transfer.py": {"STORAGETRANSFER_EMULATOR_HOST"},
    "plugins/hourglass/config/platform.py": {"on a laptop, run through"},
    "plugins/hourglass/config/patterns.py": {"127.0.0.1", "|localhost)"},
}
# Airflow's own, which the command line reads or sets for itself.
AIRFLOW = {"AIRFLOW_HOME", "AIRFLOW__COSMOS__ENABLE_TELEMETRY"}


def words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name, attribute and text of a module but for its docstrings, with its line."""
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr


def asks(path: Path, text: str) -> list[str]:
    """What in a module asks where it runs."""
    name = path.relative_to(ROOT).as_posix()
    allowed = ALLOWED.get(name, set())
    return [
        f"{name}:{line}: {word[:80]!r}"
        for line, word in words(ast.parse(text))
        if WHERE.search(word) and not any(known in word for known in allowed)
    ]


@pytest.mark.parametrize("path", CODE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_module_asks_whether_it_runs_locally(path: Path) -> None:
    assert asks(path, path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        'if os.environ.get("STORAGE_EMULATOR_HOST"): pass',
        "if settings.is_local: pass",
        'x = "http://localhost:1"',
    ],
)
def test_a_module_that_asks_is_noticed(line: str) -> None:
    assert asks(ROOT / "plugins/hourglass/cloud/gcs.py", f'"""On a laptop."""\n{line}\n')


def test_what_is_allowed_is_still_there() -> None:
    for name, known in ALLOWED.items():
        text = (ROOT / name).read_text("utf-8")
        assert all(word in text for word in known), name


@pytest.mark.parametrize("path", SQL, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_statement_asks_whether_it_runs_locally(path: Path) -> None:
    text = re.sub(r"--.*|#.*|\{#.*?#\}", "", path.read_text("utf-8"))
    assert WHERE.search(text) is None
    assert "target.name" not in text


def test_every_variable_that_is_read_is_documented() -> None:
    """A setting nobody knows of could make the two places differ."""
    page = set(
        re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/reference/environment.md").read_text("utf-8"))
    )
    assert "HOURGLASS_PROJECT" in page
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in CODE
        for name in variables(ast.parse(path.read_text("utf-8")))
        if name not in page | AIRFLOW
    }
    unknown |= {
        f"{path.relative_to(ROOT)}: {name}"
        for path in SQL
        for name in re.findall(r"env_var\(\s*['\"](\w+)", path.read_text("utf-8"))
        if name not in page
    }
    assert unknown == set()


def variables(tree: ast.AST) -> Iterator[str]:
    """The environment variables that a module reads: keys of `environ`, `env` and `getenv`."""
    for node in ast.walk(tree):
        key: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args and _of_environment(node.func):
            key = node.args[0]
        elif isinstance(node, ast.Subscript) and _of_environment(node.value):
            key = node.slice
        elif isinstance(node, ast.Compare) and any(_of_environment(c) for c in node.comparators):
            key = node.left
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


def _of_environment(node: ast.expr) -> bool:
    return re.search(r"\b(environ|env|getenv)(\.(get|setdefault|pop))?$", ast.unparse(node)) is not None
