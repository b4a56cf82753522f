"""Partitions, manifests, completeness and accounting: the laws as properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.partition import (
    Completeness,
    Counts,
    Grain,
    Manifest,
    Partition,
    SourceObject,
    assess,
    conservation_problems,
)
from hourglass.partition.accounting import too_many_quarantined
from hourglass.partition.completeness import Verdict

HOUR = Partition.parse("2021-07-21T06")
CRONS = [
    "0 * * * *", "0 0 * * *", "*/15 * * * *", "0 2 * * *", "0 */6 * * *", "30 * * * *", "7,52 * * * *",
    "0 8 * * mon-fri", "0 0 1 * *", "@weekly", "15 3,9 1,15 * *",
]  # fmt: skip
GRAINS = st.sampled_from([Grain.of(cron) for cron in CRONS])
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
OBJECTS = st.lists(
    st.builds(
        SourceObject,
        name=st.text("abcé/=.0", min_size=1, max_size=12),
        generation=st.integers(1, 2**53),
        size=st.integers(0, 2**40),
        updated=st.just(HOUR.end),
    ),
    max_size=8,
    unique_by=lambda o: o.name,
)


@given(MOMENTS, GRAINS)
def test_every_moment_is_in_exactly_one_partition(moment: datetime, grain: Grain) -> None:
    partition = Partition.containing(moment, grain)
    assert partition.start <= moment < partition.end
    assert Partition.containing(partition.end, grain).start == partition.end


@given(MOMENTS, GRAINS)
def test_a_key_reads_back(moment: datetime, grain: Grain) -> None:
    partition = Partition.containing(moment, grain)
    assert Partition.parse(partition.key, grain) == partition
    assert partition.stamp == "".join(c for c in partition.key if c.isdigit())
    assert Grain.of(str(grain)) == grain


@given(MOMENTS, GRAINS)
def test_partitions_have_a_partition_of_bigquerys_each_unless_they_share_an_hour(
    moment: datetime, grain: Grain
) -> None:
    partition = Partition.containing(moment, grain)
    following = Partition(partition.end, grain)
    assert partition.stamp < following.stamp
    assert (partition.decorator < following.decorator) or grain.shares_hour
    assert Partition.last_ended(following.start, grain) == partition


@pytest.mark.parametrize(
    "key", ["", "2021", "2021-07-21T6", "2021-07-21T24", "2021-02-30", "2021-07-21 06", "x"]
)
def test_a_bad_key_says_how_to_write_one(key: str) -> None:
    with pytest.raises(ValueError, match="2021-07-21T06"):
        Partition.parse(key)


def test_a_key_says_its_own_form_when_no_grain_does() -> None:
    keys = ("2021-07-21", "2021-07-21T06", "2021-07-21T06:15")
    assert [Partition.parse(key).key for key in keys] == list(keys)


@pytest.mark.parametrize(
    ("key", "cron", "near"),
    [
        ("2021-07-21T06", "*/15 * * * *", "2021-07-21T06:00"),
        ("2021-07-21T06:20", "*/15 * * * *", "2021-07-21T06:15"),
        ("2021-07-21", "0 2 * * *", "2021-07-20T02"),
        ("2021-07-21T06", "0 0 * * *", "2021-07-21"),
    ],
)
def test_a_key_of_another_grain_says_which_one_is_near(key: str, cron: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"write one such as {near} "):
        Partition.parse(key, Grain.of(cron))


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 * * *", "61 * * * *", "@hour"])
def test_what_never_fires_cuts_nothing(cron: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Grain.of(cron)


def test_a_start_off_the_grain_is_refused() -> None:
    with pytest.raises(ValueError, match="not the start"):
        Partition(datetime(2021, 7, 21, 6, 20, tzinfo=UTC))
    with pytest.raises(ValueError, match="time zone"):
        Partition(datetime(2021, 7, 21, 6))


def test_other_time_zones_are_read_as_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert Partition(datetime(2021, 7, 21, 15, tzinfo=tokyo)).key == "2021-07-21T06"


def test_last_ended_is_the_hour_before_the_running_one() -> None:
    now = datetime(2021, 7, 21, 7, 59, tzinfo=UTC)
    assert Partition.last_ended(now, Grain.HOUR).key == "2021-07-21T06"
    assert Partition.last_ended(now, Grain.DAY).key == "2021-07-20"


@given(OBJECTS, st.randoms())
def test_a_manifest_does_not_depend_on_the_order_of_the_listing(
    objects: list[SourceObject], random: object
) -> None:
    shuffled = objects[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = Manifest.freeze("s", "2021-07-21T06", "b", objects)
    other = Manifest.freeze("s", "2021-07-21T06", "b", shuffled)
    assert one.to_json() == other.to_json()
    assert Manifest.from_json(one.to_json()).hash == one.hash


@given(OBJECTS.filter(bool), st.integers(1, 5))
def test_a_replaced_object_changes_the_hash(objects: list[SourceObject], step: int) -> None:
    first, *rest = objects
    replaced = SourceObject(first.name, first.generation + step, first.size)
    before = Manifest.freeze("s", "p", "b", objects)
    assert Manifest.freeze("s", "p", "b", [replaced, *rest]).hash != before.hash
    assert Manifest.freeze("s", "p", "b", rest).hash != before.hash
    assert Manifest.freeze("t", "p", "b", objects).hash != before.hash


def test_an_altered_manifest_is_noticed() -> None:
    text = Manifest.freeze("s", "p", "b", [SourceObject("a", 1, 2)]).to_json()
    with pytest.raises(ValueError, match="altered"):
        Manifest.from_json(text.replace('"size": 2', '"size": 3'))


RULE = Completeness(
    close_after=timedelta(minutes=10), settle=timedelta(minutes=2), min_files=2, marker="_SUCCESS"
)


def landed(*names: str, at: datetime = HOUR.start) -> list[SourceObject]:
    return [SourceObject(n, 1, 1, updated=at, created=at) for n in names]


@pytest.mark.parametrize(
    ("listing", "rule", "after_end", "verdict"),
    [
        (landed("a", "b"), RULE, timedelta(minutes=9, seconds=59), Verdict.WAITING),
        (landed("a", "b"), RULE, timedelta(minutes=10), Verdict.COMPLETE),
        (landed("a"), RULE, timedelta(minutes=10), Verdict.WAITING),
        (landed("a", "x/_SUCCESS"), RULE, timedelta(minutes=-30), Verdict.COMPLETE),
        (landed("_SUCCESS"), RULE, timedelta(0), Verdict.COMPLETE),
        (landed("a", "b", at=HOUR.end + timedelta(minutes=9)), RULE, timedelta(minutes=10), Verdict.WAITING),
        (landed("a", "b", at=HOUR.end + timedelta(minutes=8)), RULE, timedelta(minutes=10), Verdict.COMPLETE),
        (landed("a"), RULE, timedelta(hours=4), Verdict.MISSING),
        ([], RULE, timedelta(hours=3), Verdict.WAITING),
        ([], RULE, timedelta(hours=4), Verdict.MISSING),
        ([], Completeness(on_empty="skip"), timedelta(minutes=10), Verdict.SKIP),
        ([], Completeness(on_empty="accept"), timedelta(minutes=10), Verdict.COMPLETE),
        ([], Completeness(on_empty="accept"), timedelta(minutes=9), Verdict.WAITING),
    ],
)
def test_completeness(
    listing: list[SourceObject], rule: Completeness, after_end: timedelta, verdict: Verdict
) -> None:
    readiness = assess(listing, HOUR, rule, HOUR.end + after_end)
    assert readiness.verdict is verdict, readiness.reason
    assert all(not o.name.endswith("_SUCCESS") for o in readiness.objects)


@given(OBJECTS, st.timedeltas(timedelta(0), timedelta(hours=9)))
def test_a_complete_partition_stays_complete(objects: list[SourceObject], later: timedelta) -> None:
    rule = Completeness(on_empty="accept")
    now = HOUR.end + rule.close_after
    if assess(objects, HOUR, rule, now).verdict is Verdict.COMPLETE:
        assert assess(objects, HOUR, rule, now + later).verdict is Verdict.COMPLETE


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_conservation_holds_when_everything_adds_up(silver: int, bad: int, twice: int) -> None:
    counts = Counts(silver + bad + twice, silver, bad, twice)
    assert conservation_problems(counts, candidate_rows=silver, quarantine_rows=bad) == []


@given(
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(-9, 9).filter(bool),
    st.integers(0, 2),
)
def test_one_line_too_many_or_too_few_is_always_noticed(
    silver: int, bad: int, twice: int, off: int, where: int
) -> None:
    counts = Counts(silver + bad + twice + (off if where == 0 else 0), silver, bad, twice)
    problems = conservation_problems(
        counts,
        candidate_rows=silver + (off if where == 1 else 0),
        quarantine_rows=bad + (off if where == 2 else 0),
    )
    assert len(problems) == 1
    assert f"{off:+d}" in problems[0]


@pytest.mark.parametrize(
    ("lines", "quarantined", "stopped"),
    [
        (5, 1, False),
        (10**9, 101, False),
        (1000, 101, True),
        (100, 99, False),
        (9, 9, False),
        (10, 10, True),
        (2000, 100, False),
        (2000, 101, True),
    ],
)
def test_both_limits_must_be_exceeded_unless_nothing_else_is_left(
    lines: int, quarantined: int, stopped: bool
) -> None:
    counts = Counts(lines, lines - quarantined, quarantined, 0)
    assert too_many_quarantined(counts, rate=0.05, rows=100) is stopped
