"""Airflow's database, settings and login on the laptop."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from local.errors import LocalCloudError
from local.layout import Layout

_TIMEOUT_SECONDS = 300


class AirflowHome:
    """The Airflow of one instance.

    Args:
        layout: the instance's folders.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._settings = layout.root / "airflow_settings.yaml"
        self._stamp = layout.airflow / ".prepared"

    def prepare(self, environment: Mapping[str, str], say: Callable[[str], None] = print) -> None:
        """Bring the database up to date and load the settings; nothing happens when both are current.

        Args:
            environment: the whole environment of a command within the cloud.
            say: takes each line meant for a person.

        Raises:
            LocalCloudError: Airflow refused; the message ends with its own lines.
        """
        self.password()
        config = self._layout.airflow / "config"
        config.mkdir(exist_ok=True)
        shutil.copy(Path(__file__).with_name("airflow_local_settings.py"), config)
        if self._is_current():
            return
        say("Airflow's database and settings (once, some 20 s)")
        self.load(environment)

    def load(self, environment: Mapping[str, str]) -> None:
        """Migrate the database and load airflow_settings.yaml, in one start of Airflow.

        Args:
            environment: the whole environment of a command within the cloud.

        Raises:
            LocalCloudError: Airflow refused; the message ends with its own lines.
        """
        log = self._layout.log("airflow-setup")
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(self._layout.python), "-m", "local.airflow_setup", str(self._settings)]
        with log.open("w") as output:
            try:
                done = subprocess.run(
                    command,
                    env=dict(environment),
                    cwd=self._layout.root,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=_TIMEOUT_SECONDS,
                    check=False,
                )
                failed = f"ended with exit code {done.returncode}" if done.returncode else ""
            except subprocess.TimeoutExpired:
                failed = f"did not end within {_TIMEOUT_SECONDS} s"
        if failed:
            lines = "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-12:])
            raise LocalCloudError(f"setting up Airflow {failed}. The end of its log, {log}:\n{lines}")
        self._stamp.write_text(self._key())

    def password(self) -> str:
        """The password of the user `admin`, made on the first call."""
        file = self._layout.airflow / "simple_auth_manager_passwords.json.generated"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}))
        return str(json.loads(file.read_text())["admin"])

    def _key(self) -> str:
        settings = self._settings.read_bytes() if self._settings.exists() else b""
        parts = [version("apache-airflow"), version("apache-airflow-providers-google")]
        return hashlib.sha256(b"\n".join([settings, *(part.encode() for part in parts)])).hexdigest()

    def _is_current(self) -> bool:
        stamped = self._stamp.exists() and self._stamp.read_text() == self._key()
        return stamped and _has_tables(self._layout.airflow / "airflow.db")


def _has_tables(database: Path) -> bool:
    if not database.exists():
        return False
    connection = sqlite3.connect(database)
    try:
        return bool(connection.execute("SELECT version_num FROM alembic_version").fetchone())
    except sqlite3.Error:
        return False
    finally:
        connection.close()
