"""What the photo-sharing app's marts must hold: computed from the generated rows, in pandas and plain Python."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

Row = dict[str, Any]
GA4_TYPES = {
    "screen_view": "view",
    "select_content": "click",
    "like": "react",
    "share": "share",
    "post_photo": "post",
}
TYPES = {"view": "views", "click": "clicks", "react": "reacts", "share": "shares", "post": "posts"}
PAUSE, DAY = timedelta(minutes=30), timedelta(days=1)


def segment(row: Row) -> Row:
    """What refining adds: above 100 high_value, above 50 medium_value, else standard."""
    ltv = row["user_properties"]["ltv"]
    return {"user_segment": "high_value" if ltv > 100 else "medium_value" if ltv > 50 else "standard"}


def events(landed: dict[datetime, list[Row]]) -> pd.DataFrame:
    """Every event of the SDK once, as it landed first; in the order in which they happened."""
    first: dict[str, Row] = {}
    for hour in sorted(landed):
        for line, row in enumerate(landed[hour], 1):
            first.setdefault(row["event_id"], {**flat(row), "landing_hour": hour, "source_line": line})
    found = pd.DataFrame(first.values())
    return found.sort_values(["event_at", "event_id"], ignore_index=True)


def flat(row: Row) -> Row:
    """An event with its records taken apart."""
    at = datetime.fromisoformat(row["event_timestamp"])
    user, device, place = row["user_properties"], row["device"], row.get("location") or {}
    return {
        "event_id": row["event_id"],
        "event_at": at,
        "event_date": at.date(),
        "event_type": row["event_type"],
        "user_id": row["user_id"],
        "content_id": row["content_id"],
        **segment(row),
        **{name: user[name] for name in ("age_group", "country", "email_domain", "username")},
        "device_os": device["os"],
        "device_model": device["model"],
        "device_category": device["category"],
        "os_version": device["os_version"],
        **{f"location_{name}": place.get(name) for name in ("country", "region", "city")},
        "seconds": numeric(row.get("engagement_duration")),
        "interactions": row.get("interaction_count") or 0,
        "revenue": numeric(row.get("event_revenue")),
        "post_text": row.get("post_text"),
    }


def numeric(value: float | None) -> Decimal:
    return Decimal(0) if value is None else Decimal(value).quantize(Decimal("1e-9"))


def counts(rows: pd.DataFrame) -> Row:
    """How many events of each type."""
    found = Counter(rows["event_type"])
    return {"events": len(rows), **{name: found[kind] for kind, name in TYPES.items()}}


def sessions(found: pd.DataFrame) -> Iterator[Row]:
    """A user's events without a pause of more than 30 minutes; after midnight, for two hours."""
    for user, mine in found.groupby("user_id"):
        start, last, part = None, None, []
        for number, at in zip(mine.index, mine["event_at"], strict=True):
            night_is_over = start is not None and at >= midnight(start.date() + DAY) + timedelta(hours=2)
            if start is None or at - last > PAUSE or night_is_over:
                if part:
                    yield _session(user, mine.loc[part])
                start, part = at, []
            part.append(number)
            last = at
        yield _session(user, mine.loc[part])


def _session(user: Any, rows: pd.DataFrame) -> Row:
    start, end = rows["event_at"].iloc[0], rows["event_at"].iloc[-1]
    return {
        "user_id": user,
        "event_date": start.date(),
        "session_start_at": start,
        "session_end_at": end,
        "duration_milliseconds": (end - start) // timedelta(milliseconds=1),
        **counts(rows),
        "contents": rows["content_id"].nunique(),
        "engagement_seconds": rows["seconds"].sum(),
        "revenue": rows["revenue"].sum(),
        "first_event_type": rows["event_type"].iloc[0],
        "last_event_type": rows["event_type"].iloc[-1],
        "crosses_midnight": end.date() > start.date(),
    }


def daily_metrics(found: pd.DataFrame) -> Iterator[Row]:
    """What a user did on a day; a session counts where it began."""
    begun: defaultdict[tuple[Any, Any], list[int]] = defaultdict(list)
    for session in sessions(found):
        begun[session["event_date"], session["user_id"]].append(session["duration_milliseconds"])
    for (day, user), rows in found.groupby(["event_date", "user_id"]):
        yield {
            "event_date": day,
            "user_id": user,
            "user_segment": rows["user_segment"].iloc[-1],
            "user_country": rows["country"].iloc[-1],
            **counts(rows),
            "contents": rows["content_id"].nunique(),
            "interactions": rows["interactions"].sum(),
            "engagement_seconds": rows["seconds"].sum(),
            "revenue": rows["revenue"].sum(),
            "sessions": len(begun[day, user]),
            "session_milliseconds": sum(begun[day, user]),
            "first_event_at": rows["event_at"].iloc[0],
            "last_event_at": rows["event_at"].iloc[-1],
        }


