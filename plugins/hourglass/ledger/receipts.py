"""A copy of every ledger row on Cloud Storage, from which a lost ledger is rebuilt as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hourglass.cloud import gcs
from hourglass.ledger.row import LedgerRow
from hourglass.ledger.store import append, attempt_digest

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as Storage

    from hourglass.config import Platform


def record(storage: Storage, client: Client, platform: Platform, row: LedgerRow, token: str = "") -> bool:
    """Write a row's receipt, then append the row to the ledger, each exactly once for an attempt.

    The receipt comes first: killed between the two, the ledger lacks a row that a rebuild adds, and never the
    other way round.

    Args:
        storage: The storage client.
        client: The BigQuery client.
        platform: The deployment's names.
        row: The row.
        token: Tells the attempt from another one of the same run and number, as in `append`.

    Returns:
        False when the ledger had recorded this attempt already.
    """
    gcs.create_once(storage, platform.ops_bucket, receipt_name(row, token), row.to_json())
    return append(client, platform, row, token)


def receipts(storage: Storage, platform: Platform, source: str) -> list[LedgerRow]:
    """Every row of a source that left a receipt.

    Args:
        storage: The storage client.
        platform: The deployment's names.
        source: The source's id.
    """
    return [
        LedgerRow.from_mapping(document)
        for document in gcs.read_folder(storage, platform.ops_bucket, f"ledger/{source}/")
    ]


def receipt_name(row: LedgerRow, token: str = "") -> str:
    """Where a row's receipt lives in the ops bucket: one name for each attempt; `append` says what `token` is."""
    return f"ledger/{row.source}/{row.partition}/{attempt_digest(row, token)}.json"
