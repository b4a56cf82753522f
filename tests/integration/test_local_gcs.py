"""The local Cloud Storage holds generation preconditions, on which the product relies."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import GoogleAPICallError, PreconditionFailed
from google.cloud import storage


@pytest.fixture
def blob(storage_client: storage.Client) -> storage.Blob:
    return storage_client.bucket("hourglass-ops").blob(f"test/{uuid.uuid4().hex}.txt")


def race(attempt: object, count: int = 24) -> list[int]:
    def one(number: int) -> int | None:
        try:
            attempt(number)  # type: ignore[operator]
        except PreconditionFailed:
            return None
        return number

    with ThreadPoolExecutor(count) as pool:
        return [won for won in pool.map(one, range(count)) if won is not None]


def test_one_of_many_create_only_writers_wins(blob: storage.Blob) -> None:
    def write(number: int) -> None:
        mine = blob.bucket.blob(blob.name)
        mine.upload_from_string(f"writer {number}", if_generation_match=0)

    winners = race(write)
    assert len(winners) == 1
    assert blob.download_as_text() == f"writer {winners[0]}"


def test_one_of_many_deletes_of_a_generation_wins(blob: storage.Blob) -> None:
    blob.upload_from_string("x")
    generation = blob.generation

    def delete(_: int) -> None:
        try:
            blob.bucket.blob(blob.name).delete(if_generation_match=generation)
        except GoogleAPICallError as error:
            raise PreconditionFailed("another was first") from error

    assert len(race(delete)) == 1


def test_stale_generation_changes_nothing(blob: storage.Blob, storage_client: storage.Client) -> None:
    blob.upload_from_string("first")
    stale = blob.generation
    blob.upload_from_string("second")
    other = blob.bucket.blob(f"{blob.name}.other")
    other.upload_from_string("other")
    for refused in (
        lambda: blob.upload_from_string("late", if_generation_match=stale),
        lambda: blob.delete(if_generation_match=stale),
        lambda: blob.download_as_bytes(if_generation_match=stale),
        lambda: blob.compose([other], if_generation_match=stale),
        lambda: blob.rewrite(other, if_generation_match=stale),
        lambda: blob.bucket.copy_blob(other, blob.bucket, blob.name, if_generation_match=stale),
        lambda: other.rewrite(blob, if_source_generation_match=stale),
    ):
        with pytest.raises(PreconditionFailed):
            refused()
    fresh = storage_client.bucket(blob.bucket.name).get_blob(blob.name)
    assert fresh is not None
    assert fresh.download_as_text() == "second"
    fresh.delete(if_generation_match=fresh.generation)
    assert not fresh.exists()
