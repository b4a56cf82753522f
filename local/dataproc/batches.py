"""The life of batches: created, run a few at a time, cancelled, kept across restarts."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from google.cloud.dataproc_v1.types import Batch, CreateBatchRequest, ListBatchesRequest, ListBatchesResponse
from google.longrunning import operations_pb2

from local.dataproc import records
from local.dataproc.driver import Driver, started, stop_processes
from local.dataproc.errors import ApiError, invalid, not_found
from local.dataproc.filters import check_order, parse_filter
from local.dataproc.records import Record, State
from local.dataproc.runner import Runner
from local.dataproc.validation import canonical, check_create, parse_parent

_RUNTIME_VERSION = "2.3"
_DEFAULT_TTL = timedelta(hours=4)
_PAGE = (20, 1000)
_FOREVER = 14 * 86400.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How many batches run, and for how long.

    Attributes:
        slots: drivers at a time; other batches stay PENDING.
        minimum_ttl: the shortest time to live a client may ask for.
        grace_seconds: how long a driver may take to end after SIGTERM.
    """

    slots: int = 1
    minimum_ttl: timedelta = timedelta(minutes=10)
    grace_seconds: float = 10.0


class Batches:
    """Every batch of one server. All methods may be called from any thread.

    Args:
        folder: holds one folder for each batch.
        runner: prepares, starts and judges drivers.
        limits: how many, how long.
    """

    def __init__(self, folder: Path, runner: Runner, limits: Limits) -> None:
        self._folder, self._runner, self._limits = folder.resolve(), runner, limits
        self._lock = threading.RLock()
        self._threads: dict[str, threading.Thread] = {}  # by batch uuid: the batches that hold a slot
        self._expired: set[str] = set()
        self._stopping = False
        self._records = records.load(self._folder)

    def resume(self) -> None:
        """Take up what an earlier server left: running drivers, ended ones, waiting batches."""
        with self._lock:
            for record in self._records.values():
                if not record.ended:
                    self._take_up(record)
            self._start_waiting()

    def create(self, request: CreateBatchRequest) -> operations_pb2.Operation:
        """Create a batch, and start it when there is a slot.

        Raises:
            ApiError: the request is wrong (INVALID_ARGUMENT) or the batch exists (ALREADY_EXISTS).
        """
        check_create(request, self._limits.minimum_ttl)
        project, region = parse_parent(request.parent)
        with self._lock:
            for known in self._records.values():
                if request.request_id and known.request_id == request.request_id:
                    return known.operation()
            name = f"projects/{project}/locations/{region}/batches/{request.batch_id or uuid.uuid4().hex}"
            if name in self._records:
                raise ApiError(
                    grpc.StatusCode.ALREADY_EXISTS, f"Already exists: Failed to create batch: Batch {name}"
                )
            batch = _new_batch(request.batch, name, f"projects/{project}/regions/{region}/operations")
            record = Record(batch, self._folder / batch.uuid, request.request_id)
            self._runner.enter(record, State.PENDING)
            self._records[name] = record
            self._start_waiting()
            return record.operation()

    def get(self, name: str) -> Batch:
        """Give a copy of a batch.

        Raises:
            ApiError: NOT_FOUND.
        """
        with self._lock:
            return Batch(self._find(name).batch)

    def list(self, request: ListBatchesRequest) -> ListBatchesResponse:
        """List the batches of a region, the newest first.

        Raises:
            ApiError: INVALID_ARGUMENT for a filter, order, page size or page token that cannot be read.
        """
        prefix = "projects/{}/locations/{}/batches/".format(*parse_parent(request.parent))
        matches = parse_filter(request.filter)
        check_order(request.order_by)
        if request.page_size < 0:
            raise invalid(f"Invalid page_size {request.page_size}: it must not be negative")
        size = min(request.page_size or _PAGE[0], _PAGE[1])
        with self._lock:
            found = [
                r.batch for name, r in self._records.items() if name.startswith(prefix) and matches(r.batch)
            ]
            found.sort(key=lambda batch: (batch.create_time, batch.name), reverse=True)
            # The token is the last batch shown: batches created meanwhile move nothing.
            rest = _after(found, request.page_token)
            page = [Batch(batch) for batch in rest[:size]]
            token = (
                f"{rest[size - 1].create_time.isoformat()} {rest[size - 1].name}" if len(rest) > size else ""
            )
        return ListBatchesResponse(batches=page, next_page_token=token)

    def delete(self, name: str) -> None:
        """Delete a batch that has ended.

        Raises:
            ApiError: NOT_FOUND, or FAILED_PRECONDITION while it has not ended.
        """
        with self._lock:
            record = self._find(name)
            if not record.ended:
                raise ApiError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Batch {record.batch.name} is in state {record.batch.state.name}; only a batch in state "
                    "CANCELLED, SUCCEEDED or FAILED can be deleted. Cancel it first.",
                )
            del self._records[canonical(record.batch.name)]
            record.remove()

    def operations(self, prefix: str) -> Sequence[operations_pb2.Operation]:
        """List the operations whose names start with `prefix`."""
        with self._lock:
            return [
                record.operation()
                for record in self._records.values()
                if not record.operation_deleted
                and canonical(record.batch.operation).startswith(canonical(prefix))
            ]

    def operation(self, name: str) -> operations_pb2.Operation:
        """Give one operation.

        Raises:
            ApiError: NOT_FOUND.
        """
        with self._lock:
            return self._find_operation(name).operation()

    def delete_operation(self, name: str) -> None:
        """Forget an operation; the batch stays.

        Raises:
            ApiError: NOT_FOUND.
        """
        with self._lock:
            record = self._find_operation(name)
            record.operation_deleted = True
            record.save()

    def cancel(self, name: str) -> None:
        """Cancel the batch of an operation; nothing happens when it has ended.

        Raises:
            ApiError: NOT_FOUND.
        """
        with self._lock:
            record = self._find_operation(name)
            if record.batch.state == State.PENDING:
                self._runner.enter(record, State.CANCELLED, "Batch was cancelled before it started")
            elif record.batch.state == State.RUNNING:
                self._runner.enter(record, State.CANCELLING)
                self._stop_driver(record)

    def shutdown(self) -> None:
        """Stop every driver and record why; waiting batches stay PENDING for the next server."""
        with self._lock:
            self._stopping = True
            for record in self._records.values():
                if record.batch.uuid in self._threads:
                    self._stop_driver(record)
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(self._limits.grace_seconds + 20.0)

    def _find(self, name: str) -> Record:
        record = self._records.get(canonical(name))
        if record is None:
            raise not_found(f"Batch {canonical(name)}")
        return record

    def _find_operation(self, name: str) -> Record:
        for record in self._records.values():
            if canonical(record.batch.operation) == canonical(name) and not record.operation_deleted:
                return record
        raise not_found(f"Operation {name}")

    def _take_up(self, record: Record) -> None:
        driver = Driver.find(record.folder)
        if driver is not None:
            _log.info("batch %s: its driver still runs (pid %d)", record.batch_id, driver.pid)
            if record.batch.state == State.PENDING:  # the last server was killed between start and record
                self._runner.enter(record, State.RUNNING)
            self._in_thread(record, driver)
            if record.batch.state == State.CANCELLING:
                self._stop_driver(record)
        elif started(record.folder) or record.batch.state != State.PENDING:
            stop_processes(record.folder, 0)  # Spark may have outlived a killed shell
            self._runner.finish(record)

    def _start_waiting(self) -> None:
        waiting = [
            r
            for r in self._records.values()
            if r.batch.state == State.PENDING and r.batch.uuid not in self._threads
        ]
        waiting.sort(key=lambda record: record.batch.create_time)
        free = 0 if self._stopping else self._limits.slots - len(self._threads)
        for record in waiting[: max(free, 0)]:
            self._in_thread(record, None)

    def _in_thread(self, record: Record, driver: Driver | None) -> None:
        thread = threading.Thread(target=self._run, args=(record, driver), name=record.batch_id, daemon=True)
        self._threads[record.batch.uuid] = thread
        thread.start()

    def _run(self, record: Record, driver: Driver | None) -> None:
        with self._slot(record):
            driver = driver or self._launch(record)
            if driver is None:
                return
            if not driver.wait(self._time_left(record)):
                self._expire(record)
                driver.wait(_FOREVER)
            stop_processes(record.folder, 0)  # whatever outlived the shell
            outcome = self._runner.collect(record)
            with self._lock:
                self._runner.judge(record, outcome, self._reason_to_stop(record))

    @contextmanager
    def _slot(self, record: Record) -> Iterator[None]:
        """Hold the slot; give it to the next batch whatever happens."""
        try:
            yield
        except Exception as error:
            _log.exception("batch %s", record.batch_id)
            stop_processes(record.folder, 0)
            with self._lock:
                if not record.ended:
                    self._runner.enter(record, State.FAILED, f"The local Dataproc server failed: {error!r}")
        finally:
            with self._lock:
                self._threads.pop(record.batch.uuid, None)
                self._start_waiting()

    def _launch(self, record: Record) -> Driver | None:
        command = self._runner.prepare(record)
        with self._lock:
            if command is None or record.batch.state != State.PENDING or self._stopping:
                return None
            driver = self._runner.start(record, command)
            self._runner.enter(record, State.RUNNING)
            return driver

    def _expire(self, record: Record) -> None:
        with self._lock:
            if record.batch.state == State.RUNNING:
                self._expired.add(record.batch.uuid)
                self._runner.enter(record, State.CANCELLING, "Batch exceeded its time to live")
                self._stop_driver(record)

    def _stop_driver(self, record: Record) -> None:
        """Stop the driver in the background; the batch's own thread sees it end."""
        what = (record.folder, self._limits.grace_seconds)
        threading.Thread(target=stop_processes, args=what, daemon=True).start()

    def _time_left(self, record: Record) -> float:
        ttl: timedelta = record.batch.environment_config.execution_config.ttl
        return float((record.batch.state_time + ttl - datetime.now(UTC)).total_seconds())

    def _reason_to_stop(self, record: Record) -> str:
        if record.batch.uuid in self._expired:
            ttl = record.batch.environment_config.execution_config.ttl
            return f"Batch was cancelled because it exceeded its time to live of {ttl.total_seconds():.0f}s"
        if self._stopping and record.batch.state == State.RUNNING:
            return "The local Dataproc server was stopped while the batch ran. Run it again."
        return ""


def _new_batch(requested: Any, name: str, operations: str) -> Any:
    """Fill in what the service itself sets; what a client sent in output-only fields is dropped."""
    batch: Any = Batch(
        name=name,
        uuid=str(uuid.uuid4()),
        create_time=datetime.now(UTC),
        creator="local@hourglass.invalid",
        labels=dict(requested.labels),
        runtime_config=requested.runtime_config,
        environment_config=requested.environment_config,
        operation=f"{operations}/{uuid.uuid4()}",
        pyspark_batch=requested.pyspark_batch if "pyspark_batch" in requested else None,
        spark_batch=requested.spark_batch if "spark_batch" in requested else None,
    )
    batch.runtime_config.version = batch.runtime_config.version or _RUNTIME_VERSION
    execution = batch.environment_config.execution_config
    execution.ttl = execution.ttl or _DEFAULT_TTL
    return batch


def _after(batches: Sequence[Any], token: str) -> Sequence[Any]:
    if not token:
        return batches
    time, _, name = token.partition(" ")
    try:
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise invalid(f"Invalid page_token '{token}'") from error
    return [batch for batch in batches if (batch.create_time, batch.name) < (moment, name)]
