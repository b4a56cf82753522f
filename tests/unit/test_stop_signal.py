"""A server that is told to stop stops, whenever and in whichever thread the signal comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BEFORE_THE_WAIT = """
    os.kill(os.getpid(), number)
"""
# What the kernel may do with a signal to the process; the main thread sleeps on.
IN_ANOTHER_THREAD = """
    import threading, time
    def later():
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), number)
        time.sleep(60)
    threading.Thread(target=later, daemon=True).start()
"""
PROGRAM = """
import os, signal
from local.dataproc.stop_signal import stop_signal
number = signal.{name}
with stop_signal() as stopped:
{signalled}
    os.read(stopped, 1)
    os._exit(7)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("signalled", [BEFORE_THE_WAIT, IN_ANOTHER_THREAD], ids=["before", "other-thread"])
def test_a_signal_ends_the_wait(name: str, signalled: str) -> None:
    program = PROGRAM.format(name=name, signalled=signalled)
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, check=False).returncode == 7


def test_the_handlers_of_before_are_back_afterwards() -> None:
    program = """
import signal
from local.dataproc.stop_signal import STOPPED_BY, stop_signal
before = [signal.getsignal(number) for number in STOPPED_BY]
with stop_signal():
    assert [signal.getsignal(number) for number in STOPPED_BY] != before
assert [signal.getsignal(number) for number in STOPPED_BY] == before
assert signal.set_wakeup_fd(-1) == -1
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, check=True)
