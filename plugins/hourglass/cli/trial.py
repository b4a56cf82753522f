"""What `try` does: the DAG's own refine batch and gate on local files, under names that no partition has."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cli.sample import SampleError, read_records
from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs, iceberg
from hourglass.cloud.dataproc import LIVE_STATES, BatchHook
from hourglass.generate.record import as_moment, data_paths, get
from hourglass.operators.account import account
from hourglass.operators.batch import RefineBatch, family
from hourglass.operators.expectations import (
    Finding,
    read_suite,
    validate,
    warned_rows,
)
from hourglass.partition import Manifest, Partition

if TYPE_CHECKING:
    from google.cloud.bigquery import Client as BigQuery
    from google.cloud.storage import Client as Storage

    from hourglass.config import Platform, Source

POLL_SECONDS = 0.5
SHOWN_ROWS = 3
SHOWN_BAD = 10
Say = Callable[[str], None]


class TrialError(Exception):
    """The trial could not be run to its end; the message says why and what to do."""


@dataclass
class Result:
    """What a trial found.

    Args:
        refined: What became of the lines: counts, reasons, unknown fields, warnings.
        problem: What the accounting refuses; None when every line is accounted for.
        evaluated: How many expectations were evaluated.
        findings: Those not met, and rows that broke a rule of severity warning.
        silver: The first rows.
        quarantined: The first quarantined lines.
        seconds: Wall time of each step.
    """

    refined: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    evaluated: int = 0
    findings: list[Finding] = field(default_factory=list)
    silver: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether the gate would let the partition through."""
        return self.problem is None and all(f.severity != "critical" for f in self.findings)


def likely_partition(source: Source, samples: Sequence[Path]) -> Partition:
    """The partition in which most of a sample's events happened; the last that has ended where none can be told.

    Args:
        source: The source.
        samples: Its files.
    """
    path = data_paths(source.schema).get(source.event_time or "")
    starts: Counter[Partition] = Counter()
    if path is not None:
        with suppress(SampleError):
            for record in (r for file in samples for r in read_records(file)[1] if r):
                if (moment := as_moment(get(record, path))) is not None:
                    starts[Partition.containing(moment, source.grain)] += 1
    ended = Partition.last_ended(datetime.now(tz=UTC), source.grain)
    return starts.most_common(1)[0][0] if starts else ended


