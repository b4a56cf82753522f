"""Stage 7, second half: the asset event that tells consumers of a published partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from hourglass.operators.base import SourceOperator
from hourglass.operators.tasks import WAIT
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source


class EmitOperator(SourceOperator):
    """Emits the event of the source's asset, with what consumers want to know of the partition.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        outcome: The task that says what became of the partition's lines.
        kwargs: Passed to `SourceOperator`.
    """

    def __init__(self, *, source: Source, platform: Platform, outcome: str, **kwargs: Any) -> None:
        asset = published_asset(source, platform)
        super().__init__(source=source, platform=platform, outlets=[asset], **kwargs)
        self.asset = asset
        self.outcome = outcome

    def execute(self, context: Context) -> None:
        """Attach the partition to the event, which Airflow emits when the task succeeds."""
        manifest = context["ti"].xcom_pull(task_ids=WAIT)
        refined = context["ti"].xcom_pull(task_ids=self.outcome)
        context["outlet_events"][self.asset].extra = {
            "source": self.source.id,
            "partition": partition_of(context, self.source.grain).key,
            "manifest_hash": manifest["hash"],
            "counts": refined["counts"],
            "event_dates": refined["event_dates"],
        }


def published_asset(source: Source, platform: Platform) -> Asset:
    """The asset that stands for a source's published table.

    Args:
        source: The source.
        platform: The deployment's names.
    """
    uri = f"bigquery://{platform.project}/silver/{source.id}"
    return Asset(name=f"hourglass.{source.id}", uri=uri, group="hourglass")
