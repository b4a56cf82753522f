"""Dataproc Serverless batches: an endpoint setting that the provider lacks, and one batch family a spec.

The provider's hooks know no endpoint, so the two hooks below take it from DATAPROC_EMULATOR_HOST, exactly
as Google's own clients of GCS, BigQuery and Bigtable take theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow.providers.google.cloud.hooks.dataproc import DataprocAsyncHook, DataprocHook
from google.api_core.retry import AsyncRetry
from google.cloud.dataproc_v1 import Batch, BatchControllerAsyncClient, BatchControllerClient

from hourglass.cloud import retry

LIVE_STATES = ("PENDING", "RUNNING")
# Until then a driver may still write, also one that is being cancelled.
ENDED_STATES = ("CANCELLED", "SUCCEEDED", "FAILED")


class BatchHook(DataprocHook):
    """The provider's hook with an endpoint setting."""

    def get_batch_client(self, region: str | None = None) -> BatchControllerClient:
        """The client of the batch service in a region."""
        if not (endpoint := os.environ.get("DATAPROC_EMULATOR_HOST")):
            return super().get_batch_client(region=region)
        import grpc
        from google.cloud.dataproc_v1.services.batch_controller import transports

        channel = grpc.insecure_channel(endpoint)
        return BatchControllerClient(transport=transports.BatchControllerGrpcTransport(channel=channel))

    def get_batch(self, **kwargs: Any) -> Batch:
        """One batch; takes what the provider's method takes."""
        return super().get_batch(**retry.patiently(f"Dataproc for batch {kwargs.get('batch_id')}"), **kwargs)

    def cancel(self, project: str, region: str, batch_id: str) -> None:
        """Cancel a batch that is pending or running; anything else is left as it is."""
        batches = self.get_batch_client(region)
        name = f"projects/{project}/locations/{region}/batches/{batch_id}"
        batch = batches.get_batch(name=name, **retry.patiently(f"Dataproc for batch {batch_id}"))
        if batch.state.name in LIVE_STATES:
            batches.transport.operations_client.cancel_operation(batch.operation, **retry.patiently())


class BatchAsyncHook(DataprocAsyncHook):
    """The provider's asynchronous hook with an endpoint setting."""

    sync_hook_class = BatchHook

    async def get_batch_client(self, region: str | None = None) -> BatchControllerAsyncClient:
        """The asynchronous client of the batch service in a region."""
        if not (endpoint := os.environ.get("DATAPROC_EMULATOR_HOST")):
            return await super().get_batch_client(region=region)
        import grpc
        from google.cloud.dataproc_v1.services.batch_controller import transports

        channel = grpc.aio.insecure_channel(endpoint)
        transport = transports.BatchControllerGrpcAsyncIOTransport(channel=channel)
        return BatchControllerAsyncClient(transport=transport)

    async def get_batch(self, **kwargs: Any) -> Batch:
        """One batch; takes what the provider's method takes."""
        policy = AsyncRetry(
            predicate=retry.passing,
            initial=retry.PATIENCE.first_s,
            maximum=retry.PATIENCE.longest_s,
            timeout=retry.PATIENCE.total_s,
        )
        return await super().get_batch(retry=policy, timeout=retry.PATIENCE.request_s, **kwargs)


@dataclass(frozen=True, slots=True)
class Family:
    """The batches of one spec: `{prefix}-1`, `{prefix}-2` and so on.

    Args:
        prefix: Source, partition and the spec's hash.
    """

    prefix: str

    def newest(self, batches: Iterable[Batch]) -> tuple[int, str] | None:
        """Number and state of the newest batch of the family, or None when there is none."""
        found = []
        for batch in batches:
            name = batch.name.rsplit("/", 1)[-1]
            number = name.removeprefix(f"{self.prefix}-")
            if number != name and number.isdigit():
                found.append((int(number), batch.state.name))
        return max(found, default=None)

    def choose(self, batches: Iterable[Batch]) -> tuple[str, bool]:
        """The batch id to use, and whether it is one in flight to attach to."""
        newest = self.newest(batches)
        if newest is None:
            return f"{self.prefix}-1", False
        number, state = newest
        if state in LIVE_STATES:
            return f"{self.prefix}-{number}", True
        return f"{self.prefix}-{number + 1}", False


def list_batches(hook: BatchHook, project: str, region: str, source: str, partition_id: str) -> list[Any]:
    """All batches of one partition, found by their labels."""
    from google.cloud.dataproc_v1 import ListBatchesRequest

    what = f"Dataproc for the batches of {source} {partition_id}"
    request = ListBatchesRequest(
        parent=f"projects/{project}/locations/{region}",
        filter=f'labels.hourglass-source = "{source}" AND labels.hourglass-partition = "{partition_id}"',
        page_size=100,
    )
    return list(hook.get_batch_client(region).list_batches(request=request, **retry.patiently(what)))


def cancel_unended(
    hook: BatchHook, project: str, region: str, batches: Iterable[Batch], prefix: str, spare: str = ""
) -> list[str]:
    """Cancel the batches of a kind that have not ended.

    Args:
        hook: The hook.
        project: The project.
        region: The region.
        batches: What `list_batches` found.
        prefix: How the ids of that kind begin.
        spare: The id of one to leave running.

    Returns:
        Their ids, also of those that were being cancelled already: each may write until it has ended.
    """
    named = {batch.name.rsplit("/", 1)[-1]: batch.state.name for batch in batches}
    unended = [n for n, state in named.items() if n.startswith(prefix) and state not in ENDED_STATES]
    cancelled = sorted(name for name in unended if name != spare)
    for name in cancelled:
        hook.cancel(project, region, name)
    return cancelled


def live_batches(hook: BatchHook, project: str, region: str) -> list[Any]:
    """All batches of partitions that are pending or running, found by their labels and their state."""
    from google.cloud.dataproc_v1 import ListBatchesRequest

    stages = " OR ".join(f"labels.hourglass-stage = {stage}" for stage in ("refine", "serve"))
    states = " OR ".join(f"state = {state}" for state in LIVE_STATES)
    request = ListBatchesRequest(
        parent=f"projects/{project}/locations/{region}",
        filter=f"({stages}) AND ({states})",
        page_size=100,
    )
    batches = hook.get_batch_client(region).list_batches(
        request=request, **retry.patiently("Dataproc for the live batches")
    )
    # A list may leave out what only the batch itself has.
    return [
        hook.get_batch(batch_id=b.name.rsplit("/", 1)[-1], region=region, project_id=project) for b in batches
    ]
