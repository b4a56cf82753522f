"""A source's ledger from what is left when the table is lost: receipts, specs, outcomes, published rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.ledger.derive import Batch, Evidence, derived
from hourglass.ledger.receipts import receipts
from hourglass.ledger.store import TABLE, ensure
from hourglass.partition import Partition

if TYPE_CHECKING:
    from datetime import datetime

    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as Storage

    from hourglass.config import Platform, Source
    from hourglass.ledger.row import LedgerRow
    from hourglass.partition import SourceObject


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    Args:
        receipts: Rows that had a receipt.
        derived: Partitions without a receipt, told from their files and published rows.
        added: Rows of both that the ledger lacked.
    """

    receipts: int
    derived: int
    added: int


def rebuild(storage: Storage, client: Client, platform: Platform, source: Source) -> Rebuilt:
    """Add every row of a source that the ledger lacks; one load job adds all of them or none.

    Run it while none of the source's runs is in flight: a batch without an outcome counts as failed.

    Args:
        storage: The storage client.
        client: The BigQuery client.
        platform: The deployment's names.
        source: The source.
    """
    known = receipts(storage, platform, source.id)
    told = list(_derived(storage, client, platform, source, {row.partition for row in known}))
    ensure(client, platform)
    missing = _missing(client, source, [*known, *told])
    if missing:
        _load(client, platform, missing)
    return Rebuilt(len(known), len(told), len(missing))


def _derived(
    storage: Storage, client: Client, platform: Platform, source: Source, done: set[str]
) -> Iterator[LedgerRow]:
    """The rows of partitions that a batch has worked on and that have no receipt."""
    specs, outcomes, manifests = (
        _by_partition(storage, platform, kind, source) for kind in ("specs", "outcomes", "manifests")
    )
    keys = sorted((set(specs) | set(outcomes)) - done)
    if not keys:
        return
    partitions = [Partition.parse(key, source.grain) for key in keys]
    rows = _published(client, platform, source, partitions)
    for partition in partitions:
        written = sorted(manifests.get(partition.key, ()), key=_moment)
        batch = _newest(storage, platform, specs.get(partition.key, []), outcomes.get(partition.key, []))
        counts = rows["silver"].get(partition.start, 0), rows["quarantine"].get(partition.start, 0)
        yield derived(source.id, partition, Evidence([_stem(o) for o in written], batch, counts))


def _by_partition(
    storage: Storage, platform: Platform, kind: str, source: Source
) -> dict[str, list[SourceObject]]:
    found: defaultdict[str, list[SourceObject]] = defaultdict(list)
    for item in gcs.list_objects(storage, platform.ops_bucket, f"{kind}/{source.id}/"):
        found[item.name.split("/")[2]].append(item)
    return found


def _newest(
    storage: Storage, platform: Platform, specs: list[SourceObject], outcomes: list[SourceObject]
) -> Batch:
    """The batch that was started last; a spec is written when its batch starts."""
    last = max(specs or outcomes, key=_moment)
    names = {kind: f"{kind}/{last.name.split('/', 1)[1]}" for kind in ("specs", "outcomes")}
    ended = next((o for o in outcomes if o.name == names["outcomes"]), None)
    documents = {
        kind: gcs.read_json(storage, platform.uri(name))
        for kind, name in names.items()
        if any(o.name == name for o in (*specs, *outcomes))
    }
    return Batch(_stem(last), _moment(ended or last), documents.get("specs"), documents.get("outcomes"))


def _published(
    client: Client, platform: Platform, source: Source, partitions: list[Partition]
) -> dict[str, dict[datetime, int]]:
    """Rows of both published tables by the start of their partition."""
    from google.api_core.exceptions import NotFound

    found: dict[str, dict[datetime, int]] = {}
    for name, flow in bq.flows(source).items():
        sql = (
            f"SELECT landing_hour, COUNT(*) AS n FROM `{flow.published(platform, source)}` "  # noqa: S608
            "WHERE landing_hour BETWEEN @first AND @last GROUP BY landing_hour"
        )
        try:
            rows = client.query(sql, job_config=_range(partitions)).result()
            found[name] = {row["landing_hour"]: row["n"] for row in rows}
        except NotFound:  # nothing was ever published
            found[name] = {}
    return found


def _missing(client: Client, source: Source, rows: list[LedgerRow]) -> list[LedgerRow]:
    if not rows:
        return []
    sql = (
        f"SELECT DISTINCT `partition`, run_id, attempt FROM {TABLE} "  # noqa: S608 (a constant)
        "WHERE source = @source AND landing_hour BETWEEN @first AND @last"
    )
    config = _range([Partition.parse(row.partition, source.grain) for row in rows], source.id)
    there = {
        (r["partition"], r["run_id"], r["attempt"]) for r in client.query(sql, job_config=config).result()
    }
    return [row for row in rows if (row.partition, row.run_id, row.attempt) not in there]


def _range(partitions: Iterable[Partition], source: str | None = None) -> Any:
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    starts = sorted(partition.start for partition in partitions)
    parameters = [
        ScalarQueryParameter("first", "TIMESTAMP", starts[0]),
        ScalarQueryParameter("last", "TIMESTAMP", starts[-1]),
    ]
    if source:
        parameters.append(ScalarQueryParameter("source", "STRING", source))
    return QueryJobConfig(query_parameters=parameters, labels=bq.LABELS)


def _load(client: Client, platform: Platform, rows: list[LedgerRow]) -> None:
    from google.cloud.bigquery import LoadJobConfig

    table = client.get_table(f"{platform.project}.{TABLE}")
    config = LoadJobConfig(schema=table.schema, write_disposition="WRITE_APPEND", labels=bq.LABELS)
    client.load_table_from_json(
        [row.json_values() for row in rows], table.reference, job_config=config
    ).result()


def _moment(item: SourceObject) -> datetime:
    assert item.updated is not None  # noqa: S101 (a listing always says so)
    return item.updated


def _stem(item: SourceObject) -> str:
    return item.name.rsplit("/", 1)[-1].removesuffix(".json")
