"""Airflow's own settings module on the laptop: several processes write to one SQLite file without refusing each other.

`AirflowHome` copies it to where Airflow imports it from. Cloud Composer has PostgreSQL and needs none of this.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

__all__ = ["create_metadata_engine"]

_WAIT_SECONDS = 60  # for another process's write; sqlite3's 5 are not enough beside a busy scheduler


def create_metadata_engine(
    sql_alchemy_conn: str, *, engine_args: dict[str, Any], connect_args: dict[str, Any]
) -> Engine:
    """Make the engine of the metadata database, as Airflow does, with more patience.

    A transaction of SQLite that begins with a read and goes on with a write is refused at once if another process has
    written in between (https://www.sqlite.org/isolation.html). The sqlite3 module begins one before the first write,
    but a savepoint begins it before the first read; `airflow backfill create` makes each of its runs in one. So a
    savepoint outside of a transaction takes the right to write first, and waits for it.

    Args:
        sql_alchemy_conn: The database's URL.
        engine_args: Airflow's arguments of the engine.
        connect_args: Airflow's arguments of each connection.
    """
    patient = {"timeout": _WAIT_SECONDS, **connect_args}
    engine = create_engine(sql_alchemy_conn, connect_args=patient, **engine_args)
    event.listen(engine, "savepoint", _begin_to_write)
    return engine


def _begin_to_write(connection: Connection, _name: str | None) -> None:
    raw: Any = connection.connection.dbapi_connection
    if not raw.in_transaction:
        raw.execute("BEGIN IMMEDIATE")
