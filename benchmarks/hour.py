"""One real hour of 200 events under `airflow dags test`, split by stage."""

from __future__ import annotations

import resource
import sys
import time

from benchmarks.cloud import empty_cloud


def main() -> None:
    """Run the hour twice in an instance of its own: the first run is cold, the second one warm."""
    with empty_cloud():
        from local.demo import HOURS, STAGES, land_once, run_hour

        land_once(HOURS[0])
        for name in ("first run", "second run"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            run = run_hour(HOURS[0])
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if run is None:
                sys.exit("the hour failed; its log is under .local/bench-cloud/logs")
            stages = "  ".join(f"{s} {run.seconds.get(s, 0):.1f}" for s in STAGES)
            print(f"{name}: {time.perf_counter() - started:.1f} s wall, {cpu:.1f} s CPU in Airflow; {stages}")


if __name__ == "__main__":
    main()
