"""How long Google's services are asked again when they limit, fail or keep silent, and what is said then.

Whatever is asked again here may have been done already, its answer lost: jobs and batches have ids, objects have
preconditions or the same content, cells have timestamps.
"""

from __future__ import annotations

import functools
import http.client
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.api_core.retry import Retry, exponential_sleep_generator, retry_target
from google.api_core.retry.retry_base import RetryFailureReason

from hourglass.cloud.tokens import STATUSES, refresh_passes, refused_over_grpc

log = logging.getLogger(__name__)

# Google says these with status 403 or 400, though they pass.
_REASONS = ("rateLimitExceeded", "userRateLimitExceeded", "jobRateLimitExceeded", "backendError")
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds of asking again.

    Args:
        first_s: The longest first pause, seconds; each is drawn between 0 and its longest.
        longest_s: The longest of all, unless the service asks for a longer one by Retry-After.
        total_s: No attempt starts later than this after the first.
        request_s: How long one request may stay unanswered.
    """

    first_s: float = 1.0
    longest_s: float = 32.0
    total_s: float = 240.0
    request_s: float = 90.0


PATIENCE = Patience()


class DependencyError(RuntimeError):
    """A service did not answer properly, however often it was asked.

    Args:
        what: What was asked.
        attempts: How often.
        seconds: For how long.
        last: Its last answer.
    """

    def __init__(self, what: str, attempts: int, seconds: float, last: Exception) -> None:
        times = "once" if attempts == 1 else f"{attempts} times"
        super().__init__(f"asked {times} in {seconds:.0f} s, the last answer was {said(last)}")
        self.what = what
        self.attempts = attempts
        self.seconds = seconds
        self.last = last


class Patiently(Retry):
    """The retry policy for one call; for a client's own `retry` argument.

    Args:
        what: What is asked; of a request over HTTP its method and address say it.
        kwargs: Of google.api_core's Retry.
    """

    def __init__(self, what: str = "", **kwargs: Any) -> None:
        bounds = {
            "initial": PATIENCE.first_s,
            "maximum": PATIENCE.longest_s,
            "timeout": PATIENCE.total_s,
            "predicate": passing,
        }
        super().__init__(**{**bounds, **kwargs})
        self._what = what

    def __call__(self, func: Callable[..., Any], on_error: Any = None) -> Callable[..., Any]:
        """The function, asked again while its errors pass."""

        @functools.wraps(func)
        def asked(*args: Any, **kwargs: Any) -> Any:
            started = time.monotonic()
            heard: list[Exception] = []

            def hear(error: Exception) -> None:
                heard.append(error)
                log.warning("Attempt %d: %s; asking again", len(heard), said(error))

            def give_up(
                errors: list[Exception], reason: RetryFailureReason, _: float | None
            ) -> tuple[Exception, Exception | None]:
                if reason is not RetryFailureReason.TIMEOUT:
                    return errors[-1], None
                seconds = time.monotonic() - started
                what = self._what or address_of(errors[-1]) or "a service of Google's"
                return DependencyError(what, len(errors), seconds, errors[-1]), errors[-1]

            return retry_target(
                functools.partial(func, *args, **kwargs),
                self._predicate,
                self._pauses(heard),
                timeout=self._timeout,
                on_error=hear,
                exception_factory=give_up,
            )

        return asked

    def _pauses(self, heard: list[Exception]) -> Iterator[float]:
        for usual in exponential_sleep_generator(self._initial, self._maximum, self._multiplier):
            yield max(usual, _asked_pause(heard[-1]))


def patiently(what: str = "") -> dict[str, Any]:
    """Arguments that bound one call of a Google client: its retry policy and the timeout of each request.

    Args:
        what: As `Patiently` takes it.
    """
    return {"retry": Patiently(what), "timeout": PATIENCE.request_s}


def passing(error: Exception) -> bool:
    """Whether asking again can change the answer."""
    import requests
    from google.auth.exceptions import RefreshError, TransportError
    from urllib3.exceptions import ProtocolError
    from urllib3.exceptions import TimeoutError as HttpTimeoutError

    if isinstance(error, requests.exceptions.SSLError):
        return False
    if isinstance(error, RefreshError):
        return refresh_passes(error)
    if refused_over_grpc(error):
        return False
    broken = (ConnectionError, TimeoutError, requests.ConnectionError, requests.Timeout, TransportError)
    cut = (
        requests.exceptions.ChunkedEncodingError,
        http.client.HTTPException,
        ProtocolError,
        HttpTimeoutError,
    )
    return isinstance(error, broken + cut) or status_of(error) in STATUSES or reason_of(error) in _REASONS


def status_of(error: Exception) -> int | None:
    """The HTTP status of an error, of whichever client; that of a gRPC error as Google maps it."""
    if isinstance(error, GoogleAPICallError):
        return None if error.code is None else int(error.code)
    answer = getattr(error, "response", None)
    if answer is None:
        answer = getattr(error, "resp", None)
    status = getattr(answer, "status_code", None) or getattr(answer, "status", None)
    return int(status) if status is not None else None


def reason_of(error: Exception) -> str | None:
    """The word that Google's JSON errors have for a reason."""
    errors = getattr(error, "errors", None) or [{}]
    first = errors[0]
    return first.get("reason") if isinstance(first, dict) else None


def address_of(error: Exception) -> str | None:
    """Method and address of the request over HTTP that an error answers, without its query."""
    request = getattr(getattr(error, "response", None), "request", None) or getattr(error, "request", None)
    url = getattr(request, "url", None)
    return f"{request.method} {url.partition('?')[0]}" if request is not None and url else None


def said(error: Exception) -> str:
    """What a service said, in one line that is not too long."""
    return words_of(error)[:_SHOWN_CHARACTERS]


def words_of(error: Exception) -> str:
    """All that a service said, in one line."""
    answer: Any = getattr(error, "response", None)
    text = " ".join(str(error).split())
    if not isinstance(error, GoogleAPICallError) and hasattr(answer, "status_code"):
        text = f"HTTP {answer.status_code}: {' '.join(str(answer.text).split())}"
    return f"{type(error).__name__}: {text}"


def _asked_pause(error: Exception) -> float:
    """The pause, in seconds, that a service asks for by Retry-After; 0 when it asks for none."""
    from hourglass.ingest.rest import retry_after

    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return retry_after(headers.get("Retry-After"), datetime.now(tz=UTC)) or 0.0
