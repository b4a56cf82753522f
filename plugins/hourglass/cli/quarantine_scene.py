"""Where a partition's quarantine is, and what was read to fill it: the ground of the `quarantine` commands."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.cloud.export import exported_table
from hourglass.cloud.quarantine import Quarantine
from hourglass.cloud.quarantine_actions import Actions
from hourglass.config.loader import load_source
from hourglass.config.platform import Platform
from hourglass.partition import Manifest, Partition
from hourglass.partition.manifest import manifest_name

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as Storage

    from hourglass.config.source import Source

_ATTEMPTS = """
SELECT state, failed_stage, manifest_hash
FROM `{project}.ops.partition_ledger`
WHERE source = @source AND `partition` = @partition AND landing_hour = @landing_hour AND manifest_hash IS NOT NULL
ORDER BY recorded_at DESC, attempt DESC, run_id DESC
"""
_STOPPED = ("gate", "publish")
_PUBLISHED = ("transform", "serve", "announce")


class QuarantineError(Exception):
    """A command cannot be done; the message says what is wrong and what to do next."""


@dataclass(frozen=True)
class Deployment:
    """A source and the clients to work on it with.

    Args:
        source: The source.
        platform: The deployment's names.
        bigquery: The BigQuery client.
        storage: The storage client.
    """

    source: Source
    platform: Platform
    bigquery: Client
    storage: Storage

    @classmethod
    def of(cls, source_id: str) -> Deployment:
        """The deployment that the environment names.

        Raises:
            ConfigError: There is no such source.
        """
        from google.cloud.bigquery import Client
        from google.cloud.storage import Client as Storage

        source, platform = load_source(source_id), Platform.from_env()
        return cls(
            source,
            platform,
            Client(project=platform.project, location=platform.location),
            Storage(project=platform.project),
        )

    def scene(self, key: str) -> Scene:
        """One partition.

        Args:
            key: The partition's key.

        Raises:
            QuarantineError: It is no partition of the source, or nothing of it has been gated yet.
        """
        try:
            partition = Partition.parse(key, self.source.grain)
        except ValueError as error:
            raise QuarantineError(str(error)) from None
        if exported_table(self.source, self.platform, partition):
            raise QuarantineError(
                f"{self.source.id} is a bigquery_export: its rows are not refined, so that it has no quarantine"
            )
        actions = Actions(self.bigquery, self.platform, self.source, partition)
        flow = bq.flows(self.source)["quarantine"]
        for row in self._attempts(actions):
            stopped = _is_stopped(row)
            if stopped is not None:
                table = (
                    flow.candidate(self.platform, self.source, partition)
                    if stopped
                    else flow.published(self.platform, self.source)
                )
                manifest = self._manifest(partition, row["manifest_hash"])
                return self._scene(actions, manifest, str(table), stopped)
        raise QuarantineError(
            f"the ledger has no attempt at {self.source.id} {key} that came as far as the gate; run it first: "
            f'airflow dags trigger {self.source.id} --conf \'{{"partition": "{key}"}}\''
        )

    def _attempts(self, actions: Actions) -> list[dict[str, Any]]:
        from google.api_core.exceptions import NotFound

        try:
            return actions.query(_ATTEMPTS.format(project=self.platform.project))
        except NotFound:
            return []

    def _manifest(self, partition: Partition, digest: str) -> Manifest:
        name = manifest_name(self.source.id, partition.key, digest)
        text = gcs.read_text(self.storage, self.platform.ops_bucket, name)
        if text is None:
            raise QuarantineError(
                f"{self.platform.uri(name)} is gone, which says what was read of {self.source.id} {partition.key}; "
                "run the partition again to have it written anew"
            )
        return Manifest.from_json(text)

    def _scene(self, actions: Actions, manifest: Manifest, table: str, stopped: bool) -> Scene:
        from google.api_core.exceptions import NotFound

        try:
            self.bigquery.get_table(table)
        except NotFound:
            raise QuarantineError(
                f"{table} is gone (candidates expire); run {self.source.id} {manifest.partition} again"
            ) from None
        generations = manifest.generations()
        bucket, prefixes = self.source.prefixes(actions.partition)
        listed = [
            o
            for prefix in prefixes
            for o in gcs.list_objects(self.storage, bucket, f"{prefix}hourglass-replay-")
        ]
        there = {*generations, *(f"gs://{bucket}/{o.name}" for o in listed)}
        in_force = actions.in_force(generations, there)
        return Scene(self, actions, manifest, Quarantine(actions, table, in_force), stopped)


@dataclass(frozen=True)
class Scene:
    """One partition's quarantine.

    Args:
        deployment: Source and clients.
        actions: What was decided about its lines.
        manifest: What was read to fill it.
        quarantine: The table that holds it.
        stopped: Whether the gate stopped the partition, so that the table is the candidate's.
    """

    deployment: Deployment
    actions: Actions
    manifest: Manifest
    quarantine: Quarantine
    stopped: bool

    @property
    def partition(self) -> Partition:
        """The partition."""
        return self.actions.partition

    @property
    def title(self) -> str:
        """Source and partition, for messages."""
        return f"{self.deployment.source.id} {self.partition.key}"


def _is_stopped(row: Mapping[str, Any]) -> bool | None:
    """Whether an attempt left a candidate (True) or published (False); None where it came to neither."""
    if row["state"] in ("published", "overdue"):
        return False
    if row["state"] == "failed" and row["failed_stage"] in (*_STOPPED, *_PUBLISHED):
        return row["failed_stage"] in _STOPPED
    return None


def whoever() -> str:
    """The user and the machine that act."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def counted(number: int, one: str, many: Sequence[str] = ()) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else (many[0] if many else one + 's')}"
