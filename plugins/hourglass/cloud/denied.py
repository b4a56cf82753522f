"""Who may not do what, and where, from the errors of Google's services."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from hourglass.cloud.retry import address_of, passing, reason_of, said, status_of, words_of
from hourglass.cloud.tokens import refused_over_grpc

_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_NAME = r"[a-z]\w*(?:\.\w+){2,}"
_PERMISSIONS = (
    rf"(?i:permission):? '?(?P<it>{_NAME})'?",
    rf"does not have (?P<it>{_NAME})",
    r"does not have permission to (?P<it>.+?)(?:, or perhaps|\.(?:\s|$)|$)",
)
_RESOURCES = (
    r"denied on resource '?(?P<it>[^\s']+/[^\s']+)'?",
    r"denied on (?P<it>(?:table|dataset|project|job) [\w:.$-]+\w)",
    r"Access Denied: (?P<it>(?:Table|Dataset|Project|Job|BigQuery BigQuery:) [\w:.$-]+\w)",
    r"permission in (?P<it>project [\w:.-]+\w)",
)
# 403 as well, but a matter of amounts.
_AMOUNTS = ("quotaExceeded", "responseTooLarge", "billingTierLimitExceeded", "dailyLimitExceeded")
_TEXT = re.compile(
    r"Access Denied|PERMISSION_DENIED|PermissionDenied|Permission '?[\w.]+'? denied|\bForbidden: 403"
)


@dataclass(frozen=True, slots=True)
class Denied:
    """A refusal that asking again does not change.

    Args:
        said: The service's own words.
        principal: Who asked, where the service says so.
        permission: What it lacks, where the service says so.
        resource: Of which thing, as well as can be told.
        known: Whether the service knows who asked; False for a wrong, missing or revoked credential.
    """

    said: str
    principal: str | None = None
    permission: str | None = None
    resource: str | None = None
    known: bool = True


def denied_of(error: Exception) -> Denied | None:
    """What is refused, or None when an error says something else.

    Args:
        error: Of any of the clients.
    """
    from google.auth.exceptions import DefaultCredentialsError, RefreshError

    if passing(error):
        return None
    if isinstance(error, DefaultCredentialsError | RefreshError) or refused_over_grpc(error):
        return Denied(_refused_token(error), known=False)
    status = status_of(error)
    if status == 401:
        return Denied(said(error), resource=_thing(error), known=False)
    if status != 403 or reason_of(error) in _AMOUNTS:
        return None
    found = denied_by(words_of(error))
    details = _details(error)
    return Denied(
        said(error),
        found.principal if found else None,
        details.get("permission") or (found.permission if found else None),
        details.get("resource") or (found.resource if found else None) or _thing(error),
    )


def denied_by(text: str, only_if_clear: bool = False) -> Denied | None:
    """The same from words alone, as a failed job or a trigger's traceback has them.

    Args:
        text: The words.
        only_if_clear: Take them for a refusal only where they say so.
    """
    if only_if_clear and not _TEXT.search(text):
        return None
    email = re.search(_EMAIL, text)
    return Denied(text, email and email[0], _first(_PERMISSIONS, text), _first(_RESOURCES, text))


def _first(patterns: tuple[str, ...], text: str) -> str | None:
    found = (re.search(pattern, text) for pattern in patterns)
    return next((match["it"] for match in found if match), None)


def _details(error: Any) -> dict[str, str]:
    """Google's structured details, which not every service gives."""
    metadata = getattr(error, "metadata", None)
    return dict(metadata) if metadata else {}


def _thing(error: Exception) -> str | None:
    """The object, table or address that a request was for."""
    address = address_of(error)
    if address is None:
        return None
    found = re.search(r"/b/(?P<bucket>[^/]+)(?:/o(?:/(?P<name>[^/]+))?)?$", address)
    return f"gs://{found['bucket']}/{unquote(found['name'] or '')}" if found else address


def _refused_token(error: Exception) -> str:
    """Google's own words, without the copy of the whole answer."""
    first = error.args[0] if error.args else error
    return f"{type(error).__name__}: {first}"
