"""Stage 3, first half: load the hour's data files into a table that nobody reads yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.operators.base import FlowJobOperator
from hourglass.operators.handover import hand_on, no_outcome
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class LoadCandidateOperator(FlowJobOperator):
    """Creates one flow's candidate table anew and loads the outcome's files into it.

    Args:
        outcome_uri: The refine job's outcome file (templated); empty where there is none.
        kwargs: Passed to `FlowJobOperator`.
    """

    template_fields = (*FlowJobOperator.template_fields, "outcome_uri")

    def __init__(self, *, outcome_uri: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outcome_uri = outcome_uri

    def execute(self, context: Context) -> Any:
        """Create the table, and start the load job when there is a file to load.

        Raises:
            AirflowFailException: There is no outcome.
        """
        partition = partition_of(context, self.source.grain)
        if not self.outcome_uri:
            raise no_outcome(self.source, partition)
        outcome = gcs.read_json(gcs.client(self.gcp_conn_id), self.outcome_uri)
        uris = [f["uri"] for f in outcome["files"][self.flow_name]]
        bigquery = bq.client(self.platform, self.gcp_conn_id)
        flow = bq.create_candidate(bigquery, self.platform, self.source, self.flow, partition)
        name = flow.candidate(self.platform, self.source, partition)
        self.log.info("Candidate %s: %d data files", name, len(uris))
        job = None
        if uris:
            self.configuration = bq.load_configuration(name, self.source, flow, uris)
            job = super().execute(context)
        hand_on(context, self.outcome_uri)
        return job

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Check the job that the trigger has waited for."""
        job = super().execute_complete(context, event)
        hand_on(context, self.outcome_uri)
        return job
