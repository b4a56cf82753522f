"""`quarantine`: look at a partition's quarantined lines, land them again, or set them aside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hourglass.cli.quarantine_scene import Deployment, QuarantineError, Scene, counted
from hourglass.cli.replay import Plan, Repair, Replayer, read_corrections, run_command
from hourglass.cloud.quarantine import Kept
from hourglass.partition.replay import digest_of

SHOWN = 160  # characters of a line in a table
EXAMPLES = 3
_STATES = ("open", "replayed", "discarded")
_COUNTS = ("row_count", *(f"{state}_count" for state in _STATES))


def guarded(command: Callable[[], int]) -> int:
    """Run a command; what cannot be done is a message and the exit status 1."""
    try:
        return command()
    except QuarantineError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def reasons(source_id: str, key: str, form: str) -> int:
    """Print a partition's reasons with their counts.

    Args:
        source_id: The source's id.
        key: The partition's key.
        form: `table` or `json`.

    Returns:
        The exit status: 1 while lines are open.
    """
    scene = Deployment.of(source_id).scene(key)
    rows = scene.quarantine.summary()
    if form == "json":
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        _print_reasons(scene, rows)
    return 1 if any(row["open_count"] for row in rows) else 0


def _print_reasons(scene: Scene, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(title=f"quarantine of {scene.title}", show_edge=False, pad_edge=False)
    for name in ("reason", "field"):
        table.add_column(name)
    for name in ("lines", *_STATES):
        table.add_column(name, justify="right")
    table.add_column("first")
    for row in rows:
        counts = [f"{row[name]:,}" for name in _COUNTS]
        table.add_row(row["reason"], row["field"] or "", *counts, escape(row["first_place"]))
    console = _console()
    if rows:
        console.print(table)
    totals = [sum(row[name] for row in rows) for name in _COUNTS]
    limit = scene.deployment.source.file.monitoring.quarantine
    where = "the gate stopped it; nothing of it is published" if scene.stopped else "published"
    console.print(
        f"{counted(totals[0], 'line')}, {totals[1]:,} of them open ({where}); the gate allows {limit.rows:,} open "
        f"lines or {limit.rate:.1%} of all lines"
    )


def show(source_id: str, key: str, wanted: Sequence[str], limit: int, form: str, *, every: bool) -> int:
    """Print quarantined lines.

    Args:
        source_id: The source's id.
        key: The partition's key.
        wanted: Reasons; all of them when empty.
        limit: At most so many lines.
        form: `table`, or `json` for one JSON object a line, as `replay --from` takes it.
        every: Those that were replayed or discarded too.

    Returns:
        The exit status.
    """
    scene = Deployment.of(source_id).scene(key)
    lines = scene.quarantine.lines(wanted, limit, only_open=not every)
    if form == "json":
        sys.stdout.writelines(json.dumps(_as_json(line), ensure_ascii=False) + "\n" for line in lines)
        return 0
    table = Table(title=f"quarantine of {scene.title}", show_edge=False, pad_edge=False, show_lines=True)
    for name in ("reason", "state", "line as it was read"):
        table.add_column(name, overflow="fold")
    for line in lines:
        why = f"{line.reason}\n{line.field}" if line.field else line.reason
        text = line.raw.decode("utf-8", "replace")
        cut = f"{text[:SHOWN]}…" if len(text) > SHOWN else text
        table.add_row(why, line.state, escape(f"{line.object}:{line.line}\n{cut}"))
    _console().print(table)
    return 0


def _as_json(line: Kept) -> dict[str, Any]:
    text = line.raw.decode("utf-8", "replace")
    found = {
        "source_object": line.object,
        "source_line": line.line,
        "reason": line.reason,
        "field": line.field,
        "state": line.state,
        "raw_line": text,
    }
    if text.encode() != line.raw:
        found["raw_base64"] = b64encode(line.raw).decode()
    return found


def _open_lines(scene: Scene, wanted: Sequence[str], limit: int) -> list[Kept]:
    lines = scene.quarantine.lines(wanted, limit, only_open=True)
    if wanted and not lines:
        there = [reason.reason for reason in scene.quarantine.open_reasons()]
        raise QuarantineError(
            f"{scene.title} has no open line of reason {', '.join(wanted)}; "
            + (
                f"there are open lines of: {', '.join(sorted(set(there)))}"
                if there
                else "no line of it is open"
            )
        )
    return lines


def replay(
    source_id: str,
    key: str,
    repair: Repair,
    *,
    wanted: Sequence[str],
    limit: int,
    why: str | None,
    dry: bool,
    run: bool,
) -> int:
    """Land open lines again, and run the partition.

    Args:
        source_id: The source's id.
        key: The partition's key.
        repair: What is done to each line.
        wanted: Reasons; all of them when empty.
        limit: At most so many lines.
        why: The reason for the records.
        dry: Only say what would be done.
        run: Have Airflow run the partition.

    Returns:
        The exit status: 1 when a line could not be repaired.

    Raises:
        QuarantineError: It cannot be done.
    """
    scene = Deployment.of(source_id).scene(key)
    replayer = Replayer(scene)
    plan = replayer.plan(_open_lines(scene, wanted, limit), repair)
    _say_plan(plan, repair, dry=dry)
    if dry:
        return 1 if plan.refused else 0
    for uri, lines, created in replayer.land(plan, repair, why or str(repair) or "replayed as they are"):
        _say(f"{'landed' if created else 'was landed before:'} {counted(lines, 'line')} as {uri}")
    if plan.landed or (plan.reread and repair.nothing):
        _run(scene, run)
    else:
        _say("nothing was landed, and nothing has to run")
    return 1 if plan.refused else 0


def _say_plan(plan: Plan, repair: Repair, *, dry: bool) -> None:
    for line, text in plan.landed[: EXAMPLES if dry else 0]:
        _say(f"{line.object}:{line.line}")
        _say(f"  - {line.raw.decode('utf-8', 'replace')[:1000]}\n  + {text.decode()[:1000]}")
    if dry:
        _say(f"would land {counted(len(plan.landed), 'line')}")
    if plan.reread:
        why = (
            "no new object is needed: the run reads them again, with the rules and the schema as they are now; those "
            "that are refused once more stay open (--set, --line and --from repair them)"
            if repair.nothing
            else "the repair changes nothing of them, so that they were left open"
        )
        _say(f"{counted(len(plan.reread), 'line')}: {why}")
    if plan.refused:
        _say(f"{counted(len(plan.refused), 'line')} could not be repaired and stay open:")
        for line, problem in plan.refused[:EXAMPLES]:
            _say(f"  {line.object}:{line.line}: {problem}")


def discard(source_id: str, key: str, *, wanted: Sequence[str], limit: int, why: str, run: bool) -> int:
    """Set open lines aside: they stay in the quarantine, and the gate counts them no more.

    Args:
        source_id: The source's id.
        key: The partition's key.
        wanted: Reasons; all of them when empty.
        limit: At most so many lines.
        why: The reason for the records.
        run: Have Airflow run the partition, if the gate had stopped it.

    Returns:
        The exit status.

    Raises:
        QuarantineError: It cannot be done.
    """
    scene = Deployment.of(source_id).scene(key)
    replayer = Replayer(scene)
    lines = _open_lines(scene, wanted, limit)
    if not lines:
        _say("no line is open; nothing was discarded")
        return 0
    places = [replayer.place(line) for line in lines]
    digest = digest_of(scene.partition, "discarded", places, [])
    records = [
        replayer.record(line, [place], digest, why) | {"action": "discarded"}
        for line, place in zip(lines, places, strict=True)
    ]
    scene.actions.record(scene.deployment.storage, digest, records)
    scene.actions.append(digest)
    _say(
        f"discarded {counted(len(lines), 'line')}: they stay in the quarantine, and the gate counts them no more"
    )
    if scene.stopped:
        _run(scene, run)
    return 0


def _run(scene: Scene, run: bool) -> None:
    """Have Airflow run the partition; where none is set up here, say by which command."""
    source, key = scene.deployment.source, scene.partition.key
    command = run_command(source.id, key)
    airflow = shutil.which(
        "airflow", path=os.pathsep.join([str(Path(sys.executable).parent), os.get_exec_path()[0]])
    )
    if not run or airflow is None or "AIRFLOW_HOME" not in os.environ:
        _say(f"now run the partition: {command}")
        return
    conf = json.dumps({"partition": key})
    done = subprocess.run(
        [airflow, "dags", "trigger", source.id, "--conf", conf, "-o", "json"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise QuarantineError(
            f"Airflow did not take the run of {scene.title}: {' '.join(last)}\nwhat was landed stays; run it by: "
            f"{command}"
        )
    # Airflow may print warnings first, such as "[warning  ] Could not import graphviz".
    run_id = json.loads(done.stdout[done.stdout.index("[{") :])[0]["dag_run_id"]
    _say(
        f"Airflow took the request as run {run_id} of DAG {source.id}, whose first task has the partition's own run "
        f"cleared or created, after the end of one in flight: /dags/{source.id}/runs/{run_id}"
    )


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def repair_of(sets: Sequence[str], line: str | None, encoding: str | None, corrected: Path | None) -> Repair:
    """A repair from the command line's options.

    Args:
        sets: `FIELD=EXPRESSION` each.
        line: SQL for the whole line.
        encoding: What lines are written in.
        corrected: A file of corrected lines.

    Raises:
        QuarantineError: Options that do not go together, or that are no assignment.
    """
    if corrected is not None and (sets or line or encoding):
        raise QuarantineError("--from gives whole lines; leave out --set, --line and --encoding")
    named: dict[str, str] = {}
    for text in sets:
        name, equals, expression = text.partition("=")
        name = name.strip().strip("`")
        if not (name and equals and expression.strip()):
            raise QuarantineError(
                f'--set {text!r} is no FIELD=EXPRESSION, such as \'amount=replace(amount, ",", "")\''
            )
        named[name] = expression.strip()
    return Repair(read_corrections(corrected) if corrected else None, encoding, line, named)
