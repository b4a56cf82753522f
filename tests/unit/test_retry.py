"""How long we go on asking: bounds, pauses, and which errors pass."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import RefreshError, TransportError
from hypothesis import given
from hypothesis import strategies as st

from hourglass.cloud import retry
from hourglass.cloud.retry import DependencyError, Patiently, passing, said


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def answer(status: int, **headers: str) -> Any:
    found = requests.Response()
    found.status_code = status
    found.headers.update(headers)
    found.request = requests.Request("GET", "https://bigquery.googleapis.com/x?key=1").prepare()
    return found


def failing(error: Exception, times: int | None = None) -> Any:
    calls = []

    def ask() -> str:
        calls.append(1)
        if times is None or len(calls) <= times:
            raise error
        return "done"

    return ask


def test_the_pauses_grow_and_the_end_is_bounded(clock: Clock) -> None:
    bounds = retry.PATIENCE
    with pytest.raises(DependencyError) as raised:
        Patiently("the service")(failing(exceptions.ServiceUnavailable("busy")))()
    limits = [min(bounds.first_s * 2**n, bounds.longest_s) for n in range(len(clock.pauses))]
    assert all(0 <= pause <= limit for pause, limit in zip(clock.pauses, limits, strict=True))
    assert max(clock.pauses) > bounds.first_s * 2
    assert len({round(pause, 6) for pause in clock.pauses}) == len(clock.pauses), "no jitter"
    assert bounds.total_s - bounds.longest_s <= clock.now <= bounds.total_s
    assert raised.value.attempts == len(clock.pauses) + 1
    assert str(raised.value) == (
        f"asked {raised.value.attempts} times in {clock.now:.0f} s, the last answer was ServiceUnavailable: 503 busy"
    )


def test_a_service_that_recovers_is_no_failure(clock: Clock) -> None:
    assert Patiently()(failing(requests.ConnectionError("reset"), times=3))() == "done"
    assert len(clock.pauses) == 3


def test_other_errors_are_raised_at_once(clock: Clock) -> None:
    with pytest.raises(exceptions.NotFound):
        Patiently()(failing(exceptions.NotFound("no such table")))()
    assert clock.pauses == []


@given(st.integers(2, 200))
def test_a_pause_that_the_service_asks_for_is_kept(seconds: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        busy = exceptions.TooManyRequests("slow", response=answer(429, **{"Retry-After": str(seconds)}))
        assert Patiently()(failing(busy, times=1))() == "done"
        assert clock.pauses == [seconds]


def test_a_pause_beyond_the_bound_ends_it(clock: Clock) -> None:
    busy = exceptions.TooManyRequests("slow", response=answer(429, **{"Retry-After": "3600"}))
    with pytest.raises(DependencyError, match=r"asked once in 0 s"):
        Patiently()(failing(busy))()


def test_the_message_names_what_was_asked(clock: Clock) -> None:
    gone = exceptions.ServiceUnavailable("busy", response=answer(503))
    with pytest.raises(DependencyError) as raised:
        Patiently()(failing(gone))()
    assert raised.value.what == "GET https://bigquery.googleapis.com/x"


LIMITED = exceptions.Forbidden("slow down", errors=[{"reason": "rateLimitExceeded"}])
PASSING = [
    exceptions.TooManyRequests("x"),
    exceptions.InternalServerError("x"),
    exceptions.BadGateway("x"),
    exceptions.ServiceUnavailable("x"),
    exceptions.GatewayTimeout("x"),
    exceptions.DeadlineExceeded("x"),
    exceptions.ResourceExhausted("x"),
    LIMITED,
    requests.ConnectionError("x"),
    requests.ReadTimeout("x"),
    requests.exceptions.ChunkedEncodingError("x"),
    requests.HTTPError("x", response=answer(503)),
    ConnectionResetError("x"),
    TransportError("x"),
    RefreshError("x", retryable=True),
]
FINAL = [
    exceptions.BadRequest("x"),
    exceptions.Unauthorized("x"),
    exceptions.Forbidden("x"),
    exceptions.NotFound("x"),
    exceptions.Conflict("x"),
    exceptions.PreconditionFailed("x"),
    requests.exceptions.SSLError("x"),
    requests.HTTPError("x", response=answer(404)),
    RefreshError("x"),
    ValueError("x"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda e: type(e).__name__)
def test_it_passes(error: Exception) -> None:
    assert passing(error)


@pytest.mark.parametrize("error", FINAL, ids=lambda e: type(e).__name__)
def test_it_does_not_pass(error: Exception) -> None:
    assert not passing(error)


def test_a_long_answer_is_cut_to_one_line() -> None:
    text = said(requests.HTTPError("x", response=answer(500)))
    assert text.startswith("HTTPError: HTTP 500")
    assert len(said(ValueError("a\n" * 10_000))) == 300
