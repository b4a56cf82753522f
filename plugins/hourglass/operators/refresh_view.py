"""Refreshing a materialized view, when a table that it reads has changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.operators.base import JobOperator

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from hourglass.config import Platform
    from hourglass.config.owner import Owner


class RefreshViewOperator(JobOperator):
    """Creates a view unless it is there, and refreshes it unless it is newer than what it reads.

    Two refreshes of one view at a time would fail, so that it runs in a pool of one slot.

    Args:
        view: Its file's name in include/sql/materialized_views.
        platform: The deployment's names.
        owner_of_view: Whom its cost is attributed to.
        kwargs: Passed to `JobOperator`.
    """

    def __init__(self, *, view: str, platform: Platform, owner_of_view: Owner, **kwargs: Any) -> None:
        create = (platform.include / "sql" / "materialized_views" / f"{view}.sql").read_text("utf-8")
        create = create.replace("{{ project }}", platform.project).rstrip().rstrip(";")
        self.view_name = f"{platform.project}.gold.mv_{view}"
        self.reads = sorted(set(re.findall(r"`([\w.-]+\.\w+\.\w+)`", create)) - {self.view_name})
        script = f"{create};\nCALL BQ.REFRESH_MATERIALIZED_VIEW('{self.view_name}');"
        super().__init__(
            platform=platform,
            configuration={
                "query": {"query": script, "useLegacySql": False},
                "labels": bq.labels(owner_of_view, "serve"),
            },
            pool=view_pool(view),
            **kwargs,
        )
        self.platform = platform

    def execute(self, context: Any) -> Any:
        """Start the job, unless the view is up to date."""
        if is_fresh(bq.client(self.platform, self.gcp_conn_id), self.view_name, self.reads):
            self.log.info("No table that %s reads has changed since it was refreshed", self.view_name)
            return None
        return super().execute(context)


def is_fresh(client: Client, view: str, reads: list[str]) -> bool:
    """Whether a view is there and was refreshed after the last change of every table that it reads.

    Args:
        client: The BigQuery client.
        view: The view's full name.
        reads: The tables' full names.
    """
    from google.api_core.exceptions import NotFound

    try:
        refreshed = client.get_table(view).mview_last_refresh_time
    except NotFound:
        return False
    changed = [client.get_table(table).modified for table in reads]
    return refreshed is not None and all(at is not None and at < refreshed for at in changed)


def view_pool(view: str) -> str:
    """The pool of size 1 that keeps two refreshes of one view apart: only the first would succeed."""
    return f"mv_{view}"
