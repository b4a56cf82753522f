"""Batches on disk: one folder each, so that a server that was killed finds them all again."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud.dataproc_v1.types import Batch, BatchOperationMetadata
from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2

from local.dataproc.validation import canonical

State = Batch.State
TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
_FILE = "batch.json"
_log = logging.getLogger(__name__)


@dataclass
class Record:
    """A batch and what the service remembers with it.

    Attributes:
        batch: the resource as clients see it.
        folder: where its files are.
        request_id: the client's id of the request that created it; the same id creates nothing again.
        operation_deleted: a client deleted the operation, but not the batch.
    """

    batch: Any  # a Batch; proto-plus' annotations name the wire types (Timestamp), not Python's (datetime)
    folder: Path
    request_id: str = ""
    operation_deleted: bool = field(default=False)

    @property
    def batch_id(self) -> str:
        """The last part of the batch's name."""
        return str(self.batch.name).rsplit("/", 1)[-1]

    @property
    def ended(self) -> bool:
        """Whether the batch is in a state it never leaves."""
        return self.batch.state in TERMINAL

    def save(self) -> None:
        """Write the record; after a crash there is the old one or the new one, never half of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {
                "batch": json.loads(Batch.to_json(self.batch, use_integers_for_enums=False)),
                "request_id": self.request_id,
                "operation_deleted": self.operation_deleted,
            },
            indent=1,
        )
        part = self.folder / (_FILE + ".part")
        with part.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / _FILE)

    def remove(self) -> None:
        """Forget the batch and its files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def operation(self) -> operations_pb2.Operation:
        """Describe the batch as the long-running operation that runs it."""
        batch = self.batch
        metadata = BatchOperationMetadata(
            batch=batch.name,
            batch_uuid=batch.uuid,
            create_time=batch.create_time,
            operation_type=BatchOperationMetadata.BatchOperationType.BATCH,
            description="Batch",
            labels=dict(batch.labels),
        )
        if self.ended:
            metadata.done_time = batch.state_time
        operation = operations_pb2.Operation(name=batch.operation, done=self.ended)
        operation.metadata.CopyFrom(_packed(BatchOperationMetadata.pb(metadata)))
        if batch.state == State.SUCCEEDED:
            operation.response.CopyFrom(_packed(Batch.pb(batch)))
        elif self.ended:
            code = code_pb2.CANCELLED if batch.state == State.CANCELLED else code_pb2.ABORTED
            operation.error.CopyFrom(status_pb2.Status(code=code, message=batch.state_message))
        return operation


def load(folder: Path) -> dict[str, Record]:
    """Read every record under `folder`, by batch name; an unreadable one is reported and left alone."""
    records = {}
    for file in sorted(folder.glob(f"*/{_FILE}")):
        try:
            content = json.loads(file.read_text())
            record = Record(
                batch=Batch.from_json(json.dumps(content["batch"])),
                folder=file.parent,
                request_id=content["request_id"],
                operation_deleted=content["operation_deleted"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("%s cannot be read (%s); the batch is ignored. Delete its folder.", file, error)
            continue
        records[canonical(record.batch.name)] = record
    return records


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
