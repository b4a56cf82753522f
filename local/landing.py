"""Put files where a source's partition expects them, in the emulator or in a real bucket."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LocalCloudError

if TYPE_CHECKING:
    from google.cloud.storage import Client


def land(source: str, partition: str, files: Sequence[Path], include: Path) -> list[str]:
    """Upload files under the prefix of one partition; each keeps its own name.

    The environment decides where: STORAGE_EMULATOR_HOST, or else Google with the default credentials.

    Args:
        source: the source's id.
        partition: the partition's key, such as 2021-07-21T06.
        files: what to upload.
        include: the folder of the sources.

    Returns:
        The objects' URIs.

    Raises:
        LocalCloudError: a file, the source, the partition or the bucket is wrong; nothing was uploaded
            when a file, the source or the partition is.
    """
    _check_files(files)
    bucket, prefix = _destination(source, partition, include)
    return [_upload(_client(), file, bucket, prefix) for file in files]


def _check_files(files: Sequence[Path]) -> None:
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise LocalCloudError(f"no such file: {', '.join(missing)}; nothing was landed")
    names = [file.name for file in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LocalCloudError(
            f"two files are named {', '.join(twice)}, and one would replace the other; "
            "rename one; nothing was landed"
        )


def _destination(source: str, partition: str, include: Path) -> tuple[str, str]:
    from hourglass.config import ConfigError, load_source
    from hourglass.partition import Partition

    try:
        loaded = load_source(source, include)
        bucket, prefixes = loaded.prefixes(Partition.parse(partition, loaded.grain))
    except (ConfigError, ValueError) as error:
        raise LocalCloudError(f"{error}\nNothing was landed.") from error
    if len(loaded.file.ingestion.table_names) > 1:
        folders = ", ".join(f"gs://{bucket}/{prefix}" for prefix in prefixes)
        raise LocalCloudError(
            f"{source} has a folder for each of its tables: {folders}; put the files there yourself"
        )
    return bucket, prefixes[0]


def _client() -> Client:
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    try:
        return storage.Client()
    except (DefaultCredentialsError, OSError) as error:
        raise LocalCloudError(
            f"there are no credentials for Google Cloud: {error}\n"
            "To land in the local cloud use `make land` without CLOUD=google."
        ) from error


def _upload(client: Client, file: Path, bucket: str, prefix: str) -> str:
    from google.api_core.exceptions import GoogleAPICallError

    name = f"{prefix.rstrip('/')}/{file.name}" if prefix else file.name
    try:
        client.bucket(bucket).blob(name).upload_from_filename(str(file))
    except GoogleAPICallError as error:
        raise LocalCloudError(f"{file} could not be put at gs://{bucket}/{name}: {error.message}") from error
    return f"gs://{bucket}/{name}"
