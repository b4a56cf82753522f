"""Put generated partitions where their sources land, as if that had been long ago."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.cloud import storage

from local.cloud import Cloud

_XATTR = "user.metadata"  # where the local storage keeps an object's attributes


def upload(cloud: Cloud, bucket: str, folder: Path, moment: datetime) -> list[str]:
    """Upload every file below a folder that stands for a bucket, with a time of its own choosing.

    Args:
        cloud: The local cloud, whose storage keeps the times in files of its own.
        bucket: The bucket.
        folder: The folder; what begins with `_tally` is left out.
        moment: When the objects are said to have been written, so that no test waits for them to settle.

    Returns:
        The objects' names.
    """
    client = storage.Client()
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    names = [name for name in names if not name.startswith("_tally/")]
    for name in names:
        client.bucket(bucket).blob(name).upload_from_filename(str(folder / name))
        date(cloud, bucket, name, moment)
    return names


def date(cloud: Cloud, bucket: str, name: str, moment: datetime) -> None:
    """Say in the local storage's own record of an object that it was created and last written at a moment."""
    path = cloud.layout.data / "gcs" / bucket / name
    aside = path.with_name(f"{path.name}.metadata")
    text = aside.read_text() if aside.exists() else os.getxattr(path, _XATTR).decode()
    said = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    changed = json.dumps({**json.loads(text), "Created": said, "Updated": said})
    if aside.exists():
        aside.write_text(changed)
    else:
        os.setxattr(path, _XATTR, changed.encode())
    blob = storage.Client().bucket(bucket).get_blob(name)
    assert blob is not None
    assert abs(blob.time_created - moment) < timedelta(seconds=1), f"{name} still says {blob.time_created}"
    assert abs(blob.updated - moment) < timedelta(seconds=1), f"{name} still says {blob.updated}"
