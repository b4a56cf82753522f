"""The objects that we land ourselves: pages in a partition's prefix, a marker once the set is complete."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hourglass.cloud import gcs
from hourglass.cloud.retry import patiently
from hourglass.ingest.paging import Progress

if TYPE_CHECKING:
    from google.cloud.storage import Client

    from hourglass.config import Platform, Source
    from hourglass.ingest.paging import Page
    from hourglass.partition import Partition

_PAGE = "page-"


@dataclass(frozen=True)
class LandingSet:
    """The one set of objects of a partition.

    Args:
        storage: The storage client.
        bucket: The source's bucket.
        prefix: The partition's prefix.
        marker: Base name of the object that completes the set.
        ops_bucket: Where the progress is kept.
        progress_name: Its object there.
        compressed: Whether pages are gzip.
    """

    storage: Client
    bucket: str
    prefix: str
    marker: str
    ops_bucket: str
    progress_name: str
    compressed: bool = True

    @classmethod
    def of(cls, source: Source, platform: Platform, partition: Partition, gcp_conn_id: str) -> Self:
        """The set of a source's partition.

        Args:
            source: The source, whose marker our own landing writes.
            platform: The deployment's names.
            partition: The partition.
            gcp_conn_id: The Airflow connection.
        """
        bucket, (prefix,) = source.prefixes(partition)
        return cls(
            storage=gcs.client(gcp_conn_id),
            bucket=bucket,
            prefix=prefix,
            marker=str(source.completeness.marker),
            ops_bucket=platform.ops_bucket,
            progress_name=f"landings/{source.id}/{partition.key}.json",
            compressed=source.file.ingestion.compression == "gzip",
        )

    @property
    def uri(self) -> str:
        """Where the set is."""
        return f"gs://{self.bucket}/{self.prefix}"

    @property
    def marker_uri(self) -> str:
        """The object that completes the set."""
        return self.uri + self.marker

    def is_complete(self) -> bool:
        """Whether the marker is there. A set that is complete has no progress any more."""
        if not self.storage.bucket(self.bucket).blob(self.prefix + self.marker).exists(**patiently()):
            return False
        self._delete(self.ops_bucket, self.progress_name)
        return True

    def progress(self, settings: str) -> Progress:
        """How far an earlier try came."""
        text = gcs.read_text(self.storage, self.ops_bucket, self.progress_name)
        return Progress.resume(text, settings)

    def keep(self, progress: Progress, page: Page) -> Progress:
        """Write one page, then the progress behind it: a try killed in between writes the page once more.

        Returns:
            The progress behind the page.
        """
        name = self._page_name(progress.page)
        if page.items:
            text = page.lines().encode()
            content = gzip.compress(text, mtime=0) if self.compressed else text
            kind = "application/gzip" if self.compressed else "application/json"
            self.storage.bucket(self.bucket).blob(name).upload_from_string(
                content, content_type=kind, **patiently()
            )
        else:
            self._delete(self.bucket, name)
        after = progress.after(page)
        gcs.write(self.storage, self.ops_bucket, self.progress_name, after.to_json())
        return after

    def complete(self, pages: int, items: int) -> int:
        """Remove what an earlier, longer landing left, write the marker, forget the progress.

        Args:
            pages: The number of pages.
            items: The number of records, for people who look at the marker.

        Returns:
            The number of objects of the set.
        """
        kept = {self._page_name(number) for number in range(1, pages + 1)}
        there = {o.name for o in gcs.list_objects(self.storage, self.bucket, self.prefix + _PAGE)}
        for name in sorted(there - kept):
            self._delete(self.bucket, name)
        self.mark({"pages": pages, "items": items})
        self._delete(self.ops_bucket, self.progress_name)
        return len(there & kept)

    def mark(self, content: dict[str, int]) -> None:
        """Write the marker."""
        blob = self.storage.bucket(self.bucket).blob(self.prefix + self.marker)
        blob.upload_from_string(json.dumps(content), content_type="application/json", **patiently())

    def reopen(self) -> None:
        """Remove the marker, so that nobody takes a set that is being changed for complete."""
        self._delete(self.bucket, self.prefix + self.marker)

    def _page_name(self, number: int) -> str:
        return f"{self.prefix}{_PAGE}{number:06d}.json{'.gz' if self.compressed else ''}"

    def _delete(self, bucket: str, name: str) -> None:
        from google.api_core.exceptions import NotFound

        try:
            self.storage.bucket(bucket).blob(name).delete(**patiently())
        except NotFound:
            return
