"""An empty local cloud of the benchmarks' own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cloud import Cloud
from local.layout import Layout

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def empty_cloud() -> Iterator[Cloud]:
    """A running cloud without data, whose variables os.environ has and whose Airflow is prepared."""
    cloud = Cloud(Layout(ROOT, ROOT / ".local" / "bench-cloud"), lambda line: None)
    cloud.down()
    shutil.rmtree(cloud.layout.cloud, ignore_errors=True)
    cloud.up()
    try:
        os.environ.update(cloud.environment())
        cloud.airflow.prepare(cloud.environment(), lambda line: None)
        sys.path.insert(0, str(ROOT / "plugins"))
        yield cloud
    finally:
        cloud.down()
