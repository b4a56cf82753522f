"""What people decided about quarantined lines: `ops.quarantine_actions`, and the files behind it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.failure import explain
from hourglass.partition.replay import ReplayedLine, Settled, digest_in, record_name, settle

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as Storage

    from hourglass.config import Platform, Source
    from hourglass.partition import Manifest, Partition

TABLE = "ops.quarantine_actions"
_GROUPS = """
SELECT DISTINCT source_object, generation, replay_object
FROM `{actions}`
WHERE source = @source AND `partition` = @partition AND landing_hour = @landing_hour
"""
_APPENDED = """
SELECT digest
FROM `{actions}`
WHERE source = @source AND `partition` = @partition AND landing_hour = @landing_hour AND digest = @digest
LIMIT 1
"""
# The newest action of each line, among those in force.
LATEST = """
SELECT source_object, source_line, action
FROM `{actions}`
WHERE
    source = @source AND `partition` = @partition AND landing_hour = @landing_hour
    AND CONCAT(source_object, '#', CAST(generation AS STRING), '#', COALESCE(replay_object, '')) IN UNNEST(@in_force)
QUALIFY ROW_NUMBER() OVER (PARTITION BY source_object, source_line ORDER BY acted_at DESC, digest DESC) = 1
"""


def ensure(bigquery: Client, platform: Platform) -> None:
    """Create `ops.quarantine_actions` unless it is there: nobody may have decided about a line yet.

    Args:
        bigquery: The BigQuery client.
        platform: The deployment's names.
    """
    bq.ensure_dataset(bigquery, platform, "ops")
    ddl = (platform.include / "sql" / "ddl" / "quarantine_actions.sql").read_text("utf-8")
    bigquery.query(ddl).result()


@dataclass(frozen=True)
class Actions:
    """The actions on one partition's quarantine.

    Args:
        bigquery: The BigQuery client.
        platform: The deployment's names.
        source: The source.
        partition: The partition.
    """

    bigquery: Client
    platform: Platform
    source: Source
    partition: Partition

    @property
    def table(self) -> str:
        """The table's full name."""
        return f"{self.platform.project}.{TABLE}"

    def ensure(self) -> None:
        """Create the table unless it is there."""
        ensure(self.bigquery, self.platform)

    def in_force(self, generations: Mapping[str, int], objects: Collection[str]) -> list[str]:
        """The actions that still hold: neither has their object been replaced since, nor their replay removed.

        Args:
            generations: The objects that were read, by URI.
            objects: URIs of the objects that there are.

        Returns:
            What `LATEST` takes as `@in_force`.
        """
        self.ensure()
        rows = self.query(_GROUPS.format(actions=self.table))
        return sorted(
            f"{r['source_object']}#{r['generation']}#{r['replay_object'] or ''}"
            for r in rows
            if generations.get(r["source_object"]) == r["generation"]
            and (r["replay_object"] is None or r["replay_object"] in objects)
        )

    def query(self, sql: str, parameters: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query that takes the partition as parameters.

        Args:
            sql: The query.
            parameters: More parameters.
        """
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        config = QueryJobConfig(
            query_parameters=[
                ScalarQueryParameter("source", "STRING", self.source.id),
                ScalarQueryParameter("partition", "STRING", self.partition.key),
                ScalarQueryParameter("landing_hour", "TIMESTAMP", self.partition.start),
                *parameters,
            ],
            labels=bq.labels(self.source, "gate"),
        )
        return [dict(row.items()) for row in self.bigquery.query(sql, job_config=config).result()]

    def record(self, storage: Storage, digest: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Write an action's records once: the file first, for that is what `refine` reads.

        Args:
            storage: The storage client.
            digest: Names the action.
            records: One mapping of column to JSON value for each line.
        """
        name = record_name(self.source.id, self.partition.key, digest)
        text = "".join(json.dumps(record) + "\n" for record in records)
        gcs.create_once(storage, self.platform.ops_bucket, name, text)

    def append(self, digest: str) -> None:
        """Append a recorded action's rows to the table, once: the job's id is the action's.

        Args:
            digest: Names the action.
        """
        from google.api_core.exceptions import Conflict
        from google.cloud.bigquery import LoadJobConfig

        self.ensure()
        uri = self.platform.uri(record_name(self.source.id, self.partition.key, digest))
        schema = self.bigquery.get_table(self.table).schema
        config = LoadJobConfig(
            source_format="NEWLINE_DELIMITED_JSON", write_disposition="WRITE_APPEND", schema=schema,
            labels=bq.labels(self.source, "gate"),
        )  # fmt: skip
        for number in count():
            job_id = f"quarantine-{self.source.id}-{self.partition.stamp}-{digest}-{number}"
            try:
                self.bigquery.load_table_from_uri(uri, self.table, job_config=config, job_id=job_id).result()
            except Conflict:
                if self._has(job_id, digest):
                    return
            else:
                return

    def _has(self, job_id: str, digest: str) -> bool:
        """Whether an action's rows are there, once a job that was to append them has ended; it may have failed."""
        from google.cloud.bigquery import ScalarQueryParameter

        job: Any = self.bigquery.get_job(job_id, location=self.platform.location)
        job.exception()
        found = self.query(
            _APPENDED.format(actions=self.table), [ScalarQueryParameter("digest", "STRING", digest)]
        )
        return bool(found)


def land_once(storage: Storage, uri: str, content: bytes, metadata: Mapping[str, str]) -> bool:
    """Land a replay object unless it is there already.

    Args:
        storage: The storage client.
        uri: The object.
        content: Its bytes.
        metadata: Its provenance in short.

    Returns:
        Whether this call created it.
    """
    from google.api_core.exceptions import PreconditionFailed

    bucket, _, name = uri.removeprefix("gs://").partition("/")
    blob = storage.bucket(bucket).blob(name)
    blob.metadata = dict(metadata)
    try:
        blob.upload_from_string(content, content_type="application/octet-stream", if_generation_match=0)
    except PreconditionFailed:
        return False
    return True


def settled(storage: Storage, platform: Platform, manifest: Manifest) -> Settled:
    """The lines of a manifest that do not count, because of the replays in it.

    Args:
        storage: The storage client.
        platform: The deployment's names.
        manifest: The manifest.

    Raises:
        ValueError: A replay's provenance is gone.
    """
    lines = []
    for o in manifest.objects:
        digest = digest_in(o.name)
        if digest is not None:
            lines += provenance(storage, platform, manifest.source, manifest.partition, digest)
    return settle(manifest.generations(), lines)


def provenance(
    storage: Storage, platform: Platform, source_id: str, key: str, digest: str
) -> list[ReplayedLine]:
    """Where a replay object's lines come from.

    Args:
        storage: The storage client.
        platform: The deployment's names.
        source_id: The source's id.
        key: The partition's key.
        digest: The digest in the object's name.

    Raises:
        ValueError: Its records are gone.
    """
    name = record_name(source_id, key, digest)
    text = gcs.read_text(storage, platform.ops_bucket, name)
    if text is None:
        raise ValueError(
            explain(
                f"nothing says of which lines the replay {digest} of {source_id} {key} takes the place",
                where=platform.uri(name),
                next_step=f"restore that file, or remove the object hourglass-replay-…-{digest} from the partition's "
                "prefix; then clear `sense` and downstream",
                heading="replay-without-provenance",
            )
        )
    return [ReplayedLine.of(json.loads(record)) for record in text.splitlines()]
