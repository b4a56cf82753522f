"""Transfer jobs and their operations, as Storage Transfer Service's REST API has them."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.transfer.buckets import BucketError, Buckets

Json = dict[str, Any]
_NAME = re.compile(r"transferJobs/(?!OPI)[A-Za-z0-9-._~]{0,113}[A-Za-z0-9]")
_LIVE = ("QUEUED", "IN_PROGRESS", "PAUSED")


class ApiError(Exception):
    """An answer other than 200.

    Args:
        code: the HTTP status.
        status: Google's name of it.
        message: what is wrong.
    """

    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class Jobs:
    """All jobs and operations of one instance, kept in one file.

    Args:
        file: where they are kept.
        buckets: what is copied from and to.
        pause_seconds: taken before each object, for tests that need a long operation.
    """

    def __init__(self, file: Path, buckets: Buckets, pause_seconds: float = 0.0) -> None:
        self._file, self._buckets, self._pause_seconds = file, buckets, pause_seconds
        self._lock = threading.RLock()
        self._cancelled: dict[str, threading.Event] = {}
        kept: Json = json.loads(file.read_text()) if file.exists() else {}
        self._jobs: dict[str, Json] = kept.get("jobs", {})
        self._operations: dict[str, Json] = kept.get("operations", {})
        for operation in self._operations.values():
            if operation["status"] in _LIVE:  # whoever copied is gone
                operation["status"] = "ABORTED"

    def create(self, job: Json) -> Json:
        """transferJobs.create."""
        _check(job)
        with self._lock:
            if job["name"] in self._jobs:
                raise ApiError(409, "ALREADY_EXISTS", f"job {job['name']} exists already")
            self._jobs[job["name"]] = {**job, "creationTime": _now()}
            self._keep()
        return _public(self._jobs[job["name"]])

    def get(self, name: str) -> Json:
        """transferJobs.get."""
        if name not in self._jobs:
            raise ApiError(404, "NOT_FOUND", f"there is no job {name}")
        return _public(self._jobs[name])

    def run(self, name: str) -> Json:
        """transferJobs.run: one operation at a time."""
        with self._lock:
            self.get(name)
            before = [o for o in self._operations.values() if o["transferJobName"] == name]
            if any(o["status"] in _LIVE for o in before):
                raise ApiError(400, "FAILED_PRECONDITION", f"job {name} has an active operation")
            operation: Json = {
                "name": f"transferOperations/{name.replace('/', '-')}-{len(before) + 1}",
                "transferJobName": name,
                "transferSpec": _public(self._jobs[name])["transferSpec"],
                "startTime": _now(),
                "status": "IN_PROGRESS",
                "counters": {},
            }
            self._operations[operation["name"]] = operation
            self._jobs[name]["latestOperationName"] = operation["name"]
            self._cancelled[operation["name"]] = threading.Event()
            self._keep()
        threading.Thread(target=self._transfer, args=(operation,), daemon=True).start()
        return _envelope(operation)

    def operation(self, name: str) -> Json:
        """transferOperations.get."""
        if name not in self._operations:
            raise ApiError(404, "NOT_FOUND", f"there is no operation {name}")
        with self._lock:
            return _envelope(self._operations[name])

    def operations(self, condition: Json) -> Json:
        """transferOperations.list, by the names of jobs."""
        names = condition.get("job_names") or condition.get("jobNames")
        with self._lock:
            found = [o for o in self._operations.values() if not names or o["transferJobName"] in names]
            return {"operations": [_envelope(o) for o in found]}

    def cancel(self, name: str) -> Json:
        """transferOperations.cancel."""
        self.operation(name)
        if name in self._cancelled:
            self._cancelled[name].set()
        return {}

    def _transfer(self, operation: Json) -> None:
        result: Json = {}
        try:
            result["status"] = self._copy_all(operation)
        except BucketError as error:
            entry = {"errorLogEntries": [{"errorDetails": [str(error)]}], "errorCode": "NOT_FOUND"}
            result = {"status": "FAILED", "errorBreakdowns": [entry]}
        with self._lock:
            operation.update(result, endTime=_now())
            self._keep()

    def _copy_all(self, operation: Json) -> str:
        spec = operation["transferSpec"]
        source, sink = spec["awsS3DataSource"], spec["gcsDataSink"]
        path = source.get("path", "")
        counts = dict.fromkeys(("FoundFromSource", "CopiedToSink", "FromSourceSkippedBySync"), 0)
        found = [o for o in self._buckets.list(source["bucketName"], path) if _is_wanted(o, spec)]
        counts["FoundFromSource"] = len(found)
        for item in found:
            if self._cancelled[operation["name"]].wait(self._pause_seconds):
                return "ABORTED"
            name = sink.get("path", "") + item["name"].removeprefix(path)
            there = self._buckets.find(sink["bucketName"], name)
            if there and there.get("md5Hash") == item.get("md5Hash"):
                counts["FromSourceSkippedBySync"] += 1
                continue
            self._buckets.copy(source["bucketName"], item["name"], sink["bucketName"], name)
            counts["CopiedToSink"] += 1
            operation["counters"] = {f"objects{key}": str(n) for key, n in counts.items()}
        operation["counters"] = {f"objects{key}": str(n) for key, n in counts.items()}
        return "SUCCESS"

    def _keep(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".part")
        partial.write_text(json.dumps({"jobs": self._jobs, "operations": self._operations}, indent=1))
        partial.replace(self._file)


def _check(job: Json) -> None:
    """What the service insists on.

    Raises:
        ApiError: it is missing or wrong.
    """
    spec = job.get("transferSpec") or {}
    source, sink = spec.get("awsS3DataSource") or {}, spec.get("gcsDataSink") or {}
    wrong = [
        what
        for what, right in (
            ("name", _NAME.fullmatch(job.get("name", ""))),
            ("projectId", job.get("projectId")),
            ("status", job.get("status") == "ENABLED"),
            ("transferSpec.awsS3DataSource.bucketName", source.get("bucketName")),
            ("transferSpec.awsS3DataSource.path", _is_folder(source.get("path", ""))),
            ("transferSpec.awsS3DataSource credentials", source.get("awsAccessKey") or source.get("roleArn")),
            ("transferSpec.gcsDataSink.bucketName", sink.get("bucketName")),
            ("transferSpec.gcsDataSink.path", _is_folder(sink.get("path", ""))),
        )
        if not right
    ]
    if wrong:
        raise ApiError(400, "INVALID_ARGUMENT", f"missing or wrong: {', '.join(wrong)}")


def _is_folder(path: str) -> bool:
    return path == "" or (path.endswith("/") and not path.startswith("/"))


def _is_wanted(item: Json, spec: Json) -> bool:
    """Whether an object's last modification fits; `customTime`, where it is set, stands for S3's."""
    conditions = spec.get("objectConditions") or {}
    modified = _moment(item.get("customTime") or item["updated"])
    since, before = conditions.get("lastModifiedSince"), conditions.get("lastModifiedBefore")
    return (not since or modified >= _moment(since)) and (not before or modified < _moment(before))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _public(job: Json) -> Json:
    """A job as the API shows it: without the access key."""
    spec = job["transferSpec"]
    source = {k: v for k, v in spec["awsS3DataSource"].items() if k != "awsAccessKey"}
    return {**job, "transferSpec": {**spec, "awsS3DataSource": source}}


def _envelope(operation: Json) -> Json:
    done = operation["status"] not in _LIVE
    body: Json = {"name": operation["name"], "metadata": dict(operation), "done": done}
    if done:
        body["response" if operation["status"] == "SUCCESS" else "error"] = {}
    return body


def _now() -> str:
    return f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
