"""The laptop's SQLite: a savepoint that reads before it writes is not refused for what another process wrote."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from local.airflow_local_settings import create_metadata_engine


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database as Airflow has it: with a write-ahead log."""
    file = tmp_path / "airflow.db"
    with closing(sqlite3.connect(file)) as made:
        made.executescript("PRAGMA journal_mode = WAL; CREATE TABLE written (who TEXT)")
    return file


@pytest.fixture
def engine(database: Path) -> Engine:
    return create_metadata_engine(f"sqlite:///{database}", engine_args={}, connect_args={})


def other_writes(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=30)) as other, other:
        other.execute("INSERT INTO written VALUES ('other')")


def read_and_write(engine: Engine, database: Path, patience: float | None) -> None:
    """In one savepoint; another writes in between, if it may: within `patience` seconds, or however long it takes."""
    other = threading.Thread(target=other_writes, args=(database,))
    try:
        with engine.connect() as connection:
            with connection.begin_nested():
                connection.execute(text("SELECT * FROM written")).all()
                other.start()
                other.join(patience)
                connection.execute(text("INSERT INTO written VALUES ('own')"))
            connection.commit()
    finally:
        other.join()


def test_a_savepoint_that_reads_first_may_write(engine: Engine, database: Path) -> None:
    read_and_write(engine, database, patience=0.5)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT who FROM written")).all() == ["own", "other"]


def test_an_engine_without_it_is_refused(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with pytest.raises(OperationalError, match="database is locked"):
        read_and_write(engine, database, patience=None)


def test_it_waits_for_a_write_of_another(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA busy_timeout")) == 60_000
