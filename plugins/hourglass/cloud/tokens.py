"""Whether a failure to get a token passes: google-auth says a refusal and an outage with one exception."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.api_core.exceptions import ServiceUnavailable

STATUSES = (408, 429, 500, 502, 503, 504)
_DEPTH = 8
# As IAM's JSON, an HTML page of a proxy and google-auth itself write a status; there is no field for it.
_STATUS = re.compile(r"(?i)\b(?:error|status|code)\W{1,4}(?P<it>[45]\d\d)\b")
_REFUSED = re.compile(r"(?i)\b(?:invalid_(?:grant|client|scope)|unauthorized|account not found)")
# gRPC says so of whatever google-auth raises, and its status is always UNAVAILABLE.
_PLUGIN = "Getting metadata from plugin failed"


def refresh_passes(error: Exception) -> bool:
    """Whether another try can get the token that google-auth did not get.

    Args:
        error: A RefreshError. Its `retryable` is no answer: it is False for a metadata server that is away, and for
            every answer of IAM's to an impersonation.
    """
    from google.auth.exceptions import TransportError

    if getattr(error, "retryable", False):
        return True
    for cause in _chain(error):
        if isinstance(cause, TransportError):
            # With the server's answer where it gave one that is final: no such account, for instance.
            return all(status in STATUSES for status in _answered(cause))
    return _status_in(_words(error)) in STATUSES


def refused_over_grpc(error: Exception) -> bool:
    """Whether a gRPC call failed because its token was refused, though its status is that of an outage.

    Args:
        error: What the client raised.
    """
    text = str(error)
    if not isinstance(error, ServiceUnavailable) or _PLUGIN not in text:
        return False
    status = _status_in(text)
    if status is not None:
        return status not in STATUSES
    return _REFUSED.search(text) is not None


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: object = error
    for _ in range(_DEPTH):
        if not isinstance(found, BaseException):
            return
        yield found
        inner = found.args[0] if found.args else None
        found = found.__cause__ or (inner if isinstance(inner, BaseException) else found.__context__)


def _answered(error: BaseException) -> list[int]:
    """The status of the answer that an error carries, if it does."""
    found = [getattr(argument, "status", None) for argument in error.args]
    return [status for status in found if isinstance(status, int)]


def _words(error: BaseException) -> str:
    return " ".join(map(str, error.args))


def _status_in(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found["it"]) if found else None
