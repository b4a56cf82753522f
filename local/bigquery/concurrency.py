"""Jobs that change the same table wait for each other, as BigQuery serialises loads into one table."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import duckdb
from local_bigquery.engine import database
from local_bigquery.jobs import runner

T = TypeVar("T")
ATTEMPTS = 20
PAUSE_SECONDS = 0.01

_registry = threading.Lock()
_writers: dict[tuple[str, ...], threading.RLock] = {}
_submissions = threading.Lock()
# When each table's rows were last changed, in milliseconds; forgotten when the process ends.
changed_at: dict[tuple[str, ...], int] = {}


@contextlib.contextmanager
def writing(*table: str) -> Iterator[None]:
    """Hold a table's write lock; the same thread may take it again.

    Args:
        table: project, dataset and table; case does not matter.

    Yields:
        Nothing; the lock is held inside the block.
    """
    key = tuple(part.casefold() for part in table)
    with _registry:
        lock = _writers.setdefault(key, threading.RLock())
    with lock:
        yield
        changed_at[key] = int(time.time() * 1000)


def retried(function: Callable[..., T]) -> Callable[..., T]:
    """Repeat a small catalog statement that lost a race.

    DuckDB refuses the second of two simultaneous writers of one row; BigQuery's catalog never does.

    Args:
        function: runs one statement in a transaction of its own, so that repeating it is safe.

    Returns:
        The same function, repeated up to 20 times on a transaction conflict.
    """

    def run(*args: Any, **kwargs: Any) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return function(*args, **kwargs)
            except duckdb.TransactionException as error:
                if "onflict" not in str(error):
                    raise
                time.sleep(PAUSE_SECONDS * attempt)
        return function(*args, **kwargs)

    return run


def one_job_per_id(submit: Callable[..., Any]) -> Callable[..., Any]:
    """Let one of two simultaneous inserts of the same job id win; BigQuery answers the other with 409."""

    def run(project_id: str, job_id: str, configuration: Any, upload: str | None = None) -> Any:
        if configuration.dryRun:
            return submit(project_id, job_id, configuration, upload)
        with _submissions:
            return submit(project_id, job_id, configuration, upload)

    return run


def apply() -> None:
    """Install the locks and the retry."""
    database.writing = writing
    database.execute = retried(database.execute)
    runner.submit = one_job_per_id(runner.submit)
