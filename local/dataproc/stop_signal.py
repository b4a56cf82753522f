"""Waits for SIGTERM or SIGINT, and misses none that comes a moment before the wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPPED_BY = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_signal() -> Iterator[int]:
    """Take STOPPED_BY for the length of the block; only the main thread may.

    A handler that sets a threading.Event is not enough: Python runs it in the main thread, and a signal that
    comes when that thread is about to sleep, or that the kernel gives to another thread, wakes nobody. A
    byte in a pipe is there whenever it is looked for.

    Yields:
        A file descriptor: os.read(it, 1) returns when the first signal has come.

    Raises:
        ValueError: called outside of the main thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # what signal.set_wakeup_fd asks for
    wakeup_before = signal.set_wakeup_fd(writing)
    handlers_before = {number: signal.signal(number, lambda *_: None) for number in STOPPED_BY}
    try:
        yield reading
    finally:
        for number, handler in handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup_before)
        os.close(reading)
        os.close(writing)
