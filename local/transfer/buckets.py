"""The few calls to the local GCS's JSON API that copying takes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SECONDS = 60.0


class BucketError(RuntimeError):
    """GCS refused a call."""


class Buckets:
    """Listing and copying.

    Args:
        endpoint: the local GCS, such as http://127.0.0.1:4443.
    """

    def __init__(self, endpoint: str) -> None:
        self._base = f"{endpoint.rstrip('/')}/storage/v1/b"

    def list(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Every object below a prefix.

        Raises:
            BucketError: there is no such bucket.
        """
        query = {"prefix": prefix}
        while True:
            found = self._call("GET", f"{self._base}/{quote(bucket)}/o?{urlencode(query)}")
            yield from found.get("items", [])
            if not (token := found.get("nextPageToken")):
                return
            query["pageToken"] = token

    def find(self, bucket: str, name: str) -> dict[str, Any] | None:
        """An object's metadata, or None when it is not there."""
        try:
            return self._call("GET", f"{self._base}/{quote(bucket)}/o/{quote(name, safe='')}")
        except BucketError:
            return None

    def copy(self, bucket: str, name: str, to_bucket: str, to_name: str) -> None:
        """Copy one object.

        Raises:
            BucketError: it cannot be read or written.
        """
        source = f"{self._base}/{quote(bucket)}/o/{quote(name, safe='')}"
        self._call("POST", f"{source}/rewriteTo/b/{quote(to_bucket)}/o/{quote(to_name, safe='')}")

    def _call(self, method: str, url: str) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  the endpoint is our own
            url,
            method=method,
            data=b"{}" if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        try:
            with _DIRECT.open(request, timeout=_SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, ValueError) as error:
            raise BucketError(f"{method} {url}: {error}") from None
