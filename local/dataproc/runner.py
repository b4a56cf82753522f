"""Runs one batch: fetches its files, starts its driver, keeps its output, says how it ended."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.cloud.dataproc_v1.types import Batch, UsageMetrics

from local.dataproc import messages
from local.dataproc.driver import Driver, Exit, read_exit
from local.dataproc.launch import Spark, current_environment, prepare
from local.dataproc.objects import ObjectError, Objects
from local.dataproc.records import Record, State

# Google counts 0.6 compute units for a vCPU, for the time it is reserved; here for the time it is used.
_MILLI_DCU_PER_CPU_SECOND = 600
_log = logging.getLogger(__name__)


class Runner:
    """Runs batches with a Spark of this machine.

    Args:
        spark: the Spark.
        objects: the local GCS.
        bucket: takes the drivers' output, unless a batch names its own staging bucket.
        logs: folder that takes the drivers' output as it is written.
    """

    def __init__(self, spark: Spark, objects: Objects, bucket: str, logs: Path) -> None:
        self._spark, self._objects, self._bucket, self._logs = spark, objects, bucket, logs

    def enter(self, record: Record, state: Any, message: str = "") -> None:
        """Move a batch to a state, remember the one before, and write it down."""
        batch = record.batch
        if batch.state:
            batch.state_history.append(
                Batch.StateHistory(
                    state=batch.state, state_message=batch.state_message, state_start_time=batch.state_time
                )
            )
        batch.state, batch.state_message, batch.state_time = state, message, datetime.now(UTC)
        record.save()
        _log.info("batch %s: %s%s", record.batch_id, state.name, f": {message}" if message else "")

    def prepare(self, record: Record) -> list[str] | None:
        """Fetch a batch's files.

        Returns:
            Its command, or None when a file is missing: then the batch has FAILED.
        """
        try:
            return prepare(record.batch, self._spark, self._objects, record.folder)
        except ObjectError as error:
            self._log_file(record).write_text(f"{error}\n")
            self._upload(record)
            self.enter(record, State.FAILED, messages.not_started(str(error), self._places(record)))
            return None

    def start(self, record: Record, command: list[str]) -> Driver:
        """Start the driver.

        Raises:
            OSError: the shell cannot be started.
        """
        record.batch.runtime_info.output_uri = self._output_uri(record)
        environment = self._spark.environment(current_environment(), record.folder)
        return Driver.start(record.folder, command, environment, self._log_file(record))

    def finish(self, record: Record) -> None:
        """Judge a batch whose driver ended while no server was there to see it."""
        self.judge(record, self.collect(record), "")

    def collect(self, record: Record) -> Exit | None:
        """Put an ended driver's output on GCS, clean up, and give its exit (None: it left none)."""
        self._upload(record)
        for name in ("tmp", "files", "work", "warehouse"):
            shutil.rmtree(record.folder / name, ignore_errors=True)
        outcome = read_exit(record.folder)
        if outcome is not None:
            record.batch.runtime_info.approximate_usage = UsageMetrics(
                milli_dcu_seconds=round(outcome.cpu_seconds * _MILLI_DCU_PER_CPU_SECOND),
                update_time=datetime.now(UTC),
            )
        return outcome

    def judge(self, record: Record, outcome: Exit | None, reason_to_stop: str) -> None:
        """Move an ended batch to its last state.

        Args:
            record: the batch.
            outcome: how its driver ended, None when it left no exit code.
            reason_to_stop: why the server stopped it, empty when it did not.
        """
        if record.batch.state == State.CANCELLING:
            self.enter(record, State.CANCELLED, reason_to_stop or "Batch was cancelled by request")
        elif outcome is not None and outcome.code == 0:
            self.enter(record, State.SUCCEEDED)
        elif reason_to_stop:
            self.enter(record, State.FAILED, reason_to_stop)
        elif outcome is None:
            self.enter(record, State.FAILED, messages.vanished(self._places(record)))
        else:
            text = messages.failed(outcome, self._log_file(record), self._places(record))
            self.enter(record, State.FAILED, text)

    def _log_file(self, record: Record) -> Path:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self._logs / f"dataproc-{record.batch_id}.log"

    def _output_uri(self, record: Record) -> str:
        bucket = record.batch.environment_config.execution_config.staging_bucket or self._bucket
        return f"gs://{bucket}/dataproc/jobs/srvls-batch-{record.batch.uuid}/driveroutput"

    def _places(self, record: Record) -> str:
        return f"{self._log_file(record)}\n{self._output_uri(record)}.*"

    def _upload(self, record: Record) -> None:
        uri = self._output_uri(record)
        record.batch.runtime_info.output_uri = uri
        try:
            # As on Google, output_uri is a prefix and the parts are numbered; here there is always one.
            self._objects.put(self._log_file(record), f"{uri}.000000000")
        except ObjectError as error:
            _log.warning(
                "batch %s: its output stays in %s only: %s", record.batch_id, self._log_file(record), error
            )
