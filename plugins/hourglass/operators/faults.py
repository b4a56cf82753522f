"""What a task says when a service of Google's does not answer, or refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from hourglass.cloud.denied import Denied, denied_by, denied_of
from hourglass.cloud.retry import DependencyError, address_of, passing, said
from hourglass.failure import explain

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

_DEPTH = 8
# A trigger's failure, and a job's, reach the task as text.
_UNANSWERED = re.compile(
    r"asked (?:once|\d+ times) in \d+ s, the last answer was|Timeout of [\d.]+s exceeded|"
    r"\b(?:429|50[0234]) (?:GET|POST|PUT|DELETE) http"
)


def explained_failure(operator: BaseOperator, error: Exception, words: str = "") -> Exception:
    """The exception that a task should end with.

    Args:
        operator: The task's operator.
        error: What it raised.
        words: What else is known of the failure.

    Returns:
        The same exception where it explains itself or has another cause; an AirflowFailException, after which
        Airflow does not try again, for a refusal; an AirflowException for a service that does not answer.
    """
    if isinstance(error, AirflowFailException | AirflowSkipException) or "\n  runbook: " in str(error):
        return error
    if found := _explained(operator, list(_chain(error))):
        return found
    if not isinstance(error, AirflowException):
        return error
    text = f"{error}\n{words}"
    if refused := denied_by(text, only_if_clear=True):
        return _refusal(operator, refused, _last_line(text))
    if match := _UNANSWERED.search(text):
        line = next(line for line in text.splitlines() if match[0] in line)
        return _unanswered(operator, "a service of Google's", line.strip())
    return error


def of_a_service(text: str) -> bool:
    """Whether words tell of a service that did not answer, or refused.

    Args:
        text: What a library made of its client's error.
    """
    return bool(denied_by(text, only_if_clear=True) or _UNANSWERED.search(text))


def _chain(error: Any) -> Iterator[Exception]:
    for _ in range(_DEPTH):
        if not isinstance(error, Exception):
            return
        yield error
        inner = error.args[0] if error.args else None
        # The database interfaces keep the client's error as their own's argument.
        error = error.__cause__ or getattr(error, "cause", None) or inner


def _explained(operator: BaseOperator, errors: list[Exception]) -> Exception | None:
    """What the outermost of some errors means that says so; a refusal before a broken connection."""
    for error in errors:
        if isinstance(error, DependencyError):
            return _unanswered(operator, error.what, str(error))
        if refused := denied_of(error):
            return _refusal(operator, refused, refused.said)
    for error in errors:
        if passing(error):
            what = address_of(error) or "a service of Google's"
            return _unanswered(operator, what, f"it said {said(error)}")
    return None


def _unanswered(operator: BaseOperator, what: str, how: str) -> AirflowException:
    return AirflowException(
        explain(
            f"no proper answer from {what}: {how}",
            where=what,
            next_step="look at https://status.cloud.google.com and the project's quotas; Airflow tries again by "
            "itself; after its last try clear this task, which doubles nothing",
            heading="dependency-unavailable",
            runbook=_runbook(operator),
        )
    )


def _refusal(operator: BaseOperator, denied: Denied, words: str) -> AirflowFailException:
    principal = denied.principal or _principal(operator)
    resource = denied.resource or "the resource of this task"
    if denied.known:
        permission = denied.permission or "the permission"
        what = f"{principal} lacks {permission} on {resource}: {words}"
        step = f"grant {principal} a role that has {permission} on {resource}, then clear this task"
    else:
        what = f"the credentials of {principal} are not accepted: {words}"
        step = "correct the Airflow connection or the environment's service account, then clear this task"
    return AirflowFailException(
        explain(what, where=resource, next_step=step, heading="permission-denied", runbook=_runbook(operator))
    )


def _principal(operator: Any) -> str:
    """Who the task asks as: the account's address where its credentials have one."""
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    connection = getattr(operator, "gcp_conn_id", "google_cloud_default")
    try:
        credentials = GoogleBaseHook(gcp_conn_id=connection).get_credentials()
    except Exception:  # the failure that is being explained may be this one
        credentials = None
    email = getattr(credentials, "service_account_email", None)
    if email and email != "default":
        return str(email)
    return f"the account of Airflow connection {connection}"


def _runbook(operator: Any) -> str | None:
    source = getattr(operator, "source", None)
    return source.file.runbook if source else None


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