def users(found: pd.DataFrame) -> Iterator[Row]:
    """SCD2: the state at the end of each day; a new version on the day on which it differs from the one before."""
    tracked = ["user_segment", "age_group", "country", "email_domain", "username"]
    for user, mine in found.groupby("user_id"):
        versions: list[Row] = []
        for day, rows in mine.groupby("event_date"):
            state = rows[tracked].iloc[-1].to_dict()
            if versions and {name: versions[-1][name] for name in tracked} == state:
                continue
            if versions:
                versions[-1] |= {"valid_to_date": day, "is_current": False}
            number = len(versions) + 1
            span = {"valid_from_date": day, "valid_to_date": None, "is_current": True}
            versions.append({"user_id": user, "version": number, **span, **state})
        yield from versions


def contents(found: pd.DataFrame) -> Iterator[Row]:
    """SCD1: photos as they were posted last."""
    for content, rows in found.groupby("content_id"):
        posts = rows[rows["event_type"] == "post"]
        known = len(posts) > 0
        yield {
            "content_id": content,
            "creator_id": posts["user_id"].iloc[-1] if known else None,
            "content_text": posts["post_text"].iloc[-1] if known else None,
            "posted_at": posts["event_at"].iloc[0] if known else None,
            "posted_date": posts["event_date"].iloc[0] if known else None,
            "first_seen_at": rows["event_at"].iloc[0],
            "last_seen_at": rows["event_at"].iloc[-1],
        }


def devices(found: pd.DataFrame) -> Iterator[Row]:
    """SCD1: models with the last that was told of them."""
    for (system, model), rows in found.groupby(["device_os", "device_model"]):
        yield {
            "device_os": system,
            "device_model": model,
            "device_category": rows["device_category"].iloc[-1],
            "last_os_version": rows["os_version"].iloc[-1],
            "first_seen_date": rows["event_date"].iloc[0],
            "last_seen_date": rows["event_date"].iloc[-1],
        }


def places(found: pd.DataFrame) -> set[tuple[str, str, str | None]]:
    """Level, path and the path of the place above."""
    levels = ("country", "region", "city")
    known = set()
    for row in found[[f"location_{level}" for level in levels]].itertuples(index=False):
        names: list[str] = []
        for level, name in zip(levels, row, strict=True):
            if not isinstance(name, str):
                break
            above = " > ".join(names) or None
            names.append(name)
            known.add((level, " > ".join(names), above))
    return known


def tags(found: pd.DataFrame) -> dict[str, set[str]]:
    """The hashtags of every photo that has some."""
    texts = {row["content_id"]: row["content_text"] for row in contents(found) if row["content_text"]}
    tagged = {content: {t.lower() for t in re.findall(r"#(\w+)", text)} for content, text in texts.items()}
    return {content: names for content, names in tagged.items() if names}


def interests(found: pd.DataFrame) -> dict[tuple[str, str], float]:
    """How a user's engagements spread over tags."""
    tagged = tags(found)
    spread: defaultdict[str, Counter[str]] = defaultdict(Counter)
    engaged = found[found["event_type"] != "post"]
    for user, content in zip(engaged["user_id"], engaged["content_id"], strict=True):
        for tag in tagged.get(content, ()):
            spread[user][tag] += 1 / len(tagged[content])  # type: ignore[assignment]
    return {(u, tag): n / sum(c.values()) for u, c in spread.items() for tag, n in c.items()}


def unified(found: pd.DataFrame, exported: dict[datetime, list[Row]], cut_over: date) -> Counter[Any]:
    """Events by day, origin, type and photo."""
    ours = found[found["event_date"] >= cut_over]
    total: Counter[Any] = Counter(
        (day, "sdk", kind, content)
        for day, kind, content in zip(ours["event_date"], ours["event_type"], ours["content_id"], strict=True)
    )
    for day, rows in exported.items():
        if day.date() < cut_over:
            for row in rows:
                params = {p["key"]: p["value"] for p in row["event_params"]}
                content = params["content_id"]["string_value"]
                total[day.date(), "ga4", GA4_TYPES[row["event_name"]], content] += 1
    return total


