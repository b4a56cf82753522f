"""How pages are asked for and read, and where a poll goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hourglass.ingest.paging import Page, PageError, Paging, Progress, digest, read_page
from hourglass.ingest.rest import retry_after

START = datetime(2026, 1, 5, 6, tzinfo=UTC)
END = START + timedelta(hours=1)
STRIPE = Paging(
    cursor="starting_after",
    more="has_more",
    since="created[gte]",
    until="created[lt]",
    time_format="unix",
    page_size={"limit": 100},
)


def body(answer: Any) -> bytes:
    return json.dumps(answer).encode()


def test_a_request_names_the_interval_the_size_and_the_cursor() -> None:
    bounds = {"created[gte]": "1767592800", "created[lt]": "1767596400", "limit": "100"}
    assert STRIPE.parameters(START, END, None) == bounds
    assert STRIPE.parameters(START, END, "ch_9") == {**bounds, "starting_after": "ch_9"}


@pytest.mark.parametrize(
    ("form", "text"),
    [("iso", "2026-01-05T06:00:00Z"), ("unix", "1767592800"), ("unix_ms", "1767592800000")],
)
def test_times_are_written_as_the_api_wants_them(form: Any, text: str) -> None:
    assert Paging(since="from", time_format=form).parameters(START, END, None) == {"from": text}


@pytest.mark.parametrize(
    ("paging", "answer", "cursor"),
    [
        (STRIPE, {"data": [{"id": "a"}, {"id": "b"}], "has_more": True}, "b"),
        (STRIPE, {"data": [{"id": "a"}], "has_more": False}, None),
        (STRIPE, {"data": [{"id": "a"}]}, None),
        (Paging(), {"data": [{"id": "a"}]}, None),
        (Paging(cursor="after"), {"data": [{"id": 7}]}, "7"),
        (Paging(cursor="after"), {"data": []}, None),
        (Paging(cursor="c", next="meta.next"), {"data": [], "meta": {"next": "x"}}, "x"),
        (Paging(cursor="c", next="meta.next"), {"data": [{}], "meta": {"next": ""}}, None),
        (Paging(items="", cursor="after", cursor_field="key.id"), [{"key": {"id": 3}}], "3"),
    ],
)
def test_the_next_cursor(paging: Paging, answer: Any, cursor: str | None) -> None:
    assert read_page(body(answer), paging, None).next_cursor == cursor


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>Sign in</html>", "is no JSON.*<html>Sign in"),
        (b"", "it is empty"),
        (b'{"data": NaN}', "NaN is no JSON number"),
        (b'{"error": "nope"}', "no list at 'data'.*nope"),
        (b"[1, 2]", "no list at 'data'"),
        (b'{"data": [{"key": 1}], "has_more": true}', "last record has no 'id'.*key"),
        (b'{"data": [{"id": "same"}], "has_more": true}', "would never end"),
    ],
)
def test_an_answer_that_is_no_page_is_shown(content: bytes, said: str) -> None:
    with pytest.raises(PageError, match=said):
        read_page(content, STRIPE, "same")


def test_lines_are_a_function_of_the_records() -> None:
    indented = '{\n    "b": 1.10,\n    "a": "ü\\ud800\\n"\n  }'
    body = f'{{"list": [\n  {indented}, {{"n": 12345678901234567890.123456789, "e": 1E400}} ]}}'
    page = read_page(body.encode(), Paging(items="list"), None)
    assert page.lines() == (
        '{"b":1.10,"a":"\\u00fc\\ud800\\n"}\n{"n":12345678901234567890.123456789,"e":1E400}\n'
    )


def test_progress_stays_on_the_last_page_which_may_grow() -> None:
    first = Progress("s")
    second = first.after(Page(["{}", "{}"], "b"))
    assert (second.page, second.cursor, second.items) == (2, "b", 2)
    assert second.after(Page(["{}"], None)) is second


def test_progress_survives_and_starts_over_with_other_settings() -> None:
    kept = Progress("s", 3, "c", 200)
    assert Progress.resume(kept.to_json(), "s") == kept
    assert Progress.resume(kept.to_json(), "other") == Progress("other")
    assert Progress.resume(None, "s") == Progress("s")
    assert digest("u", {"a": 1, "b": 2}) == digest("u", {"b": 2, "a": 1}) != digest("u", {})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("Mon, 05 Jan 2026 06:01:30 GMT", 90.0),
        ("Mon, 05 Jan 2026 05:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, START) == seconds
