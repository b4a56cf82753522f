"""The ledger: one append-only row for every attempt at a partition."""

from hourglass.ledger.row import LedgerRow, stage_of, summarize

__all__ = ["LedgerRow", "stage_of", "summarize"]
