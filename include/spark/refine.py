"""Refine: one partition's raw objects become silver rows and quarantined rows in Iceberg.

Run as `spark-submit refine.py SPEC_URI`. Everything that depends on the environment (catalog, file systems,
memory) arrives as Spark properties. DESIGN.md's law 1 is checked at the end: lines = silver + quarantined +
duplicates, each counted on its own.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import StorageLevel
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

import hg_classify
import hg_expressions
import hg_generations
import hg_permissive
import hg_pii
import hg_read
import hg_rows
import hg_schema
import hg_settled
import hg_write
from hg_spec import RefineError, Spec, parse_spec

UNREADABLE = ("java.io.", "java.util.zip.")  # what a damaged object makes Spark's reader throw


@dataclass
class Progress:
    """Says what each phase did and keeps its seconds for the outcome."""

    label: str
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[list[str]]:
        """Time a phase; what the body appends to the list is printed with the seconds."""
        begin = time.monotonic()
        words: list[str] = []
        yield words
        self.seconds[name] = round(time.monotonic() - begin, 3)
        self.say(f"{name}: {' '.join(words)} ({self.seconds[name]:.1f} s)")

    def say(self, text: str) -> None:
        """Print one line."""
        sys.stdout.write(f"{self.label} | {text}\n")
        sys.stdout.flush()


def run(spark: SparkSession, spec: Spec) -> dict[str, Any]:
    """Refine one partition.

    Args:
        spark: the session, with the tables' catalog configured.
        spec: the batch's spec.

    Returns:
        The outcome, as it was written to the spec's outcome URI.

    Raises:
        RefineError: the configuration is wrong, an object was replaced, or the counts do not add up.
    """
    progress = Progress(f"refine {spec.source} {spec.partition}")
    for key, value in hg_classify.SESSION.items():
        spark.conf.set(key, value)
    with progress.phase("prepare") as words:
        hg_schema.check_names(spec)
        hg_expressions.check_expressions(spark, spec)
        hg_pii.check(spec)
        silver_columns, bad_columns = hg_schema.silver_type(spec), hg_schema.quarantine_type()
        hg_write.ensure_table(spark, spec.silver_table, silver_columns)
        hg_write.ensure_table(spark, spec.quarantine_table, bad_columns)
        words.append(f"{spec.silver_table} and {spec.quarantine_table} are ready")
    with progress.phase("read") as words:
        judged = _read(spark, spec, progress)
        tally = judged.tally
        words.append(f"{tally.lines} lines in {len(spec.objects)} objects, {tally.bad} to quarantine")
    try:
        with progress.phase("verify") as words:
            words.append(f"{hg_generations.verify(spark, spec)} objects have the manifest's generation")
        numbered = hg_rows.Numbered(spark, spec, judged.rows, tally)
        with progress.phase("deduplicate") as words:
            duplicates = numbered.find_duplicates()
            words.append(f"{duplicates} duplicates" + (f" by {', '.join(spec.key)}" if spec.key else ""))
        with progress.phase("silver") as words:
            tasks = hg_rows.write_tasks(spark, spec)
            silver = hg_write.overwrite(numbered.silver(), spec, spec.silver_table, silver_columns, tasks)
            words.append(f"{silver.rows} rows in {len(silver.files)} files")
        with progress.phase("quarantine") as words:
            bad_tasks = 1 + tally.bad_bytes // hg_write.TARGET_FILE_BYTES
            bad = hg_write.overwrite(
                numbered.quarantined(), spec, spec.quarantine_table, bad_columns, bad_tasks
            )
            words.append(f"{bad.rows} rows in {len(bad.files)} files")
        outcome = _outcome(spec, tally, numbered, duplicates, silver, bad, progress)
    finally:
        judged.release()
    _check(spec, outcome["counts"])
    hg_write.write_json(spark, spec.outcome, outcome)
    counts = outcome["counts"]
    progress.say(
        f"done: {counts['lines']} lines = {counts['silver']} silver + {counts['quarantined']} quarantined + "
        f"{counts['duplicates']} duplicates in {sum(progress.seconds.values()):.1f} s"
    )
    return outcome


@dataclass
class Judged:
    """The judged lines, their counts, and what is persisted for them."""

    rows: DataFrame
    held: list[DataFrame]
    tally: hg_rows.Tally = field(default_factory=hg_rows.Tally)

    def release(self) -> None:
        """Give back the disk space."""
        for frame in self.held:
            frame.unpersist()


def _read(spark: SparkSession, spec: Spec, progress: Progress) -> Judged:
    """Read, parse and judge every line once, and keep the result for the writes."""
    try:
        return _read_once(spark, spec, frozenset())
    except (AnalysisException, Py4JJavaError) as error:
        hg_generations.verify(spark, spec)  # an object that is gone or was replaced explains any failure
        if "PATH_NOT_FOUND" in str(error) or "FileNotFoundException" in str(error):
            raise RefineError(
                f"{spec.source} {spec.partition}: {str(error).splitlines()[0]} (an object of the manifest is gone); "
                "clear the sense task: the next try senses a new manifest"
            ) from error
        if spec.format not in hg_read.COLUMNAR and not any(name in str(error) for name in UNREADABLE):
            raise
        damaged = hg_read.damaged_objects(spark, spec)
        if not damaged:
            raise
    progress.say(f"{len(damaged)} objects are damaged, reading what is left of them, first {min(damaged)}")
    return _read_once(spark, spec, damaged)


def _read_once(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> Judged:
    lines = hg_read.read_lines(spark, spec, damaged)
    # On disk: cheaper than parsing twice, cheaper than the collector's work on rows held in memory, and the
    # heap stays small whatever the partition's size.
    rows = hg_classify.classify(lines, spec).persist(StorageLevel.DISK_ONLY)
    judged = Judged(rows, [rows])
    try:
        judged.tally = hg_rows.tally(rows, spec)
        if spec.permissive and judged.tally.reasons.get("wrong_type"):
            judged.rows, again = hg_permissive.judged_again(rows, spec)
            judged.held.append(again)
            judged.tally = hg_rows.tally(judged.rows, spec)
        if spec.settled:
            judged.rows = hg_settled.settled(spark, judged.rows, spec, judged.tally)
            judged.held.append(judged.rows)
            judged.tally = hg_rows.tally(judged.rows, spec)
    except BaseException:
        judged.release()
        raise
    return judged


def _outcome(
    spec: Spec,
    tally: hg_rows.Tally,
    numbered: hg_rows.Numbered,
    duplicates: int,
    silver: hg_write.Committed,
    bad: hg_write.Committed,
    progress: Progress,
) -> dict[str, Any]:
    with progress.phase("count") as words:
        unknown, dates = numbered.unknown_counts(), numbered.event_dates()
        warnings, nulled = numbered.warnings(), numbered.nulled()
        words.append(f"{len(dates)} event dates, {len(unknown)} unknown fields")
    return {
        "version": 1,
        "source": spec.source,
        "partition": spec.partition,
        "batch_id": spec.batch_id,
        "manifest_hash": spec.manifest_hash,
        "schema_version": spec.schema_version,
        "counts": {
            "lines": tally.lines,
            "silver": silver.rows,
            "quarantined": bad.rows,
            "duplicates": duplicates,
        },
        "reasons": tally.reasons,
        "unknown_fields": unknown,
        "warnings": warnings,
        "nulled": nulled,
        "event_dates": dates,
        "files": {"silver": silver.files, "quarantine": bad.files},
        "snapshots": {"silver": silver.snapshot, "quarantine": bad.snapshot},
        "seconds": progress.seconds,
    }


def _check(spec: Spec, counts: dict[str, int]) -> None:
    total = counts["silver"] + counts["quarantined"] + counts["duplicates"]
    if counts["lines"] != total:
        raise RefineError(
            f"{spec.source} {spec.partition}: {counts['lines']} lines were read, but {counts['silver']} silver + "
            f"{counts['quarantined']} quarantined + {counts['duplicates']} duplicates = {total}: no outcome was "
            "written; clear the refine task, and if it happens again keep the spec file and report it"
        )


def main(arguments: list[str]) -> int:
    """Run the job; the exit status is 0 only when the outcome was written."""
    if len(arguments) != 1:
        sys.stderr.write("usage: refine.py SPEC_URI\n")
        return 2
    spark = SparkSession.builder.appName("hourglass refine").getOrCreate()
    failure = None
    try:
        run(spark, parse_spec(hg_write.read_text(spark, arguments[0]), arguments[0]))
    except RefineError as error:
        failure = str(error)
    except Exception as error:  # the last line must be readable whatever went wrong
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        failure = f"{type(error).__name__}: {first}; spec {arguments[0]}; the trace above says where"
    spark.stop()
    if failure:
        sys.stdout.flush()
        sys.stderr.write(f"refine failed: {failure}\n")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
