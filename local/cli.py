"""The commands of the local cloud."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.cloud import Cloud
from local.environment import as_shell
from local.errors import LocalCloudError
from local.iceberg.java import JavaError
from local.layout import Layout

_CONSOLE = Console(highlight=False, soft_wrap=True)
_ERRORS = Console(highlight=False, soft_wrap=True, stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program, or None for the real one.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace, Cloud], int] = options.run
    try:
        return command(options, Cloud(Layout.current(), _progress))
    except (LocalCloudError, JavaError) as error:
        _ERRORS.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        _ERRORS.print("interrupted; `make down` stops what has started")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The cloud on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Cloud], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    command("up", _up).add_argument("--airflow", action="store_true", help="with Airflow's UI and components")
    command("down", _down)
    command("status", _status)
    command("env", _env)
    command("settings", _settings)
    command("exec", _exec).add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND…")
    for name, run in (("land", _land), ("dag", _dag)):
        added = command(name, run)
        added.add_argument("--source", required=True, help="the source's id, such as github")
        added.add_argument("--partition", required=True, help="its key, such as 2021-07-21T06")
        if name == "land":
            added.add_argument("files", nargs="+", type=Path, metavar="FILE")
    return parser


def _progress(line: str) -> None:
    _ERRORS.print(line, style="dim", markup=False)


def _up(options: argparse.Namespace, cloud: Cloud) -> int:
    """Start or repair the local cloud."""
    started = time.monotonic()
    cloud.up(airflow=options.airflow)
    _CONSOLE.print(f"The local cloud works ({time.monotonic() - started:.1f} s): {cloud.layout.cloud}")
    if options.airflow:
        url = cloud.variables()["AIRFLOW__API__BASE_URL"]
        _CONSOLE.print(f"Airflow: {url}  user admin, password {cloud.airflow.password()}")
    return 0


def _down(options: argparse.Namespace, cloud: Cloud) -> int:
    """Stop every part; data and logs stay."""
    ended = cloud.down()
    also = f"; {ended} processes had to be ended" if ended else ""
    _CONSOLE.print(f"The local cloud is stopped{also}: {cloud.layout.cloud}")
    return 0


def _status(options: argparse.Namespace, cloud: Cloud) -> int:
    """Show every part; exit code 1 unless all work."""
    health = cloud.health()
    if not health:
        _CONSOLE.print("The local cloud was never started; run `make up`.")
        return 1
    table = Table(box=None)
    for title in ("part", "state", "pid", "since", "address"):
        table.add_column(title, no_wrap=True)
    for found in health:
        state = found.state
        shown = "works" if found.works else (state.state.lower() if state else "stopped")
        table.add_row(
            found.part.name,
            f"[{'green' if found.works else 'red'}]{shown}[/]",
            str(state.pid) if state and state.runs else "",
            f"{state.seconds} s" if state and state.runs else "",
            found.part.address,
        )
    _CONSOLE.print(table)
    _CONSOLE.print(f"logs: {cloud.layout.logs}")
    return 0 if all(found.works for found in health) else 1


def _env(options: argparse.Namespace, cloud: Cloud) -> int:
    """Print the cloud's variables for eval "$(...)"."""
    print(as_shell(cloud.variables(), cloud.layout), end="")
    return 0


def _settings(options: argparse.Namespace, cloud: Cloud) -> int:
    """Load airflow_settings.yaml into Airflow's database."""
    cloud.up()
    cloud.airflow.load(cloud.environment())
    _CONSOLE.print("airflow_settings.yaml is loaded.")
    return 0


def _exec(options: argparse.Namespace, cloud: Cloud) -> int:
    """Run a command within the cloud's environment."""
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise LocalCloudError("which command? Write `python -m local exec -- COMMAND…`.")
    cloud.up()
    environment = cloud.environment()
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  the command is the user's own
    except OSError as error:
        raise LocalCloudError(f"{command[0]} cannot be run: {error.strerror}") from error


def _land(options: argparse.Namespace, cloud: Cloud) -> int:
    """Upload files to where a source's partition expects them."""
    sys.path.insert(0, str(cloud.layout.root / "plugins"))
    from hourglass.config.platform import include_folder
    from local.landing import land

    for uri in land(options.source, options.partition, options.files, include_folder()):
        _CONSOLE.print(f"landed {uri}", markup=False)
    return 0


def _dag(options: argparse.Namespace, cloud: Cloud) -> int:
    """Run one partition of a source's DAG, as `airflow dags test` does."""
    sys.path.insert(0, str(cloud.layout.root / "plugins"))
    from hourglass.partition import Partition

    try:
        start = Partition.parse(options.partition).start
    except ValueError as error:
        raise LocalCloudError(str(error)) from error
    cloud.up()
    cloud.airflow.prepare(cloud.environment(), _progress)
    options.command = ["airflow", "dags", "test", options.source, start.strftime("%Y-%m-%dT%H:%M:%S")]
    return _exec(options, cloud)
