"""Principal, permission and resource in the words of Google's services."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from hourglass.cloud.denied import denied_by, denied_of

ROBOT = "etl@shop.iam.gserviceaccount.com"
WORDS = {
    f"{ROBOT} does not have storage.objects.get access to the Google Cloud Storage object. Permission "
    "'storage.objects.get' denied on resource (or it may not exist).": (ROBOT, "storage.objects.get", None),
    "Access Denied: Table shop:silver.github: Permission bigquery.tables.getData denied on table "
    "shop:silver.github (or it may not exist).": (
        None,
        "bigquery.tables.getData",
        "table shop:silver.github",
    ),
    "Access Denied: Project shop: User does not have bigquery.jobs.create permission in project shop.": (
        None,
        "bigquery.jobs.create",
        "Project shop",
    ),
    "Access Denied: Table shop:silver.github: User does not have permission to query table "
    "shop:silver.github, or perhaps it does not exist.": (
        None,
        "query table shop:silver.github",
        "Table shop:silver.github",
    ),
    "Permission 'dataproc.batches.create' denied on resource "
    "'//dataproc.googleapis.com/projects/shop/locations/us-central1' (or it may not exist).": (
        None,
        "dataproc.batches.create",
        "//dataproc.googleapis.com/projects/shop/locations/us-central1",
    ),
    "Access denied. Missing IAM permission: bigtable.tables.mutateRows.": (
        None,
        "bigtable.tables.mutateRows",
        None,
    ),
}


@pytest.mark.parametrize(("words", "expected"), WORDS.items(), ids=[str(v[1]) for v in WORDS.values()])
def test_googles_words_are_understood(words: str, expected: tuple[str | None, ...]) -> None:
    found = denied_of(exceptions.Forbidden(words))
    assert found is not None
    assert (found.principal, found.permission, found.resource) == expected
    assert found.known


def of(status: int, url: str, body: Any = "", method: str = "GET") -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer._content = json.dumps(body).encode()
    answer.request = requests.Request(method, url).prepare()
    return answer


def test_the_object_is_in_the_address() -> None:
    url = "https://storage.googleapis.com/storage/v1/b/raw/o/github%2Fa.json?alt=media"
    found = denied_of(exceptions.Forbidden("no", response=of(403, url)))
    assert found is not None
    assert found.resource == "gs://raw/github/a.json"


def test_an_answer_of_the_catalog_is_a_refusal() -> None:
    body = {
        "error": {
            "code": 403,
            "message": "Permission 'biglake.tables.drop' denied on resource 'projects/p/c'",
        }
    }
    error = requests.HTTPError("403", response=of(403, "https://biglake.googleapis.com/iceberg/v1/x", body))
    found = denied_of(error)
    assert found is not None
    assert (found.permission, found.resource) == ("biglake.tables.drop", "projects/p/c")


@pytest.mark.parametrize(
    "error",
    [
        RefreshError("invalid_grant: Invalid JWT Signature.", {"error": "invalid_grant"}),
        DefaultCredentialsError("Your default credentials were not found."),
        exceptions.Unauthorized("Request had invalid authentication credentials."),
        exceptions.Unauthenticated("Request had invalid authentication credentials."),
    ],
    ids=lambda e: type(e).__name__,
)
def test_a_wrong_credential_is_a_refusal_of_nobody_known(error: Exception) -> None:
    found = denied_of(error)
    assert found is not None
    assert not found.known


@pytest.mark.parametrize(
    "error",
    [
        exceptions.Forbidden("slow down", errors=[{"reason": "rateLimitExceeded"}]),
        exceptions.Forbidden("too much", errors=[{"reason": "quotaExceeded"}]),
        exceptions.NotFound("gone"),
        exceptions.ServiceUnavailable("busy"),
        ValueError("x"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_everything_else_is_none(error: Exception) -> None:
    assert denied_of(error) is None


def test_words_alone_must_be_clear() -> None:
    assert denied_by("the load job failed: field a is no INT64", only_if_clear=True) is None
    found = denied_by("BigQuery job x failed: Access Denied: Dataset shop:gold: …", only_if_clear=True)
    assert found is not None
    assert found.resource == "Dataset shop:gold"
