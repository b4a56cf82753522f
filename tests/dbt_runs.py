"""dbt commands as the pipeline's tasks give them: for some event dates, in one process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult

PROJECT = Path(__file__).resolve().parents[1] / "include" / "dbt"


class Dbt:
    """Runs dbt; all commands of one share what was parsed.

    Args:
        target: Where dbt writes.
        project: The dbt project.
        variables: What the environment has beside the event dates.
    """

    def __init__(
        self, target: Path, project: Path = PROJECT, variables: Mapping[str, str] | None = None
    ) -> None:
        places = {"project-dir": project, "profiles-dir": project, "target-path": target, "log-path": target}
        self._places = [part for name, place in places.items() for part in (f"--{name}", str(place))]
        self._variables = variables or {}

    def __call__(self, event_dates: str | None, *command: str) -> dbtRunnerResult:
        """Run a command.

        Args:
            event_dates: The dates to compute, such as "2021-07-20,2021-07-21"; None for a run that was given none.
            command: Such as "run", "--select", "tag:github".
        """
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            if event_dates is None:
                patch.delenv("HOURGLASS_EVENT_DATES", raising=False)
            else:
                patch.setenv("HOURGLASS_EVENT_DATES", event_dates)
            return dbtRunner().invoke([*command, *self._places, "--quiet"])


def messages(result: dbtRunnerResult, *states: str) -> str:
    """What dbt says of each node of a command, or why it ran none.

    Args:
        result: The command's result.
        states: Only of nodes in these states, such as "fail"; of all by default.
    """
    found = [n for n in result.result or () if not states or str(n.status) in states]
    return "\n".join(f"{n.node.name}: {n.message}" for n in found) or str(result.exception)
