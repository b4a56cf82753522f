"""Stage 1: wait, deferred, until the partition is complete, then freeze the list of its objects."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.operators.look import Looked, LookTrigger
from hourglass.partition import Completeness, Grain, Manifest, Partition, Readiness, SourceObject, assess
from hourglass.partition.completeness import Verdict, is_marker
from hourglass.partition.replay import created_in
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context
    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as Storage

    from hourglass.config import Platform, Source
    from hourglass.ingest.export import ExportManifest


def look(where: dict[str, Any], now: datetime) -> tuple[Readiness, dict[str, Any]]:
    """Judge the partition once and, when it is complete, write its manifest.

    Args:
        where: What `where_of` returns.
        now: The current time.

    Returns:
        The verdict, and the manifest's summary (empty unless complete).
    """
    from hourglass.cloud import gcs

    storage = gcs.client(where["gcp_conn_id"])
    readiness, manifest = glance(where, now, storage, tables_of(where))
    if manifest is None:
        return readiness, {}
    gcs.create_once(storage, where["ops_bucket"], manifest.name, manifest.to_json())
    return readiness, {
        "partition": manifest.partition,
        "hash": manifest.hash,
        "uri": f"gs://{where['ops_bucket']}/{manifest.name}",
        "objects": len(manifest.objects),
        "bytes": manifest.bytes,
    }


def glance(
    where: dict[str, Any], now: datetime, storage: Storage, tables: Client | None
) -> tuple[Readiness, Manifest | ExportManifest | None]:
    """Judge the partition once and write nothing. May be called from any thread.

    Args:
        where: What `where_of` returns.
        now: The current time.
        storage: The storage client.
        tables: What `tables_of` returns.

    Returns:
        The verdict, and the manifest when the partition is complete.
    """
    from hourglass.cloud import gcs

    partition = Partition.parse(where["partition"], Grain.of(where["grain"]))
    rule = rule_from(where["rule"])
    if tables is not None:
        return _glance_at_table(where, (partition, rule, now), tables)
    listings = [gcs.list_objects(storage, where["bucket"], prefix) for prefix in where["prefixes"]]
    listing = merge(listings, where["dead_letter_prefix"], where["rule"]["marker"])
    if where["by_creation_time"]:
        listing = [o for o in listing if created_in(o, partition)]
    readiness = assess(listing, partition, rule, now)
    if readiness.verdict is Verdict.SKIP and (before := _had_objects(where, storage)):
        readiness = Readiness(Verdict.MISSING, before)
    if readiness.verdict is not Verdict.COMPLETE:
        return readiness, None
    return readiness, Manifest.freeze(where["source"], partition.key, where["bucket"], readiness.objects)


def _had_objects(where: dict[str, Any], storage: Storage) -> str:
    """Why an empty partition must not be skipped, which would leave the rows of objects that are gone."""
    from hourglass.cloud import gcs

    folder = f"manifests/{where['source']}/{where['partition']}/"
    for manifest in gcs.read_folder(storage, where["ops_bucket"], folder):
        if manifest["objects"]:
            return (
                f"it has no objects now, but had {len(manifest['objects'])} before, whose rows may be published; "
                "if they are meant to be gone, set on_empty: accept in the source's file for the time of a clear, "
                "which publishes the empty partition"
            )
    return ""


def tables_of(where: dict[str, Any]) -> Client | None:
    """The BigQuery client that sees a partition which is a table of an export; None for any other partition."""
    from hourglass.cloud.bigquery_client import PatientHook

    if not where["table"]:
        return None
    return PatientHook(gcp_conn_id=where["gcp_conn_id"]).get_client(project_id=where["project"])


def _glance_at_table(
    where: dict[str, Any], judged_by: tuple[Partition, Completeness, datetime], tables: Client
) -> tuple[Readiness, ExportManifest | None]:
    from hourglass.cloud.export import describe
    from hourglass.ingest.export import ExportManifest

    found = describe(tables, where["table"])
    readiness = assess([found.as_object()] if found else [], *judged_by)
    if readiness.verdict is not Verdict.COMPLETE or found is None:
        return readiness, None
    return readiness, ExportManifest(where["source"], where["partition"], found)


def where_of(source: Source, platform: Platform, partition: Partition, gcp_conn_id: str) -> dict[str, Any]:
    """What `look` needs to know of a source and a partition, as JSON values.

    Args:
        source: The source.
        platform: The deployment's names.
        partition: The partition, of the source's grain.
        gcp_conn_id: The Airflow connection.
    """
    from hourglass.cloud.export import exported_table

    bucket, prefixes = source.prefixes(partition)
    table = exported_table(source, platform, partition)
    return {
        "table": table and str(table),
        "project": platform.project,
        "source": source.id,
        "grain": str(partition.grain),
        "partition": partition.key,
        "bucket": bucket,
        "prefixes": prefixes,
        "dead_letter_prefix": source.dead_letter_prefix,
        "by_creation_time": source.by_creation_time,
        "rule": rule_to(source.completeness),
        "ops_bucket": platform.ops_bucket,
        "gcp_conn_id": gcp_conn_id,
    }


def merge(
    listings: list[list[SourceObject]], dead_letter_prefix: str | None, marker: str | None
) -> list[SourceObject]:
    """One listing of several: each object once, dead letters marked.

    A marker stands for its own prefix. It counts when every prefix has one; the dead letters' needs none.

    Args:
        listings: The objects below each of the partition's prefixes, the dead letters' last.
        dead_letter_prefix: Where dead letters land, if anywhere.
        marker: Base name of the object that completes a prefix.
    """
    named = {o.name: o for listing in listings for o in listing}
    if dead_letter_prefix is not None:
        dead = {n: replace(o, dead_letter=True) for n, o in named.items() if n.startswith(dead_letter_prefix)}
        named |= dead
        listings = listings[:-1]
    complete = all(any(is_marker(o, marker) for o in listing) for listing in listings)
    return [o for o in named.values() if complete or not is_marker(o, marker)]


def rule_to(rule: Completeness) -> dict[str, Any]:
    """A completeness rule as JSON values (durations in seconds)."""
    return {k: v.total_seconds() if isinstance(v, timedelta) else v for k, v in asdict(rule).items()}


def rule_from(values: dict[str, Any]) -> Completeness:
    """The inverse of `rule_to`."""
    durations = ("close_after", "settle", "give_up_after")
    read: dict[str, Any] = {k: timedelta(seconds=v) if k in durations else v for k, v in values.items()}
    return Completeness(**read)


def places(where: dict[str, Any]) -> str:
    """Where the partition is: its table, or its prefixes as URIs."""
    if where["table"]:
        return str(where["table"])
    return ", ".join(f"gs://{where['bucket']}/{prefix}" for prefix in where["prefixes"])


class PartitionTrigger(LookTrigger):
    """Lists the partition's prefix until the partition is complete, empty or given up; `where` is what `look` takes."""

    def look(self, now: datetime) -> Looked:
        """List once."""
        readiness, manifest = look(self.where, now)
        if readiness.verdict is Verdict.WAITING:
            return Looked(readiness.reason, until=readiness.until)
        event = {"verdict": readiness.verdict.value, "reason": readiness.reason, "manifest": manifest}
        return Looked(readiness.reason, event)


