"""One generated day of all platforms, and what the DAGs of its sources would leave of it: published rows, a ledger.

No row goes through Spark here: what refining adds, hides and refuses is done in plain Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from google.cloud import bigquery

from hourglass.config import Platform, Source, load_source
from hourglass.config.patterns import BigqueryExport
from hourglass.generate.core import module_of
from hourglass.generate.draw import Draw
from hourglass.generate.platforms import configured, lambda_medallion, photo_sharing, shop, startup
from hourglass.generate.platforms.landing import Landed, midnight
from hourglass.generate.record import as_moment, data_paths, get
from hourglass.generate.spoil import Spoilers
from hourglass.ledger import LedgerRow
from hourglass.ledger.store import TABLE, ensure
from hourglass.partition import Partition
from hourglass.partition.sweep import partitions_between
from local.published import Row, create_table, load, load_export, refined
from local.refining import ENRICH

# What each platform is made with; 1 is its full size. The photo-sharing app alone has 200,000 events then.
SCALES = {"photo_sharing": 1.0, "startup": 0.2, "shop": 0.2, "lambda_medallion": 0.2, "configured": 0.1}
BAD = 0.005  # the share of lines that come on top and must be quarantined
_MODULES = {
    m.__name__.rpartition(".")[2]: m for m in (photo_sharing, startup, shop, lambda_medallion, configured)
}


@dataclass(frozen=True)
class Outcome:
    """What became of the lines of one partition.

    Args:
        platform: The platform that it belongs to.
        source: The source's id.
        partition: The partition.
        lines: All lines.
        silver: Those that are published.
        late: Lines of events that happened before the partition began.
        reasons: Quarantined lines by their reason.
        event_dates: The dates of the published events, in order.
    """

    platform: str
    source: str
    partition: Partition
    lines: int
    silver: int
    late: int
    reasons: Mapping[str, int]
    event_dates: tuple[date, ...]

    @property
    def quarantined(self) -> int:
        """Lines that are not published because something is wrong with them."""
        return sum(self.reasons.values())

    @property
    def duplicates(self) -> int:
        """Lines that repeat one of the same partition."""
        return self.lines - self.silver - self.quarantined


def generate(platform: str, when: date, scale: float, wanted: Iterable[str]) -> Landed:
    """The lines of one platform's day, without the bad ones; every partition of the day is there, be it empty.

    Args:
        platform: The platform's name.
        when: The day.
        scale: 1 is the size of `SCALES`.
        wanted: Sources; those of the platform that are not among them are left out.
    """
    landed = _MODULES[platform].day(when, scale=SCALES[platform] * scale)
    found: Landed = {}
    for source_id in sorted(set(landed) & set(wanted)):
        start = midnight(when)
        grain = load_source(source_id).grain
        starts = [p.start for p in partitions_between(grain, start, start + timedelta(days=1))]
        found[source_id] = {**{one: [] for one in starts}, **landed[source_id]}
    return found


def publish(
    client: bigquery.Client, platform: str, source_id: str, landed: Mapping[datetime, list[Row]]
) -> list[Outcome]:
    """Replace the published rows of a source.

    Args:
        client: The BigQuery client.
        platform: The source's platform.
        source_id: The source.
        landed: Its lines by the partition that they landed in.

    Returns:
        What became of each partition.
    """
    source = load_source(source_id)
    if isinstance(source.file.ingestion, BigqueryExport):
        load_export(client, source, landed)
        return [_exported(platform, source, start, rows) for start, rows in landed.items()]
    outcomes, published = [], []
    for start, rows in landed.items():
        kept = refined(source, start, rows, ENRICH.get(source_id))
        outcomes.append(outcome(platform, source, start, rows, kept))
        published += kept
    create_table(client, source)
    load(client, f"silver.{source.id}", published)
    return outcomes


def outcome(
    platform: str, source: Source, start: datetime, rows: Sequence[Row], kept: Sequence[Row]
) -> Outcome:
    """Count what became of one partition's lines; bad ones are added to them.

    Args:
        platform: The source's platform.
        source: The source.
        start: The partition's start.
        rows: Its good lines and their repeats.
        kept: What refining leaves of them.
    """
    partition = Partition(start, source.grain)
    reasons = Counter(bad_lines(source, partition, rows))
    time = data_paths(source.schema)[source.event_time] if source.event_time else ()
    moments = (as_moment(get(row, time)) for row in rows) if time else ()
    return Outcome(
        platform,
        source.id,
        partition,
        lines=len(rows) + reasons.total(),
        silver=len(kept),
        late=sum(moment is not None and moment < start for moment in moments),
        reasons=reasons,
        event_dates=tuple(sorted({date.fromisoformat(row["event_date"]) for row in kept})),
    )


def bad_lines(source: Source, partition: Partition, rows: Iterable[Row]) -> Iterator[str]:
    """Spoil a copy of a few lines, each in another way; gives the reasons for which refining quarantines them.

    Args:
        source: The source.
        partition: The partition that the lines landed in.
        rows: Good lines.
    """
    draw = Draw(1, partition, f"{source.id} bad")
    spoilers = Spoilers(source, partition, getattr(module_of(source.id), "BREAK", {})).all()
    for row in rows:
        if draw.chance(BAD):
            tried = draw.random.sample(spoilers, len(spoilers))
            reason = next((s.reason for s in tried if s.apply(deepcopy(row), draw)), None)
            if reason:
                yield reason


def _exported(platform: str, source: Source, start: datetime, rows: Sequence[Row]) -> Outcome:
    """A day's table of an export: it is what it is, nothing in it is refused."""
    return Outcome(
        platform, source.id, Partition(start, source.grain), len(rows), len(rows), 0, {}, (start.date(),)
    )


def record(client: bigquery.Client, platform: Platform, outcomes: Iterable[Outcome]) -> None:
    """Write the ledger's row of each partition.

    Args:
        client: The BigQuery client.
        platform: The deployment's names.
        outcomes: What became of the partitions.
    """
    ensure(client, platform)
    now = datetime.now(tz=UTC)
    rows = [
        LedgerRow(
            source=one.source,
            partition=one.partition.key,
            landing_hour=one.partition.start,
            grain=str(one.partition.grain),
            state="published",
            run_id="demo_day",
            attempt=1,
            recorded_at=now,
            schema_version=load_source(one.source).schema.version,
            lines=one.lines,
            silver=one.silver,
            quarantined=one.quarantined,
            duplicates=one.duplicates,
            published_rows=one.silver,
            event_dates=one.event_dates,
        ).json_values()
        for one in outcomes
    ]
    config = bigquery.LoadJobConfig(schema=client.get_table(TABLE).schema, write_disposition="WRITE_APPEND")
    client.load_table_from_json(rows, TABLE, job_config=config).result()
