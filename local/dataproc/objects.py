"""Objects of the local GCS that a batch names: its files come from there, its output goes there."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

_RETRY = DEFAULT_RETRY.with_timeout(20.0)
_TIMEOUT_SECONDS = 30.0


class ObjectError(Exception):
    """An object could not be read or written; the message says which and why."""


class Objects:
    """Reads and writes objects by URI.

    Args:
        endpoint: the local GCS, such as http://127.0.0.1:4443.
        project: Google Cloud project id.
    """

    def __init__(self, endpoint: str, project: str) -> None:
        self._endpoint = endpoint
        self._client = storage.Client(
            project=project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": endpoint},
        )

    def fetch(self, uri: str, target: Path) -> None:
        """Copy the file behind a gs:// or file:// URI to `target`.

        Raises:
            ObjectError: there is no such file, or the local GCS did not answer.
        """
        parts = urlsplit(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if parts.scheme == "gs":
                blob = self._client.bucket(parts.netloc).blob(_key(uri))
                blob.download_to_filename(str(target), retry=_RETRY, timeout=_TIMEOUT_SECONDS)
            elif parts.scheme == "file":
                shutil.copyfile(unquote(parts.path), target)
            else:
                raise ObjectError(f"No FileSystem for scheme of {uri}: use gs:// or file://")
        except (NotFound, FileNotFoundError) as error:
            raise ObjectError(f"java.io.FileNotFoundException: File not found : {uri}") from error
        except (GoogleAPICallError, RetryError, OSError) as error:
            raise ObjectError(f"{uri} could not be read from {self._endpoint}: {error}") from error

    def put(self, source: Path, uri: str) -> None:
        """Copy a local file to a gs:// URI.

        Raises:
            ObjectError: the local GCS did not take it.
        """
        blob = self._client.bucket(urlsplit(uri).netloc).blob(_key(uri))
        try:
            blob.upload_from_filename(
                str(source), content_type="text/plain", retry=_RETRY, timeout=_TIMEOUT_SECONDS
            )
        except (GoogleAPICallError, RetryError, OSError) as error:
            raise ObjectError(f"{uri} could not be written to {self._endpoint}: {error}") from error


def _key(uri: str) -> str:
    """Give the object's name: all after the bucket, taken literally (a name may hold `?`, `#` or `%`)."""
    return uri.removeprefix("gs://").partition("/")[2]
