"""The one error that the local cloud shows to people."""

from __future__ import annotations


class LocalCloudError(RuntimeError):
    """Something a person must know: the message says what is wrong, where, and what to do next."""
