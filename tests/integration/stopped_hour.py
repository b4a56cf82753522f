"""A partition that the gate stopped, without Spark: its files, manifest, candidate and ledger row."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud import bigquery, storage
from typer.testing import CliRunner

from hourglass.cli.app import app
from hourglass.cloud import bigquery as bq
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.config.source import Source
from hourglass.ledger import LedgerRow
from hourglass.ledger.store import append
from hourglass.operators.sense import look, where_of
from hourglass.partition import Manifest, Partition

RUNNER = CliRunner()


@dataclass
class StoppedHour:
    """The partition, and the commands on it."""

    source: Source
    partition: Partition
    platform: Platform
    client: bigquery.Client
    attempts: int = 0

    def land(self, name: str, content: bytes, prefix: int = 0) -> str:
        bucket, prefixes = self.source.prefixes(self.partition)
        storage.Client().bucket(bucket).blob(prefixes[prefix] + name).upload_from_string(content)
        return f"gs://{bucket}/{prefixes[prefix]}{name}"

    def stop(self, rows: list[tuple[str, int, str, bytes]]) -> Manifest:
        """Freeze what is there, and quarantine (object, line, reason, raw line)."""
        where = where_of(self.source, self.platform, self.partition, "google_cloud_default")
        found = look(where, datetime.now(tz=UTC).replace(year=2099))[1]
        flow = bq.flows(self.source)["quarantine"]
        for one in bq.flows(self.source).values():
            bq.create_candidate(self.client, self.platform, self.source, one, self.partition)
        table = flow.candidate(self.platform, self.source, self.partition)
        found_rows = [
            {
                "source_object": uri,
                "source_line": line,
                "reason": reason,
                "raw_line": b64encode(raw).decode(),
                "landing_hour": self.partition.start.isoformat(),
            }
            for uri, line, reason, raw in rows
        ]
        if rows:
            config = bigquery.LoadJobConfig(schema=self.client.get_table(str(table)).schema)
            self.client.load_table_from_json(found_rows, str(table), job_config=config).result()
        self.attempts += 1
        append(
            self.client, self.platform,
            LedgerRow(
                source=self.source.id, partition=self.partition.key, landing_hour=self.partition.start, grain="hour",
                state="failed", failed_stage="gate", run_id="quarantine", attempt=self.attempts,
                recorded_at=datetime.now(tz=UTC), manifest_hash=found["hash"],
            ),
        )  # fmt: skip
        return self.manifest(found["uri"])

    def manifest(self, uri: str) -> Manifest:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return Manifest.from_json(storage.Client().bucket(bucket).blob(name).download_as_text())

    def run(self, command: str, *options: str, status: int = 0) -> str:
        done = RUNNER.invoke(app, ["quarantine", command, self.source.id, self.partition.key, *options])
        assert done.exit_code == status, (done.output, done.exception)
        return done.output if status else done.stdout

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """(open, replayed, discarded) by reason."""
        done = RUNNER.invoke(
            app, ["quarantine", "list", self.source.id, self.partition.key, "--format", "json"]
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return {
            r["reason"]: (r["open_count"], r["replayed_count"], r["discarded_count"])
            for r in json.loads(done.stdout)
        }

    def replays(self) -> dict[str, bytes]:
        """The partition's replay objects, unpacked."""
        bucket, prefixes = self.source.prefixes(self.partition)
        found = {}
        for prefix in prefixes:
            for blob in storage.Client().list_blobs(bucket, prefix=f"{prefix}hourglass-replay-"):
                content = blob.download_as_bytes(raw_download=True)
                found[f"gs://{bucket}/{blob.name}"] = (
                    gzip.decompress(content) if blob.name.endswith(".gz") else content
                )
        return found

    @classmethod
    def of(cls, source_id: str, key: str) -> StoppedHour:
        """A partition of a shipped source, with nothing in it."""
        platform, source = Platform.from_env(), load_source(source_id)
        client = bigquery.Client(project=platform.project, location=platform.location)
        return cls(source, Partition.parse(key, source.grain), platform, client)

    def clear(self) -> None:
        """Delete the partition's files."""
        bucket, prefixes = self.source.prefixes(self.partition)
        for prefix in prefixes:
            for blob in storage.Client().list_blobs(bucket, prefix=prefix):
                blob.delete()
