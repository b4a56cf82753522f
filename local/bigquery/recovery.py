"""What a killed server leaves behind, put right before the next one serves."""

from __future__ import annotations

from local_bigquery.catalog import metadata
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import runner, store
from local_bigquery.models import Job, JobStatistics

RESULT_HOURS = 24
"""How long BigQuery keeps the result of a query in its anonymous table."""


def finish_interrupted_jobs() -> None:
    """Let jobs that ran when the server stopped end with an error; BigQuery's jobs always end."""
    rows = database.fetch("SELECT resource FROM emulator.jobs WHERE state <> 'DONE'")
    for (resource,) in rows:
        error = BigQueryError(
            "stopped", "The local BigQuery stopped while this job ran. Next: run the job again."
        )
        store.save(runner._done(Job.model_validate_json(resource), JobStatistics(), error))


def drop_old_results() -> None:
    """Drop the results of queries older than a day, which BigQuery forgets too."""
    oldest = int(metadata.now()) - RESULT_HOURS * 3_600_000
    rows = database.fetch(
        "SELECT table_name FROM duckdb_tables() AS results LEFT JOIN emulator.jobs AS jobs "
        "ON results.table_name = jobs.project_id || ':' || jobs.job_id "
        "WHERE database_name = 'emulator' AND schema_name = '_results' "
        "AND coalesce(jobs.creation_time, 0) < ?",
        [oldest],
    )
    for (name,) in rows:
        database.execute(f"DROP TABLE IF EXISTS {database.quote('emulator', '_results', name)}")


def recover() -> None:
    """Open the data and put it right. Call after the repairs and before serving."""
    finish_interrupted_jobs()
    drop_old_results()
