"""What a person has to install: found, or named together with the command that installs it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from local.iceberg.java import JavaError, java_home

PYTHON = (3, 11)
_GO = (1, 26)


# What is missing, and the Debian packages that bring it.
Problem = tuple[str, str] | None
ProblemFinder = Callable[[], Problem]


class SetupError(RuntimeError):
    """Set-up cannot go on; the message says what is wrong and what to do."""


def check() -> None:
    """Check everything at once, so that one command can install all of it.

    Raises:
        SetupError: something is missing; the message names each thing and the command.
    """
    problems = [
        problem
        for find in (_python_problem, _java_problem, _maven_problem, *_program_problems())
        if (problem := find())
    ]
    if not problems:
        return
    packages = " ".join(dict.fromkeys(package for _, package in problems))
    lines = "\n".join(f"  - {what}" for what, _ in problems)
    sudo = "" if os.geteuid() == 0 else "sudo "
    raise SetupError(
        f"something has to be installed first:\n{lines}\n"
        f"On Debian and Ubuntu: {sudo}apt-get install -y {packages}\nThen run `make setup` again."
    )


def _python_problem() -> Problem:
    package = "python3.11 python3.11-venv"
    if sys.version_info[:2] != PYTHON:
        return f"Python 3.11: this is {sys.version.split()[0]} at {sys.executable}", package
    if importlib.util.find_spec("ensurepip") is None:
        return f"the venv module of {sys.executable}", package
    return None


def _java_problem() -> Problem:
    package = "openjdk-17-jdk-headless"
    try:
        home = java_home()
    except JavaError as error:
        return f"a JDK 17: {error}", package
    if not (home / "bin" / "javac").is_file():
        return f"the JDK's compiler: {home} is only a Java runtime", package
    return None


def _maven_problem() -> Problem:
    if shutil.which("mvn"):
        return None
    return "Maven, which fetches the jars of Spark and of the Iceberg catalog", "maven"


def _program_problems() -> list[ProblemFinder]:
    def finder(program: str) -> ProblemFinder:
        return lambda: None if shutil.which(program) else (program, program)

    return [finder(program) for program in ("make", "git")]


def python_313(root: Path) -> Path | None:
    """Find a Python 3.13 that runs: on PATH, among pyenv's versions, or brought by uv before.

    A pyenv shim on PATH may exist and yet refuse to run, so every candidate is tried.

    Args:
        root: the repository's folder.
    """
    return next((python for python in _candidates_313(root) if _runs(python)), None)


def _candidates_313(root: Path) -> Iterator[Path]:
    folders = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    yield from (folder / "python3.13" for folder in folders)
    pyenv = [folder.parent for folder in folders if folder.name == "shims"]
    if named := os.environ.get("PYENV_ROOT"):
        pyenv.append(Path(named))
    pyenv.append(Path.home() / ".pyenv")
    for versions in dict.fromkeys(folder / "versions" for folder in pyenv):
        yield from sorted(versions.glob("3.13*/bin/python3.13"), reverse=True)
    yield from sorted((root / ".local" / "python").glob("*3.13*/bin/python3.13"), reverse=True)


def _runs(python: Path) -> bool:
    if not python.is_file():
        return False
    command = [str(python), "-c", "import ssl, sys; sys.exit(sys.version_info[:2] != (3, 13))"]
    return _output(command) is not None


def is_venv(folder: Path, version: tuple[int, int]) -> bool:
    """Tell whether a virtual environment works and was made for this very folder.

    Args:
        folder: the environment.
        version: its Python's major and minor version.
    """
    code = "import sys; print(sys.prefix, *sys.version_info[:2])"
    said = _output([str(folder / "bin" / "python"), "-c", code])
    # The scripts of an environment that was moved or copied name the folder it came from.
    script = folder / "bin" / "activate"
    at_home = script.exists() and str(folder) in script.read_text(errors="replace")
    return at_home and said is not None and said.strip() == f"{folder} {version[0]} {version[1]}"


def go() -> Path | None:
    """Find a Go of at least 1.26 on PATH."""
    found = shutil.which("go")
    if not found:
        return None
    match = re.search(r"go(\d+)\.(\d+)", _output([found, "version"]) or "")
    new_enough = match and (int(match[1]), int(match[2])) >= _GO
    return Path(found) if new_enough else None


def _output(command: list[str]) -> str | None:
    """Run a short command; None when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
