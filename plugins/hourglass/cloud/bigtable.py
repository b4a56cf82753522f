"""Writing feature rows to Bigtable: raw mutation batches with every entry's status checked and retried.

The client library's batchers manage one to two thousand rows of 50 cells a second and core; requests built
directly manage nineteen thousand.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from hourglass.partition.features import cell_value, row_key

if TYPE_CHECKING:
    from google.cloud.bigtable.instance import Instance

log = logging.getLogger(__name__)

TABLE = "features"
# One version a partition: long enough for the longest late window (7 days of hours), so that removing an
# hour's cell uncovers the value before it.
VERSIONS = 200
ROWS_PER_REQUEST = 2_000
ATTEMPTS = 6
# google.rpc.Code: DEADLINE_EXCEEDED, ABORTED, UNAVAILABLE. Mutations carry their timestamps, so that a
# second application changes nothing.
TRANSIENT = (4, 10, 14)


class PushError(RuntimeError):
    """Some rows could not be written."""


def instance(project: str, instance_id: str, gcp_conn_id: str = "google_cloud_default") -> Instance:
    """The Bigtable instance of an Airflow connection; BIGTABLE_EMULATOR_HOST redirects it."""
    from airflow.providers.google.cloud.hooks.bigtable import BigtableHook

    client = BigtableHook(gcp_conn_id=gcp_conn_id)._get_client(project_id=project)
    found: Instance = client.instance(instance_id)
    return found


def ensure_family(bigtable: Instance, family: str) -> None:
    """Create the features table and one feature set's column family unless they are there."""
    from google.api_core.exceptions import AlreadyExists
    from google.cloud.bigtable.column_family import MaxVersionsGCRule

    table = bigtable.table(TABLE)
    try:
        table.create(column_families={family: MaxVersionsGCRule(VERSIONS)})
    except AlreadyExists:
        if family not in table.list_column_families():
            table.column_family(family, MaxVersionsGCRule(VERSIONS)).create()


@dataclass(frozen=True)
class FeatureWriter:
    """Writes one feature set's cells at one as-of time.

    Args:
        bigtable: The instance.
        family: The feature set's column family.
        as_of_ms: The cells' timestamp, milliseconds since the epoch.
    """

    bigtable: Instance
    family: str
    as_of_ms: int

    def upsert(self, rows: Iterable[Mapping[str, Any]], stale: Sequence[str] = ()) -> int:
        """Write rows; each becomes visible as a whole.

        Args:
            rows: Mappings with `entity` and the features.
            stale: Features that an earlier push wrote at this time and this one no longer has.

        Returns:
            The number of rows written.
        """
        return self._apply(self._set_entry(row, stale) for row in rows)

    def remove(self, entities: Iterable[str], features: Sequence[str]) -> int:
        """Remove the cells of this as-of time; other times stay.

        Returns:
            The number of rows touched.
        """
        return self._apply(self._delete_entry(entity, features) for entity in entities)

    def _set_entry(self, row: Mapping[str, Any], stale: Sequence[str]) -> Any:
        from google.cloud.bigtable_v2.types import MutateRowsRequest, Mutation

        entry = MutateRowsRequest.pb().Entry(row_key=row_key(row["entity"]))
        self._delete_cells(entry, stale)
        for name, value in row.items():
            if name != "entity":
                cell = Mutation.pb().SetCell(
                    family_name=self.family,
                    column_qualifier=name.encode(),
                    timestamp_micros=self.as_of_ms * 1000,
                    value=cell_value(value),
                )
                entry.mutations.add(set_cell=cell)
        return entry

    def _delete_entry(self, entity: str, features: Sequence[str]) -> Any:
        from google.cloud.bigtable_v2.types import MutateRowsRequest

        entry = MutateRowsRequest.pb().Entry(row_key=row_key(entity))
        self._delete_cells(entry, features)
        return entry

    def _delete_cells(self, entry: Any, features: Sequence[str]) -> None:
        from google.cloud.bigtable_v2.types import Mutation

        start = self.as_of_ms * 1000
        for name in features:
            cells = Mutation.pb().DeleteFromColumn(family_name=self.family, column_qualifier=name.encode())
            cells.time_range.start_timestamp_micros = start
            cells.time_range.end_timestamp_micros = start + 1000
            entry.mutations.add(delete_from_column=cells)

    def _apply(self, entries: Iterator[Any]) -> int:
        written = 0
        while batch := list(islice(entries, ROWS_PER_REQUEST)):
            self._apply_batch(batch)
            written += len(batch)
            log.info("%d rows written to family %s", written, self.family)
        return written

    def _apply_batch(self, batch: list[Any]) -> None:
        """Send one batch until every entry has succeeded."""
        pending = batch

        def attempt() -> list[Any]:
            nonlocal pending
            pending = self._send(pending)
            return pending

        retrying = Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=10),
        )
        try:
            retrying(attempt)
        except RetryError:
            raise PushError(
                f"{len(pending)} rows of family {self.family} were not written in {ATTEMPTS} attempts, the "
                f"first {pending[0].row_key.decode()!r}; look at the instance's load"
            ) from None

    def _send(self, entries: list[Any]) -> list[Any]:
        """Send entries once.

        Returns:
            The entries to send again.

        Raises:
            PushError: Bigtable refused a row for good.
        """
        from google.api_core.exceptions import DeadlineExceeded, ServiceUnavailable
        from google.cloud.bigtable_v2.types import MutateRowsRequest

        client = self.bigtable._client.table_data_client
        request = MutateRowsRequest.pb()(table_name=self.bigtable.table(TABLE).name, entries=entries)
        statuses: dict[int, Any] = {}
        try:
            for response in client.mutate_rows(request=MutateRowsRequest.wrap(request)):
                statuses.update({e.index: e.status for e in response.entries})
        except (DeadlineExceeded, ServiceUnavailable) as error:
            log.warning("Bigtable did not answer for a batch of %d rows: %s", len(entries), error)
        refused = [(i, s) for i, s in statuses.items() if s.code and s.code not in TRANSIENT]
        if refused:
            index, status = refused[0]
            raise PushError(
                f"Bigtable refused {len(refused)} of {len(entries)} rows of family {self.family}, the first "
                f"{entries[index].row_key.decode()!r} with code {status.code}: {status.message}; "
                "correct the feature set or the table"
            )
        return [e for i, e in enumerate(entries) if i not in statuses or statuses[i].code]


def read_features(bigtable: Instance, family: str, entity: str) -> dict[str, Any]:
    """The newest features of one entity; empty when it has none.

    Only cells of the newest as-of time count, so that features of two pushes never mix.
    """
    import json

    row = bigtable.table(TABLE).read_row(row_key(entity))
    cells = row.cells.get(family, {}) if row is not None else {}
    newest = max((versions[0].timestamp_micros for versions in cells.values()), default=None)
    return {
        name.decode(): json.loads(versions[0].value)
        for name, versions in cells.items()
        if versions[0].timestamp_micros == newest
    }
