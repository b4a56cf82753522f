"""Installs everything that the local cloud, the product and the tests need: `make setup`.

Run by the system's Python 3.11 with nothing installed. All of it goes into .venv and .local; what is
there and current is left alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the file can also be run by its path

from local.setup.prerequisites import SetupError, check  # noqa: E402
from local.setup.runner import Runner  # noqa: E402
from local.setup.steps import Steps  # noqa: E402


def main() -> int:
    """Install what is missing.

    Returns:
        The exit code.
    """
    runner = Runner(ROOT, installers_environment(os.environ))
    try:
        steps = Steps(ROOT).all()
        if all(runner.is_current(step) for step in steps):
            return 0
        check()
        started = time.monotonic()
        print("Setting up the local cloud; the first time takes some minutes.", flush=True)
        runner.run(steps)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; `make setup` goes on from here", file=sys.stderr)
        return 130
    print(f"Set up in {time.monotonic() - started:.0f} s.")
    return 0


def installers_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of the installers.

    They keep their caches in the home folder. Where there is none that can be written to, .local/home
    takes its place.
    """
    changed = {
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false -modcacherw",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "UV_NO_PROGRESS": "1",
        "AIRFLOW_HOME": str(ROOT / ".local" / "home" / "airflow"),
    }
    if "PIP_INDEX_URL" in base:
        changed.setdefault("UV_DEFAULT_INDEX", base["PIP_INDEX_URL"])
    kept = {
        k: v for k, v in base.items() if k not in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "PYTHONPATH")
    }
    return {**kept, **changed, **_home(base)}


def _home(base: Mapping[str, str]) -> dict[str, str]:
    home = base.get("HOME", "")
    if home and os.path.isdir(home) and os.access(home, os.W_OK):
        return {}
    own = ROOT / ".local" / "home"
    own.mkdir(parents=True, exist_ok=True)
    maven = f"{base.get('MAVEN_OPTS', '')} -Duser.home={own}".strip()  # Java does not look at HOME
    return {"HOME": str(own), "MAVEN_OPTS": maven}


if __name__ == "__main__":
    sys.exit(main())