class Trial:
    """One trial of a source.

    Args:
        source: The source.
        platform: The deployment's names.
        partition: The partition that the files are taken for.
        say: Takes what is being done.
    """

    def __init__(self, source: Source, platform: Platform, partition: Partition, say: Say) -> None:
        self.source = source
        self.platform = platform
        self.partition = partition
        # Every name that a stage derives (tables, candidates, batches, files of the ops bucket) follows from the
        # source's id, so that one of its own keeps the trial away from every partition.
        scratch = f"try_{uuid.uuid4().hex[:12]}"
        self.scratch = replace(source, file=source.file.model_copy(update={"source_id": scratch}))
        self._say = say
        self._storage: Storage = gcs.client()
        self._bigquery: BigQuery = bq.client(platform)
        self._hook = BatchHook()
        self._batch_id: str | None = None
        self._result = Result()

    def run(self, samples: Sequence[Path]) -> Result:
        """Upload, refine, load, judge, look; nothing of it stays.

        Args:
            samples: The files, as they would land.

        Raises:
            TrialError: The batch failed.
        """
        result = self._result
        try:
            with self._step("refine"):
                result.refined = self._refine(self._land(samples))
            with self._step("gate"):
                self._load(result.refined["outcome"])
                try:
                    account(self.scratch, self.platform, self.partition, result.refined)
                except AirflowFailException as error:
                    result.problem = str(error)
                result.evaluated, result.findings = self._judge(result.refined["counts"]["silver"])
            result.silver = self._rows("silver", SHOWN_ROWS)
            result.quarantined = self._rows("quarantine", SHOWN_BAD)
            return result
        finally:
            with self._step("clean up"):
                self._clean_up()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._say(name)
        begin = time.monotonic()
        yield
        self._result.seconds[name] = round(time.monotonic() - begin, 1)

    def _land(self, samples: Sequence[Path]) -> Manifest:
        bucket, folder = self.platform.ops_bucket, f"try/{self.scratch.id}/"
        gzipped = self.source.file.ingestion.compression == "gzip"
        for number, sample in enumerate(samples):
            name = sample.name if sample.suffix == ".gz" or not gzipped else f"{sample.name}.gz"
            self._storage.bucket(bucket).blob(f"{folder}{number:03}-{name}").upload_from_filename(str(sample))
        objects = gcs.list_objects(self._storage, bucket, folder)
        return Manifest.freeze(self.scratch.id, self.partition.key, bucket, objects)

    def _refine(self, manifest: Manifest) -> dict[str, Any]:
        spec = self.scratch.refine_spec(manifest, self.partition)
        batch_id, _ = family(self.scratch, self.partition, spec).choose([])
        batch = RefineBatch(self.scratch, self.platform, self.partition, batch_id)
        batch.write_spec(self._storage, spec)
        where = {"region": self.platform.region, "project_id": self.platform.project, "batch_id": batch_id}
        self._hook.create_batch(batch=batch.resource(self._storage), **where)
        self._batch_id = batch_id
        begin, state = time.monotonic(), "PENDING"
        while state in LIVE_STATES:
            time.sleep(POLL_SECONDS)
            found = self._hook.get_batch(**where)
            state = found.state.name
            self._say(f"refine: batch {state.lower()}, {time.monotonic() - begin:.0f} s")
        if state != "SUCCEEDED":
            raise TrialError(f"the refine batch ended {state}: {found.state_message or 'no message'}")
        return batch.outcome(self._storage)

    def _load(self, outcome_uri: str) -> None:
        files = gcs.read_json(self._storage, outcome_uri)["files"]
        for flow in bq.flows(self.scratch).values():
            self._say(f"gate: load {flow.name}")
            loaded = bq.create_candidate(self._bigquery, self.platform, self.scratch, flow, self.partition)
            if uris := [f["uri"] for f in files[flow.name]]:
                name = flow.candidate(self.platform, self.scratch, self.partition)
                self._bigquery.create_job(bq.load_configuration(name, self.scratch, loaded, uris)).result()

    def _candidate(self, flow: str) -> bq.TableName:
        return bq.flows(self.scratch)[flow].candidate(self.platform, self.scratch, self.partition)

    def _judge(self, rows: int) -> tuple[int, list[Finding]]:
        from hourglass.operators.derived import derived_expectations

        warned = warned_rows(self._result.refined)
        if not rows:
            return 0, [Finding("rows", "critical", "no line became a row"), *warned]
        self._say("gate: expectations")
        entries = read_suite(self.platform, self.source)
        try:
            entries += derived_expectations(self._bigquery, self.platform, self.scratch, self.partition)
        except AirflowFailException as error:  # a table that a rule refers to is not there
            warned.append(Finding("rules on other tables", "warning", f"not checked: {error}"))
        evaluated, findings = validate(self.source.id, entries, self._candidate("silver"))
        return evaluated, [*findings, *warned]

    def _rows(self, flow: str, most: int) -> list[dict[str, Any]]:
        order = "source_object, source_line" if flow == "quarantine" else "landing_hour"
        sql = f"SELECT * FROM `{self._candidate(flow)}` ORDER BY {order} LIMIT {most}"  # noqa: S608 (own names)
        return [dict(row.items()) for row in self._bigquery.query(sql).result()]

    def _clean_up(self) -> None:
        if self._batch_id is not None:
            self._end_batch(self._batch_id)
        for flow in bq.flows(self.scratch):
            self._bigquery.delete_table(str(self._candidate(flow)), not_found_ok=True)
        for kind in ("try", "specs", "outcomes"):
            for blob in self._storage.list_blobs(
                self.platform.ops_bucket, prefix=f"{kind}/{self.scratch.id}/"
            ):
                blob.delete()
        for table in self.scratch.refine_settings(self.partition)["tables"].values():
            _, namespace, name = table.split(".")
            iceberg.drop_table(self.platform, namespace, name)

    def _end_batch(self, batch_id: str) -> None:
        """Cancel a batch that runs, and remove one that succeeded; what a failed one wrote is there to be read."""
        where = {"region": self.platform.region, "project_id": self.platform.project, "batch_id": batch_id}
        if self._hook.get_batch(**where).state.name == "SUCCEEDED":
            self._hook.delete_batch(**where)
        else:
            self._hook.cancel(self.platform.project, self.platform.region, batch_id)
