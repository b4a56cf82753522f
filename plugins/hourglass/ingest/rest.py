"""One GET at a time against a REST API that limits, fails and recovers."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_base, wait_random_exponential

log = logging.getLogger(__name__)

ATTEMPTS = 6
# Longer waits are the caller's: it can give its worker back meanwhile.
INLINE_SECONDS = 30.0
# A page is held in memory as a whole.
MOST_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_SHOWN_CHARACTERS = 200
_PASSING = (408, 425, 429)
_UNAUTHORIZED = (401, 403)


class ApiError(RuntimeError):
    """The API did not give the page."""


class UnauthorizedError(ApiError):
    """The API does not accept the token."""


class RefusedError(ApiError):
    """The API refuses the request for good."""


class UnreachableError(ApiError):
    """The API did not answer properly within the attempts."""


class BusyError(ApiError):
    """The API asks for a longer pause.

    Args:
        seconds: The pause it asks for.
        message: What it said.
    """

    def __init__(self, seconds: float, message: str) -> None:
        super().__init__(message)
        self.seconds = seconds


class _PassingError(Exception):
    """Worth another attempt."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RestApi:
    """A REST API behind one URL; a context manager that keeps its connection.

    Args:
        url: The endpoint.
        token: The bearer token; None for an open API.
        backoff_seconds: The unit of the exponential pauses with jitter.
    """

    def __init__(self, url: str, token: str | None = None, backoff_seconds: float = 1.0) -> None:
        self.url = url
        self._headers = {"Accept": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        self._wait = _Wait(wait_random_exponential(multiplier=backoff_seconds, max=INLINE_SECONDS))

    def __enter__(self) -> Self:
        timeout = httpx.Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS)
        # No redirects: they could carry the token to another host.
        self._client = httpx.Client(headers=self._headers, timeout=timeout, follow_redirects=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, query: dict[str, str]) -> bytes:
        """Ask until there is an answer.

        Args:
            query: The parameters, which join those of the URL.

        Returns:
            The body of a 200.

        Raises:
            UnauthorizedError: 401 or 403.
            RefusedError: Any other answer that trying again would not change.
            BusyError: 429 or 503 with a Retry-After longer than a worker should wait.
            UnreachableError: Every attempt ended in a server's error, a timeout or a broken connection.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(_PassingError),
            wait=self._wait,
            stop=stop_after_attempt(ATTEMPTS),
            before_sleep=_say,
            reraise=True,
        )
        try:
            return retrying(self._ask, query)
        except _PassingError as error:
            raise UnreachableError(f"{error}, the last of {ATTEMPTS} attempts") from None

    def _ask(self, query: dict[str, str]) -> bytes:
        try:
            with self._client.stream("GET", httpx.URL(self.url).copy_merge_params(query)) as response:
                body = _read(response)
        except httpx.TransportError as error:
            raise _PassingError(f"{type(error).__name__}: {error}") from None
        if response.status_code == 200:
            return body
        raise _fault(response, body)


def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise RefusedError(
                f"the answer is longer than {MOST_BYTES} bytes; ask for smaller pages by "
                "ingestion.pagination.page_size"
            )
    return bytes(body)


def _fault(response: httpx.Response, body: bytes) -> Exception:
    """What an answer other than 200 means."""
    status = response.status_code
    text = body.decode("utf-8", "replace")[:_SHOWN_CHARACTERS]
    said = f"HTTP {status} {response.reason_phrase}: {text}"
    if status in _UNAUTHORIZED:
        return UnauthorizedError(said)
    if status not in _PASSING and status < 500:
        place = response.headers.get("location")
        return RefusedError(f"{said} (redirects to {place})" if place else said)
    pause = retry_after(response.headers.get("retry-after"), datetime.now(tz=UTC))
    if pause is not None and pause > INLINE_SECONDS:
        return BusyError(pause, f"{said} (Retry-After: {pause:.0f} s)")
    return _PassingError(said, pause)


def retry_after(header: str | None, now: datetime) -> float | None:
    """The pause that a Retry-After header asks for.

    Args:
        header: Seconds, or an HTTP date.
        now: The current time.

    Returns:
        Seconds, at least 0; None when there is no header or it is neither.
    """
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


class _Wait(wait_base):
    """The pause the API asks for, or else the usual one."""

    def __init__(self, usual: wait_base) -> None:
        self.usual = usual

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, _PassingError) else None
        return self.usual(retry_state) if asked is None else asked


def _say(retry_state: RetryCallState) -> None:
    error = retry_state.outcome.exception() if retry_state.outcome else None
    log.warning("Attempt %d: %s; asking again", retry_state.attempt_number, error)
