"""A push as a Dataproc batch: exported rows, a spec, the job's code, and what came of it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import BatchHook, cancel_unended, list_batches
from hourglass.features.heads import TABLE
from hourglass.features.push import Push
from hourglass.features.send import PushError
from hourglass.operators.batch import label_value, resource_of, upload_code
from hourglass.operators.push_plan import FeatureTarget, RunningPush
from hourglass.partition.features import Generation, Head

if TYPE_CHECKING:
    from google.cloud.storage import Client

    from hourglass.config import Platform

_PACKAGE = Path(__file__).resolve().parents[1]
# Packages without their own __init__.py, which import what Google's runtime lacks and a push does not need.
_MARKERS = ("hourglass/__init__.py", "hourglass/partition/__init__.py", "hourglass/features/__init__.py")
_JOB = "push_features.py"
_ROWS, _SPEC, _OUTCOME = "rows/", "spec.json", "outcome.json"


@dataclass(frozen=True)
class PushBatch:
    """The batch of one attempt.

    Args:
        target: Where the push goes.
        platform: The deployment's names.
        number: The attempt.
    """

    target: FeatureTarget
    platform: Platform
    number: int

    @property
    def family(self) -> str:
        """What the ids of all batches of this partition's set begin with."""
        pushes, partition = self.target.pushes, self.target.partition
        digest = hashlib.sha256(f"{pushes.source}/{pushes.feature_set}".encode()).hexdigest()[:8]
        return f"push-{label_value(pushes.feature_set)[:20].rstrip('-')}-{digest}-{partition.stamp}"

    @property
    def batch_id(self) -> str:
        """The batch's id."""
        return f"{self.family}-{self.number}"

    @property
    def rows_uri(self) -> str:
        """The folder of the exported rows."""
        return self._uri(_ROWS)

    def cancel_earlier(self, hook: BatchHook) -> None:
        """Cancel what an earlier attempt left running; its rows are in its record.

        Nobody waits for its end: a push that has been superseded stops by itself.
        """
        source = label_value(self.target.pushes.source)
        project, region = self.platform.project, self.platform.region
        batches = list_batches(hook, project, region, source, self.target.partition.stamp)
        cancel_unended(hook, project, region, batches, f"{self.family}-")

    def write_spec(self, running: RunningPush) -> None:
        """Write the job's only input, which is also what the task needs after it."""
        spec = {
            "project": self.platform.project,
            "instance": self.platform.bigtable_instance,
            "table": TABLE,
            "rows": self.rows_uri,
            "record": self._uri("part-spark"),
            "outcome": self._uri(_OUTCOME),
            "push": running.push.to_json(),
            "head": running.head.to_json().decode(),
            "before": str(running.before) if running.before else None,
        }
        storage, bucket = self.target.pushes.storage, self.platform.ops_bucket
        gcs.write(storage, bucket, self._name(_SPEC), json.dumps(spec, indent=1))

    def resource(self, storage: Client) -> dict[str, Any]:
        """The batch as Dataproc's API takes it; the job's code is uploaded."""
        labels = {
            "hourglass-source": label_value(self.target.pushes.source),
            "hourglass-partition": self.target.partition.stamp,
            "hourglass-stage": "serve",
        }
        properties = {"spark.sql.session.timeZone": "UTC"}
        files = upload_code(storage, self.platform, self._code())
        return resource_of(self.platform, files, [self._uri(_SPEC)], labels, properties)

    def finished(self) -> tuple[RunningPush, int]:
        """The push and its number of rows, after the job; the exported rows are removed.

        Raises:
            PushError: The job left no outcome.
        """
        storage, bucket = self.target.pushes.storage, self.platform.ops_bucket
        spec, outcome = (gcs.read_text(storage, bucket, self._name(n)) for n in (_SPEC, _OUTCOME))
        if spec is None or outcome is None:
            raise PushError(f"batch {self.batch_id} left no {_SPEC if spec is None else _OUTCOME}")
        document = json.loads(spec)
        before = Generation.parse(document["before"]) if document["before"] else None
        head = Head.from_json(document["head"].encode())
        for item in gcs.list_objects(storage, bucket, self._name(_ROWS)):
            storage.bucket(bucket).blob(item.name).delete()
        running = RunningPush(self.target, self.number, Push.from_json(document["push"]), head, before)
        return running, int(json.loads(outcome)["rows"])

    def _code(self) -> dict[str, bytes]:
        folder = self.platform.include / "spark"
        files = {path.name: path.read_bytes() for path in (folder / _JOB, *sorted(folder.glob("hg_*.py")))}
        return {**files, "hourglass.zip": _package()}

    def _uri(self, rest: str) -> str:
        return f"gs://{self.platform.ops_bucket}/{self._name(rest)}"

    def _name(self, rest: str) -> str:
        return self.target.pushes.name(self.target.partition.key, self.number, rest)


def _package() -> bytes:
    """hourglass.features and what it needs, as a zip file whose bytes depend on the code alone."""
    code = dict.fromkeys(_MARKERS, b"")
    sources = [_PACKAGE / "partition" / "features.py", *sorted((_PACKAGE / "features").glob("*.py"))]
    for path in sources:
        code[f"hourglass/{path.relative_to(_PACKAGE).as_posix()}"] = path.read_bytes()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in code.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return held.getvalue()
