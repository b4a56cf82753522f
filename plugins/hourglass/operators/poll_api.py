"""Stage 1 of a polled REST API: lands the records of the run's interval, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.cloud.landing import LandingSet
    from hourglass.ingest.paging import Paging
    from hourglass.ingest.rest import BusyError, RestApi
    from hourglass.partition import Partition

# Pauses that the API asks for: a longer one, or more of them without a page between, is an outage.
MOST_SECONDS = 3600.0
MOST_PAUSES = 12


class PollApi(SourceOperator):
    """Asks the API from where the last try ended until the partition is closed, then completes the set.

    A set that is complete stays as it is.

    Args:
        backoff_seconds: The unit of the pauses between two attempts at one page.
        kwargs: Passed to `SourceOperator`.
    """

    def __init__(self, *, backoff_seconds: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backoff_seconds = backoff_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and defer while there is something to wait for."""
        return self._land(partition_of(context, self.source.grain), pauses=0)

    def resume(self, context: Context, event: Any = None, pauses: int = 0) -> dict[str, Any]:
        """Ask again after a wait.

        Args:
            context: Airflow's template context.
            event: The trigger's, which says nothing.
            pauses: How many pauses the API has asked for in a row.
        """
        return self._land(partition_of(context, self.source.grain), pauses)

    def _land(self, partition: Partition, pauses: int) -> dict[str, Any]:
        from hourglass.cloud.landing import LandingSet
        from hourglass.ingest.rest import BusyError, RestApi

        landing = LandingSet.of(self.source, self.platform, partition, self.gcp_conn_id)
        if landing.is_complete():
            self.log.info(
                "%s is complete and stays as it is. To land it anew, delete %s and clear this task",
                landing.uri, landing.marker_uri,
            )  # fmt: skip
            return {"uri": landing.uri}
        ingestion: Any = self.source.file.ingestion
        paging = self._paging()
        closes = partition.end + self.source.completeness.close_after
        now = datetime.now(tz=UTC)
        if paging.order == "newest_first" and now < closes:
            self._wait(
                closes, "the API lists the newest first, so it is asked once, after the partition closed"
            )
        with self._explained(partition):
            try:
                with RestApi(ingestion.api_endpoint, self._token(), self.backoff_seconds) as api:
                    pages, items = self._ask(api, landing, paging, partition)
            except BusyError as error:
                self._pause(error, pauses)
        if now < closes:
            again = min(now + ingestion.poll_interval, closes)
            self._wait(again, f"{items} records so far; the partition closes at {closes:%H:%M:%S} UTC")
        return self._complete(landing, pages, items, partition)

    def _ask(
        self, api: RestApi, landing: LandingSet, paging: Paging, partition: Partition
    ) -> tuple[int, int]:
        """Ask for page after page, until there is none for now.

        Returns:
            The numbers of pages and of records landed so far.
        """
        from hourglass.ingest.paging import digest, read_page

        ingestion: Any = self.source.file.ingestion
        progress = landing.progress(digest(ingestion.api_endpoint, repr(paging), landing.compressed))
        if progress.page > 1:
            self.log.info("Going on with page %d, behind %d records", progress.page, progress.items)
        while True:
            query = paging.parameters(partition.start, partition.end, progress.cursor)
            page = read_page(api.get(query), paging, progress.cursor)
            after = landing.keep(progress, page)
            if after is progress:
                return progress.page, progress.items + len(page.items)
            progress = after

    def _complete(self, landing: LandingSet, pages: int, items: int, partition: Partition) -> dict[str, Any]:
        on_empty = self.source.completeness.on_empty
        if not items and on_empty == "skip":
            raise AirflowSkipException(f"the API has no records of {partition.key}, and on_empty is skip")
        if not items and on_empty == "fail":
            raise AirflowFailException(
                self._explain(
                    f"{self.source.id} {partition.key} is incomplete: the API has no records of it",
                    "ask the API's owner; if an empty partition is normal, set on_empty; then clear this task",
                    "partition-missing",
                )
            )
        objects = landing.complete(pages, items)
        self.log.info("Landed %d records in %d objects under %s", items, objects, landing.uri)
        return {"uri": landing.uri, "objects": objects, "items": items}

    def _paging(self) -> Paging:
        from hourglass.ingest.paging import Paging

        pagination = getattr(self.source.file.ingestion, "pagination", None)
        return Paging(**pagination.model_dump()) if pagination else Paging()

    def _token(self) -> str | None:
        """The bearer token, from whatever secret backend Airflow has."""
        name = getattr(self.source.file.ingestion, "secret_name", None)
        if name is None:
            return None
        token = Variable.get(name, default=None)
        if token is None:
            raise AirflowFailException(
                self._explain(
                    f"there is no secret {name!r}, which ingestion.secret_name of {self.source.id} names",
                    f"create it: `gcloud secrets create airflow-variables-{name} --data-file=FILE` where Secret "
                    f"Manager is Airflow's backend, else `airflow variables set {name} TOKEN`; clear this task",
                    "secret-missing",
                    where=f"Airflow's variables and its secrets backend, variable {name}",
                )
            )
        return str(token).strip()

    def _wait(self, moment: datetime, why: str) -> None:
        # A trigger that fires at once can fail its task (apache/airflow#72716).
        moment = max(moment, datetime.now(tz=UTC) + timedelta(seconds=1))
        self.log.info("Waiting until %s UTC: %s", f"{moment:%Y-%m-%d %H:%M:%S}", why)
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume")

    def _pause(self, error: BusyError, pauses: int) -> None:
        """Give the worker back for as long as the API asks, within bounds."""
        if error.seconds > MOST_SECONDS or pauses >= MOST_PAUSES:
            raise AirflowException(
                self._explain(
                    f"the API asks for a pause, the {pauses + 1}. in a row: {error}; at most {MOST_PAUSES} of "
                    f"{MOST_SECONDS:.0f} s are taken",
                    "lower the load on the API or have its limit raised; the next try goes on from this page",
                    "api-unreachable",
                )
            )
        self.log.warning("%s; waiting as long", error)
        moment = datetime.now(tz=UTC) + timedelta(seconds=error.seconds)
        self.defer(
            trigger=DateTimeTrigger(moment=moment), method_name="resume", kwargs={"pauses": pauses + 1}
        )

    @contextmanager
    def _explained(self, partition: Partition) -> Iterator[None]:
        """Turn the API's errors into messages for the person who is paged."""
        from hourglass.ingest.paging import PageError
        from hourglass.ingest.rest import RefusedError, UnauthorizedError, UnreachableError

        what = f"{self.source.id} {partition.key} was not landed"
        try:
            yield
        except UnauthorizedError as error:
            step = "put a valid token into the secret; clear this task, which goes on from this page"
            raise AirflowFailException(self._explain(f"{what}: {error}", step, "api-unauthorized")) from None
        except RefusedError as error:
            step = "correct the keys of ingestion in the source's YAML, deploy, clear this task"
            raise AirflowFailException(self._explain(f"{what}: {error}", step, "api-refused")) from None
        except UnreachableError as error:
            step = "look at the API's status; the next try goes on from this page"
            raise AirflowException(self._explain(f"{what}: {error}", step, "api-unreachable")) from None
        except PageError as error:
            step = "ask for the URL by hand; correct ingestion.pagination if the API answers otherwise"
            raise AirflowException(self._explain(f"{what}: {error}", step, "api-unreadable")) from None

    def _explain(self, what: str, next_step: str, heading: str, where: str | None = None) -> str:
        endpoint = getattr(self.source.file.ingestion, "api_endpoint", "")
        return explain(
            what,
            where=where or str(endpoint),
            next_step=next_step,
            heading=heading,
            runbook=self.source.file.runbook,
        )
