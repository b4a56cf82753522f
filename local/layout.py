"""Where things are. Standard library only: the installer uses it before any environment exists."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Layout:
    """The folders of one instance of the local cloud.

    Args:
        root: the repository.
        cloud: the instance's own folder; everything it writes is in it.
    """

    root: Path
    cloud: Path

    @classmethod
    def current(cls) -> Layout:
        """The instance that HOURGLASS_CLOUD names, or else the repository's usual one."""
        named = os.environ.get("HOURGLASS_CLOUD")
        return cls(REPOSITORY, Path(named).absolute() if named else REPOSITORY / ".local" / "cloud")

    @property
    def python(self) -> Path:
        """The interpreter of the main environment."""
        return self.root / ".venv" / "bin" / "python"

    @property
    def data(self) -> Path:
        """What the parts keep: objects, tables, catalogs."""
        return self.cloud / "data"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.cloud / "logs"

    @property
    def run(self) -> Path:
        """What the running instance knows of itself: ports, the supervisor's files."""
        return self.cloud / "run"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.cloud / "airflow"

    @property
    def credentials(self) -> Path:
        """The generated service-account key."""
        return self.cloud / "credentials.json"

    @property
    def alerts(self) -> Path:
        """What was posted to the alert webhook, one JSON object a line."""
        return self.logs / "alerts.jsonl"

    def log(self, part: str) -> Path:
        """The log of one part."""
        return self.logs / f"{part}.log"
