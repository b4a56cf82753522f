"""On PYTHONPATH, Airflow's scheduler imports what tasks need before it forks its workers.

Otherwise each task of LocalExecutor imports it anew, which is most of what a small task costs. Python imports a module
of this name as it starts, in every process; the others leave it at that.
"""

from pathlib import Path

_COMMAND = Path("/proc/self/cmdline").read_bytes().split(b"\0")
if b"airflow" in _COMMAND and b"scheduler" in _COMMAND:
    import importlib

    from tests.chaos.preload import MODULES

    for name in MODULES:
        importlib.import_module(name)