class WaitForPartition(SourceOperator):
    """Waits until the run's partition is complete and returns its manifest's summary.

    Args:
        poll_seconds: Time between two listings while deferred.
        kwargs: Passed to `SourceOperator`.
    """

    def __init__(
        self,
        *,
        poll_seconds: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_seconds = poll_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once, and defer only when there is something to wait for."""
        partition = partition_of(context, self.source.grain)
        where = where_of(self.source, self.platform, partition, self.gcp_conn_id)
        # A trigger that fires at once can fail its task (apache/airflow#72716).
        readiness, manifest = look(where, datetime.now(tz=UTC))
        if readiness.verdict is Verdict.WAITING:
            self.log.info("Waiting for %s: %s", places(where), readiness.reason)
            self.defer(trigger=PartitionTrigger(where, self.poll_seconds), method_name="resume")
        return self._settle(readiness.verdict, readiness.reason, manifest, where)

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after the trigger's event."""
        partition = partition_of(context, self.source.grain)
        where = where_of(self.source, self.platform, partition, self.gcp_conn_id)
        return self._settle(Verdict(event["verdict"]), event["reason"], event["manifest"], where)

    def _settle(
        self, verdict: Verdict, reason: str, manifest: dict[str, Any], where: dict[str, Any]
    ) -> dict[str, Any]:
        place = places(where)
        if verdict is Verdict.SKIP:
            raise AirflowSkipException(f"{where['partition']} has no objects under {place}: {reason}")
        if verdict is Verdict.MISSING:
            raise AirflowFailException(
                explain(
                    f"{where['source']} {where['partition']} is incomplete: {reason}",
                    where=place,
                    next_step="ask the producer; when the files are there, clear this task",
                    heading="partition-missing",
                    runbook=self.source.file.runbook,
                )
            )
        self.log.info("Complete: %s. Manifest %s (%s)", reason, manifest["hash"][:8], manifest["uri"])
        return manifest
