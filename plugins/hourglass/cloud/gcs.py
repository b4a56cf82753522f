"""Listing, create-only writes and small JSON files on GCS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hourglass.cloud.retry import patiently
from hourglass.partition import Manifest, SourceObject

if TYPE_CHECKING:
    from google.cloud.storage import Client


def client(gcp_conn_id: str = "google_cloud_default") -> Client:
    """The storage client of an Airflow connection; STORAGE_EMULATOR_HOST redirects it.

    Args:
        gcp_conn_id: The Airflow connection.
    """
    from airflow.providers.google.cloud.hooks.gcs import GCSHook

    return GCSHook(gcp_conn_id=gcp_conn_id).get_conn()


def list_objects(storage: Client, bucket: str, prefix: str) -> list[SourceObject]:
    """All objects under a prefix, in name order; folder placeholders are left out."""
    fields = "items(name,generation,size,updated,timeCreated),nextPageToken"
    return [
        SourceObject(b.name, int(b.generation), int(b.size), b.updated, b.time_created)
        for b in storage.list_blobs(bucket, prefix=prefix, fields=fields, **patiently())
        if not b.name.endswith("/")
    ]


def create_once(storage: Client, bucket: str, name: str, content: str | bytes) -> bool:
    """Write an object only if it does not exist yet.

    Returns:
        Whether this call created it; False means that it was there already, be it by this call's first
        request, whose answer was lost. So the name must determine the content.
    """
    from google.api_core.exceptions import PreconditionFailed

    blob = storage.bucket(bucket).blob(name)
    try:
        blob.upload_from_string(
            content, content_type=_content_type(name), if_generation_match=0, **patiently()
        )
    except PreconditionFailed:
        return False
    return True


def write(storage: Client, bucket: str, name: str, content: str) -> None:
    """Write an object, replacing what was there."""
    blob = storage.bucket(bucket).blob(name)
    blob.upload_from_string(content, content_type=_content_type(name), **patiently())


def read_text(storage: Client, bucket: str, name: str) -> str | None:
    """The content of a small object, or None when it is not there."""
    from google.api_core.exceptions import NotFound

    try:
        return str(storage.bucket(bucket).blob(name).download_as_text(**patiently()))
    except NotFound:
        return None


def last_line(storage: Client, uri: str, most: int = 4096) -> str:
    """The last line of a text that lies in numbered parts, as Dataproc leaves a driver's output.

    Args:
        storage: A client.
        uri: What the parts' names begin with.
        most: How many bytes of the end are read.

    Returns:
        The line without the space around it; nothing where there are no parts.
    """
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    parts = [part for part in list_objects(storage, bucket, prefix) if part.size]
    if not parts:
        return ""
    blob = storage.bucket(bucket).blob(parts[-1].name)
    end = blob.download_as_bytes(start=max(parts[-1].size - most, 0), **patiently())
    lines = end.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def replaced_objects(storage: Client, manifest: Manifest) -> list[str]:
    """The objects of a manifest that are no longer there as it has them, by URI, in name order."""
    folders = {o.name.rpartition("/")[0] for o in manifest.objects}
    listed = (o for folder in folders for o in list_objects(storage, manifest.bucket, folder))
    there = {f"gs://{manifest.bucket}/{o.name}": o.generation for o in listed}
    return [uri for uri, generation in manifest.generations().items() if there.get(uri) != generation]


def read_json(storage: Client, uri: str) -> dict[str, Any]:
    """A JSON object by its `gs://` URI.

    Raises:
        FileNotFoundError: The object is not there.
    """
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    text = read_text(storage, bucket, name)
    if text is None:
        raise FileNotFoundError(f"{uri} does not exist; clear the task that writes it")
    document: dict[str, Any] = json.loads(text)
    return document


def read_folder(storage: Client, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Every JSON object under a prefix."""
    for found in list_objects(storage, bucket, prefix):
        text = read_text(storage, bucket, found.name)
        if text is not None:
            yield json.loads(text)


def _content_type(name: str) -> str:
    return "application/json" if name.endswith(".json") else "text/plain; charset=utf-8"
