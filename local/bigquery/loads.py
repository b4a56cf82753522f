"""Load jobs: objects are fetched by the Cloud Storage JSON API, and Parquet files must fit the schema."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local_bigquery.catalog import tables
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, runner, storage
from local_bigquery.models import TableSchema
from local_bigquery.settings import settings

from local.bigquery import partitions

fetched: ContextVar[dict[str, str]] = ContextVar("fetched", default={})  # noqa: B039 - never changed in place
"""gs:// URI to local copy, for the load job of this thread."""
DOWNLOADS = 4
TIMEOUT_SECONDS = 60


def object_url(endpoint: str, uri: str, **query: str) -> str:
    """Return the JSON API's address of one object."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    path = f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}"
    return f"{endpoint.rstrip('/')}{path}?{urllib.parse.urlencode(query)}"


def listed(endpoint: str, uri: str) -> list[str]:
    """Expand the wildcard of a gs:// URI by listing the bucket.

    Args:
        endpoint: the Cloud Storage emulator's address.
        uri: gs://bucket/prefix*suffix.

    Returns:
        The matching objects' URIs in order.

    Raises:
        BigQueryError: notFound when nothing matches.
    """
    bucket, _, pattern = uri.removeprefix("gs://").partition("/")
    wanted = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    found: list[str] = []
    query = {"prefix": pattern.split("*")[0], "fields": "items(name),nextPageToken"}
    while True:
        address = f"{endpoint.rstrip('/')}/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            page = json.load(answer)
        found += [
            f"gs://{bucket}/{item['name']}"
            for item in page.get("items", [])
            if wanted.fullmatch(item["name"])
        ]
        if not page.get("nextPageToken"):
            break
        query["pageToken"] = page["nextPageToken"]
    if not found:
        raise BigQueryError("notFound", f"Not found: Uris {uri}")
    return sorted(found)


def download(endpoint: str, uri: str, target: Path) -> str:
    """Fetch one object.

    Args:
        endpoint: the Cloud Storage emulator's address.
        uri: the object.
        target: the copy's path.

    Returns:
        The copy's path as text.

    Raises:
        BigQueryError: notFound when the object is not there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    address = object_url(endpoint, uri, alt="media")
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
            shutil.copyfileobj(answer, file, 1 << 20)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            raise BigQueryError("notFound", f"Not found: URI {uri}") from error
        raise BigQueryError(
            "invalid", f"Cannot read {uri}: the storage answered HTTP {error.code}."
        ) from error
    return str(target)


def copy_path(folder: Path, number: int, uri: str, config: Any) -> Path:
    """Choose where an object's copy lies.

    DuckDB takes every key=value folder for a column; BigQuery does so only for jobs with hive partitions.
    """
    name = uri.removeprefix("gs://")
    return folder / name if config.hivePartitioningOptions else folder / str(number) / Path(name).name


def with_downloads(run_load: Callable[..., Any]) -> Callable[..., Any]:
    """Give a load job local copies of its gs:// objects, which it reads several times."""

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        endpoint = storage._emulator("gs://")
        uris = config.sourceUris or []
        if endpoint is None or upload or not any(uri.startswith("gs://") for uri in uris):
            return run_load(cursor, config, upload)
        staging = settings.data_dir / "staging"
        staging.mkdir(parents=True, exist_ok=True)
        objects = [found for uri in uris for found in (listed(endpoint, uri) if "*" in uri else [uri])]
        objects = list(dict.fromkeys(objects))
        with tempfile.TemporaryDirectory(dir=staging) as folder, ThreadPoolExecutor(DOWNLOADS) as pool:
            targets = [copy_path(Path(folder), number, uri, config) for number, uri in enumerate(objects)]
            copies = pool.map(lambda uri, target: download(endpoint, uri, target), objects, targets)
            token = fetched.set(dict(zip(objects, copies, strict=True)))
            try:
                return run_load(cursor, config.replace(sourceUris=objects), upload)
            finally:
                fetched.reset(token)

    return run


def own_schema(run_load: Callable[..., Any]) -> Callable[..., Any]:
    """Load with the table's own schema when the job names none, as BigQuery does unless it truncates."""

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        given = config.schema_ and config.schema_.fields
        table, partition = partitions.split(tables.reference(config.destinationTable))
        keeps = partition is not None or (config.writeDisposition or "WRITE_APPEND") != "WRITE_TRUNCATE"
        if not given and not config.autodetect and keeps and tables.exists(*table):
            fields = tables.columns(*table)
            config = config.replace(schema_=TableSchema(fields=fields)) if fields else config
        return run_load(cursor, config, upload)

    return run


def local_paths(paths: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Read the local copy of an object that the job has fetched."""

    def run(cursor: Any, uri: str) -> list[str]:
        local = fetched.get().get(uri)
        return [local] if local else paths(cursor, uri)

    return run


def apply() -> None:
    """Install the load repairs; copies left behind by a killed server are removed."""
    shutil.rmtree(settings.data_dir / "staging", ignore_errors=True)
    storage.paths = load.paths = local_paths(storage.paths)
    load.run = runner.HANDLERS["load"] = with_downloads(own_schema(load.run))