def recommendations(found: pd.DataFrame) -> dict[tuple[date, str], list[tuple[str, int]]]:
    """For every user and day the 100 unseen photos that go best with the user's, by a matrix of who has what."""
    result = {}
    for day in sorted(set(found["event_date"])):
        days = found[(found["event_date"] > day - 7 * DAY) & (found["event_date"] <= day)]
        engaged = days[days["event_type"] != "post"]
        top = (
            engaged.groupby(["user_id", "content_id"]).size().rename("n").reset_index()
            .sort_values(["user_id", "n", "content_id"], ascending=[True, False, True])
            .groupby("user_id").head(50)
        )  # fmt: skip
        names, people = sorted(set(top["content_id"])), sorted(set(top["user_id"]))
        has = np.zeros((len(people), len(names)), dtype=np.int64)
        has[[people.index(u) for u in top["user_id"]], [names.index(c) for c in top["content_id"]]] = 1
        together = has.T @ has
        np.fill_diagonal(together, 0)
        for row in together:  # the names are in order, so a stable sort puts the smaller of equals first
            row[np.argsort(-row, kind="stable")[100:]] = 0
        scores = has @ together
        seen = days.groupby("user_id")["content_id"].agg(set)
        for user in sorted(set(found.loc[found["event_date"] == day, "user_id"]) & set(people)):
            scored = zip(names, scores[people.index(user)].tolist(), strict=True)
            new = [(name, score) for name, score in scored if score and name not in seen[user]]
            if new:
                result[day, user] = sorted(new, key=lambda pair: (-pair[1], pair[0]))[:100]
    return result


def user_features(found: pd.DataFrame) -> Iterator[Row]:
    """A user's last seven days, at the end of each day on which they were active."""
    by_user: defaultdict[str, list[Row]] = defaultdict(list)
    for row in daily_metrics(found):
        by_user[row["user_id"]].append(row)
    for rows in by_user.values():
        for row in rows:
            day = row["event_date"]
            week = [r for r in rows if day - 7 * DAY < r["event_date"] <= day]
            earlier = [r["event_date"] for r in week if r["event_date"] < day]
            acts = sum(r["clicks"] + r["reacts"] + r["shares"] for r in week)
            views, begun = (sum(r[name] for r in week) for name in ("views", "sessions"))
            lengths = sum(r["session_milliseconds"] for r in week)
            yield {
                "event_date": day,
                "user_id": row["user_id"],
                "available_at": midnight(day + DAY),
                "user_segment": row["user_segment"],
                "events_1d": row["events"],
                "sessions_1d": row["sessions"],
                "events_7d": sum(r["events"] for r in week),
                "views_7d": views,
                "interactions_7d": acts,
                "posts_7d": sum(r["posts"] for r in week),
                "sessions_7d": begun,
                "active_days_7d": len(week),
                "engagement_seconds_7d": sum(r["engagement_seconds"] for r in week),
                "revenue_7d": sum(r["revenue"] for r in week),
                "interaction_rate_7d": acts / views if views else None,
                "mean_session_seconds_7d": lengths / 1000 / begun if begun else None,
                "days_since_previous_activity": (day - max(earlier)).days if earlier else None,
            }


def photo_features(found: pd.DataFrame) -> Iterator[Row]:
    """A photo's last seven days, at the end of each day on which somebody engaged with it."""
    engaged = found[found["event_type"] != "post"]
    for (day, content), today in engaged.groupby(["event_date", "content_id"]):
        near = (engaged["event_date"] > day - 7 * DAY) & (engaged["event_date"] <= day)
        week = engaged[near & (engaged["content_id"] == content)]
        views = int((week["event_type"] == "view").sum())
        acts = len(week) - views
        views_today = int((today["event_type"] == "view").sum())
        yield {
            "event_date": day,
            "content_id": content,
            "available_at": midnight(day + DAY),
            "views_1d": views_today,
            "users_1d": today["user_id"].nunique(),
            "views_7d": views,
            "users_7d": week["user_id"].nunique(),
            "interactions_7d": acts,
            "shares_7d": int((week["event_type"] == "share").sum()),
            "engagement_seconds_7d": week["seconds"].sum(),
            "interaction_rate_7d": acts / views if views else None,
            "views_1d_share": views_today / views if views else None,
        }


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def same(got: Iterable[Row], wanted: Iterable[Row], key: tuple[str, ...]) -> None:
    """Compare rows by their key, in the columns that are wanted; floats to nine digits."""
    expected = {tuple(row[k] for k in key): {n: _plain(v) for n, v in row.items()} for row in wanted}
    assert expected, "nothing is expected: the generated rows do not show what the test is about"
    names = next(iter(expected.values()))
    rows = [({n: _plain(row[n]) for n in names}, tuple(row[k] for k in key)) for row in got]
    found = {at: row for row, at in rows}
    assert len(found) == len(rows)
    wrong = {k: (found.get(k), v) for k, v in expected.items() if found.get(k) != v}
    assert not wrong, f"{len(wrong)} of {len(expected)} rows; one of them: {next(iter(wrong.items()))}"
    assert set(found) == set(expected)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return None if np.isnan(value) else f"{value:.9g}"
    return value
