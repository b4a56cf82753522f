"""Sending entries to Bigtable: every entry's status is checked and retried; a few requests are on their way at once."""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hourglass.features.wire import varint

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigtable.table import Table

log = logging.getLogger(__name__)

METHOD = "/google.bigtable.v2.Bigtable/MutateRows"
MAX_MUTATIONS = 100_000  # of one request, by Bigtable's own limit
MAX_ROWS = 2_000
IN_FLIGHT = 3
ATTEMPTS = 6
TIMEOUT_SECONDS = 60
# google.rpc.Code: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE. Mutations carry their
# timestamps, so that a second application changes nothing.
TRANSIENT = (4, 8, 10, 14)


class PushError(RuntimeError):
    """Some rows could not be written."""


@dataclass
class Sender:
    """Sends entries to one table.

    Args:
        table: The table.
        attempts: How often an entry is tried.
        base_seconds: The first pause between two tries; each further one is up to twice as long.
    """

    table: Table
    attempts: int = ATTEMPTS
    base_seconds: float = 0.2
    _call: Any = field(init=False)

    def __post_init__(self) -> None:
        from google.cloud.bigtable_v2.types import MutateRowsResponse

        client = self.table._instance._client
        self._call = client.table_data_client.transport.grpc_channel.unary_stream(
            METHOD,
            request_serializer=None,
            response_deserializer=MutateRowsResponse.pb().FromString,
        )
        profile = self.table._app_profile_id or ""
        name = self.table.name
        self._head = b"\x0a" + varint(len(name)) + name.encode()
        if profile:
            self._head += b"\x1a" + varint(len(profile)) + profile.encode()
        route = f"table_name={quote(name, safe='')}&app_profile_id={quote(profile, safe='')}"
        self._metadata = (("x-goog-request-params", route),)

    def send(self, batches: Iterable[tuple[pa.Array, int]]) -> int:
        """Send entries until every one has succeeded; at most a few requests are in memory.

        Args:
            batches: Entries as `Encoder` makes them, and how many mutations each of them is.

        Returns:
            The number of entries.

        Raises:
            PushError: Bigtable refused an entry, or did not take it in all tries.
            google.api_core.exceptions.GoogleAPICallError: Bigtable refused the request as a whole.
        """
        sent, waiting = 0, deque[Future[None]]()
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="push") as pool:
            for entries, mutations in batches:
                rows = max(1, min(MAX_ROWS, MAX_MUTATIONS // max(1, mutations)))
                for start in range(0, len(entries), rows):
                    while len(waiting) >= IN_FLIGHT:
                        waiting.popleft().result()
                    waiting.append(pool.submit(self._until_done, entries.slice(start, rows)))
                sent += len(entries)
                log.info("%d rows sent", sent)
            while waiting:
                waiting.popleft().result()
        return sent

    def _until_done(self, entries: pa.Array) -> None:
        pending, cause = entries, ""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(random.uniform(0, min(10, self.base_seconds * 2**attempt)))  # noqa: S311
            pending, cause = self._once(pending)
            if not len(pending):
                return
        raise PushError(
            f"{len(pending)} rows were not written in {self.attempts} attempts, the first "
            f"{key_of(pending[0].as_py())!r} ({cause}); look at the instance's load"
        )

    def _once(self, entries: pa.Array) -> tuple[pa.Array, str]:
        """Send entries once.

        Returns:
            The entries to send again, and the last reason.
        """
        import grpc
        import pyarrow as pa
        from google.api_core.exceptions import from_grpc_error

        done, statuses, cause = set(), {}, "no answer"
        request = self._head + _content(entries)
        try:
            for response in self._call(request, timeout=TIMEOUT_SECONDS, metadata=self._metadata):
                for entry in response.entries:
                    if entry.status.code:
                        statuses[entry.index] = entry.status
                    else:
                        done.add(entry.index)
        except grpc.RpcError as error:
            if error.code().value[0] not in TRANSIENT:
                raise from_grpc_error(error) from error
            cause = f"{error.code().name}: {error.details()}"
            log.warning("Bigtable did not answer for a batch of %d rows: %s", len(entries), cause)
        self._refused(entries, statuses)
        for status in statuses.values():
            cause = f"code {status.code}: {status.message}"
        again = [i for i in range(len(entries)) if i not in done]
        return entries.take(pa.array(again, pa.int64())), cause

    def _refused(self, entries: pa.Array, statuses: dict[int, Any]) -> None:
        refused = [(i, s) for i, s in statuses.items() if s.code not in TRANSIENT]
        if refused:
            index, status = refused[0]
            raise PushError(
                f"Bigtable refused {len(refused)} of {len(entries)} rows, the first "
                f"{key_of(entries[index].as_py())!r} with code {status.code}: {status.message}; "
                "correct the feature set or the table"
            )


def _content(entries: pa.Array) -> bytes:
    """The entries' bytes, which lie in one piece of the array's buffer."""
    import numpy as np

    offsets = np.frombuffer(entries.buffers()[1], np.int32)
    first, last = offsets[entries.offset], offsets[entries.offset + len(entries)]
    return memoryview(entries.buffers()[2])[first:last].tobytes()


def key_of(entry: bytes) -> str:
    """The row key of an entry, for messages."""
    from google.cloud.bigtable_v2.types import MutateRowsRequest

    request = MutateRowsRequest.pb().FromString(entry)
    return str(request.entries[0].row_key.decode("utf-8", "replace"))
