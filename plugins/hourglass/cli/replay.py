"""`quarantine replay`: quarantined lines, repaired, become a new object of the same partition."""

from __future__ import annotations

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hourglass.cli.quarantine_scene import QuarantineError, Scene, whoever
from hourglass.cli.replay_columnar import Columnar, kinds_of
from hourglass.cli.replay_forms import Csv, Form, Json, JsonArray, LineError, csv_records, zipped
from hourglass.cloud.quarantine import Kept
from hourglass.cloud.quarantine_actions import land_once, provenance
from hourglass.config.ingestion import CsvFormat
from hourglass.generate.record import own_path
from hourglass.partition.repair import LINE, RepairError, Value, evaluate
from hourglass.partition.replay import REPLAYED, Place, digest_in, digest_of, object_name, record_name


@dataclass(frozen=True)
class Repair:
    """What is done to each line before it is landed again, in this order.

    Args:
        corrected: Whole lines by object and line number; only these are replayed.
        encoding: What the lines are written in, when that is not UTF-8.
        line: SQL for the whole line, which it calls `line`.
        sets: SQL by the field that it gives a value.
    """

    corrected: Mapping[tuple[str, int], str] | None = None
    encoding: str | None = None
    line: str | None = None
    sets: Mapping[str, str] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether lines stay as they are."""
        return self.corrected is None and not (self.encoding or self.line or self.sets)

    def __str__(self) -> str:
        parts = [] if self.corrected is None else ["--from a file"]
        parts += [f"--encoding {self.encoding}"] if self.encoding else []
        parts += [f"--line {self.line}"] if self.line else []
        return "; ".join([*parts, *(f"--set {name}={text}" for name, text in self.sets.items())])


@dataclass
class Plan:
    """What a replay would do.

    Args:
        landed: Lines to land, each with its new text.
        reread: Lines that a run reads anew as they are; nothing is landed for them.
        refused: Lines that the repair does not fit, each with the reason.
    """

    landed: list[tuple[Kept, bytes]] = field(default_factory=list)
    reread: list[Kept] = field(default_factory=list)
    refused: list[tuple[Kept, str]] = field(default_factory=list)


def read_corrections(file: Path) -> dict[tuple[str, int], str]:
    """Corrected lines from a file, as `quarantine show --format json` writes it.

    Args:
        file: JSON lines with source_object, source_line and raw_line.

    Raises:
        QuarantineError: A line of the file is something else.
    """
    found: dict[tuple[str, int], str] = {}
    try:
        texts = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise QuarantineError(f"{file} cannot be read: {error}") from None
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            entry = json.loads(text)
            found[str(entry["source_object"]), int(entry["source_line"])] = str(entry["raw_line"])
        except (ValueError, KeyError, TypeError) as error:
            raise QuarantineError(
                f"{file}:{number}: {type(error).__name__}: {error}; each line is JSON with source_object, source_line "
                "and the corrected raw_line, as `quarantine show --format json` writes it"
            ) from None
    return found


class Replayer:
    """Replays lines of one partition.

    Args:
        scene: The partition's quarantine.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._source = scene.deployment.source
        self._platform = scene.deployment.platform
        self._storage = scene.deployment.storage
        self._generations = scene.manifest.generations()
        self._header = cache(self._read_header)
        self._provenance = cache(self._origins_behind)

    def plan(self, lines: Sequence[Kept], repair: Repair) -> Plan:
        """Repair lines.

        Args:
            lines: Open lines.
            repair: What is done to them.

        Raises:
            QuarantineError: The repair is wrong in itself, or an object has been replaced.
        """
        plan = Plan()
        chosen = self._chosen(lines, repair)
        self._refuse_replaced({line.object for line in chosen})
        texts = [self._text(line, repair, plan) for line in chosen]
        ready = [(line, text) for line, text in zip(chosen, texts, strict=True) if text is not None]
        ready = self._whole_lines(ready, repair, plan)
        for line, text in self._values(ready, repair, plan):
            if text == line.raw and not self._dead(line):
                plan.reread.append(line)
                continue
            try:
                self._form(line).check(text)
            except LineError as error:
                plan.refused.append((line, str(error)))
            else:
                plan.landed.append((line, text))
        return plan

    def _chosen(self, lines: Sequence[Kept], repair: Repair) -> list[Kept]:
        if repair.corrected is None:
            return list(lines)
        chosen = [line for line in lines if (line.object, line.line) in repair.corrected]
        missing = set(repair.corrected) - {(line.object, line.line) for line in chosen}
        if missing:
            place = ":".join(map(str, min(missing)))
            raise QuarantineError(
                f"{len(missing)} corrected lines are not open lines of this quarantine, the first is {place}: "
                "take those that were replayed or discarded out of the file, and give no --reason or --limit"
            )
        return chosen

    def _refuse_replaced(self, uris: set[str]) -> None:
        for uri in sorted(uris):
            bucket, _, name = uri.removeprefix("gs://").partition("/")
            blob = self._storage.bucket(bucket).get_blob(name)
            if blob is None or blob.generation != self._generations.get(uri):
                raise QuarantineError(
                    f"{uri} was {'removed' if blob is None else 'replaced'} after it had been read, so that these "
                    f"lines are not its lines any more; run the partition, then look again: "
                    f"{run_command(self._source.id, self.scene.partition.key)}"
                )

    def _text(self, line: Kept, repair: Repair, plan: Plan) -> bytes | None:
        if repair.corrected is not None:
            return repair.corrected[line.object, line.line].encode()
        if repair.encoding is None:
            return line.raw
        try:
            return line.raw.decode(repair.encoding).encode()
        except LookupError:
            raise QuarantineError(
                f"--encoding {repair.encoding}: no such encoding; latin-1 and cp1252 are usual"
            ) from None
        except UnicodeError as error:
            plan.refused.append((line, f"it is not {repair.encoding}: {error}"))
            return None

    def _whole_lines(
        self, ready: list[tuple[Kept, bytes]], repair: Repair, plan: Plan
    ) -> list[tuple[Kept, bytes]]:
        if repair.line is None:
            return ready
        rows: list[dict[str, Value]] = []
        fine: list[Kept] = []
        for line, text in ready:
            try:
                rows.append({LINE: text.decode()})
                fine.append(line)
            except UnicodeDecodeError:
                plan.refused.append(
                    (line, "it is not UTF-8; say what it is with --encoding, such as latin-1")
                )
        results = _evaluated(rows, {"--line": repair.line}, [LINE])
        return [(line, str(new or "").encode()) for line, (new,) in zip(fine, results, strict=True)]

    def _values(
        self, ready: list[tuple[Kept, bytes]], repair: Repair, plan: Plan
    ) -> list[tuple[Kept, bytes]]:
        if not repair.sets:
            return ready
        rows: list[dict[str, Value]] = []
        fine: list[tuple[Kept, bytes]] = []
        for line, text in ready:
            try:
                rows.append(self._form(line).values(text))
                fine.append((line, text))
            except LineError as error:
                plan.refused.append((line, str(error)))
        names = [*self._names(), *(name for row in rows for name in row)]
        labels = {f"--set {name}": text for name, text in repair.sets.items()}
        changed = []
        for (line, text), row, new in zip(fine, rows, _evaluated(rows, labels, names), strict=True):
            changes = {
                name: value for name, value in zip(repair.sets, new, strict=True) if value != row.get(name)
            }
            try:
                changed.append((line, self._form(line).changed(text, changes) if changes else text))
            except LineError as error:
                plan.refused.append((line, str(error)))
        return changed

    def _names(self) -> list[str]:
        return list(kinds_of(self._source.schema, self._source.file.ingestion.format))

    def _dead(self, line: Kept) -> bool:
        prefix = self._source.dead_letter_prefix
        return prefix is not None and line.object.startswith(f"gs://{self._source.bucket}/{prefix}")

    def _form(self, line: Kept) -> Form:
        ingestion = self._source.file.ingestion
        if ingestion.format == "csv":
            form = ingestion.csv or CsvFormat()
            own = form.header and not self._dead(line)
            return Csv(form, self._header(line.object) if own else self._columns())
        kinds = kinds_of(self._source.schema, ingestion.format)
        if ingestion.format in ("parquet", "avro"):
            return Columnar(kinds, ingestion.format, self._source.schema)
        return JsonArray(kinds) if ingestion.multiline else Json(kinds)

    def _columns(self) -> tuple[str, ...]:
        return tuple(own_path(f, "csv")[0] for f in self._source.schema.fields)

    def _read_header(self, uri: str) -> tuple[str, ...]:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        with self._storage.bucket(bucket).blob(name).open("rb", raw_download=True) as stored:
            data: Any = gzip.GzipFile(fileobj=stored) if name.endswith(".gz") else stored
            text = io.TextIOWrapper(data, "utf-8-sig", errors="surrogateescape", newline="")
            form = self._source.file.ingestion.csv or CsvFormat()
            records = csv_records((row for row in text if row.strip()), form)
            return tuple(next(records, []))

    def land(self, plan: Plan, repair: Repair, why: str) -> list[tuple[str, int, bool]]:
        """Land what a plan says: provenance, object, then the actions; each once, so that it may be repeated.

        Args:
            plan: The plan.
            repair: Its repair, for the records.
            why: The reason that was given.

        Returns:
            URI, number of lines, and whether it is new, of each object.
        """
        groups: dict[tuple[str, Any], list[tuple[Kept, bytes]]] = defaultdict(list)
        for line, text in plan.landed:
            groups[self._prefix(line), _key(self._form(line))].append((line, text))
        return [self._land(prefix, lines, repair, why) for (prefix, _), lines in groups.items()]

    def _prefix(self, line: Kept) -> str:
        bucket, prefixes = self.scene.deployment.source.prefixes(self.scene.partition)
        name = line.object.removeprefix(f"gs://{bucket}/")
        fitting = [prefix for prefix in prefixes if name.startswith(prefix)]
        return prefixes[0] if self._dead(line) or not fitting else max(fitting, key=len)

    def _land(
        self, prefix: str, lines: list[tuple[Kept, bytes]], repair: Repair, why: str
    ) -> tuple[str, int, bool]:
        partition, source = self.scene.partition, self._source
        form = self._form(lines[0][0])
        texts = [text for _, text in lines]
        origins = [self._origins(line) for line, _ in lines]
        digest = digest_of(partition, prefix, [chain[0] for chain in origins], texts)
        ingestion = source.file.ingestion
        gzipped = ingestion.compression == "gzip"
        name = object_name(partition, digest, f".{ingestion.format}{'.gz' if gzipped else ''}")
        uri = f"gs://{source.bucket}/{prefix}{name}"
        content = zipped(form.content(texts), gzipped)
        records = [
            self.record(line, chain, digest, why)
            | {"action": REPLAYED, "replay_object": uri, "replay_line": number, "repair": str(repair) or None}
            for number, ((line, _), chain) in enumerate(zip(lines, origins, strict=True), 1)
        ]
        self.scene.actions.record(self._storage, digest, records)
        created = land_once(self._storage, uri, content, self._metadata(digest, len(lines), why))
        self.scene.actions.append(digest)
        return uri, len(lines), created

    def _metadata(self, digest: str, lines: int, why: str) -> dict[str, str]:
        name = record_name(self._source.id, self.scene.partition.key, digest)
        return {
            "hourglass-replay": digest,
            "hourglass-provenance": self._platform.uri(name),
            "hourglass-lines": str(lines),
            "hourglass-by": whoever(),
            "hourglass-why": why,
        }

    def record(self, line: Kept, origins: Sequence[Place], digest: str, why: str) -> dict[str, Any]:
        """What every action keeps of a line, by column of ops.quarantine_actions.

        Args:
            line: The line.
            origins: The line's place, and those behind it.
            digest: Names the action.
            why: The reason that was given.
        """
        return {
            "source": self._source.id,
            "partition": self.scene.partition.key,
            "landing_hour": self.scene.partition.start.isoformat(),
            "source_object": line.object,
            "generation": origins[0].generation,
            "source_line": line.line,
            "reason": line.reason,
            "field": line.field,
            "origins": json.dumps([place.to_json() for place in origins]),
            "why": why,
            "acted_by": whoever(),
            "acted_at": datetime.now(tz=UTC).isoformat(),
            "digest": digest,
        }

    def place(self, line: Kept) -> Place:
        """Where a line stands."""
        return Place(line.object, self._generations[line.object], line.line)

    def _origins(self, line: Kept) -> list[Place]:
        digest = digest_in(line.object)
        behind = self._provenance(digest)[line.line] if digest else ()
        return [self.place(line), *behind]

    def _origins_behind(self, digest: str) -> dict[int, tuple[Place, ...]]:
        key = self.scene.partition.key
        found = provenance(self._storage, self._platform, self._source.id, key, digest)
        return {one.line: one.origins for one in found}


def _key(form: Form) -> Any:
    """What must be equal for lines to share an object: the columns of a CSV."""
    return form.columns if isinstance(form, Csv) else None


def _evaluated(
    rows: Sequence[Mapping[str, Value]], expressions: Mapping[str, str], names: Sequence[str]
) -> list[tuple[Value, ...]]:
    try:
        return evaluate(rows, expressions, names)
    except RepairError as error:
        raise QuarantineError(str(error)) from None


def run_command(source_id: str, key: str) -> str:
    """The command that runs a partition over the files it has now."""
    from hourglass.ledger.history import admit_command

    return admit_command(source_id, key)
