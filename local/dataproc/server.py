"""The gRPC face: google.cloud.dataproc.v1.BatchController and google.longrunning.Operations."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.cloud.dataproc_v1.types import (
    Batch,
    CreateBatchRequest,
    DeleteBatchRequest,
    GetBatchRequest,
    ListBatchesRequest,
    ListBatchesResponse,
)
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from local.dataproc.batches import Batches
from local.dataproc.errors import ApiError, invalid
from local.dataproc.stop_signal import stop_signal

_EMPTY = empty_pb2.Empty()
_THREADS = 8
Method = tuple[Callable[[Any], Any], Callable[[bytes], Any], Callable[[Any], bytes]]


def serve(batches: Batches, address: str) -> tuple[grpc.Server, int]:
    """Start serving `batches`.

    Args:
        batches: the batches.
        address: host:port; port 0 takes a free one.

    Returns:
        The running server and its port.

    Raises:
        RuntimeError: the address is taken.
    """
    # Without this option two servers would share one port, each getting half of the calls.
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=(("grpc.so_reuseport", 0),))
    services = {
        "google.cloud.dataproc.v1.BatchController": _batch_methods(batches),
        "google.longrunning.Operations": _operation_methods(batches),
    }
    for service, methods in services.items():
        handlers = {name: _handler(*method) for name, method in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port(address)
    server.start()
    return server, port


def run(batches: Batches, server: grpc.Server) -> None:
    """Run batches until SIGTERM or SIGINT, then stop the drivers too. Only the main thread may.

    Args:
        batches: the batches; those of an earlier server are taken up first.
        server: what `serve` gave.
    """
    with stop_signal() as stopped:
        batches.resume()
        os.read(stopped, 1)
        server.stop(grace=1)
        batches.shutdown()


def _batch_methods(batches: Batches) -> dict[str, Method]:
    def delete(request: DeleteBatchRequest) -> empty_pb2.Empty:
        batches.delete(request.name)
        return _EMPTY

    operation = operations_pb2.Operation.SerializeToString
    empty = empty_pb2.Empty.SerializeToString
    return {
        "CreateBatch": (batches.create, CreateBatchRequest.deserialize, operation),
        "GetBatch": (lambda request: batches.get(request.name), GetBatchRequest.deserialize, Batch.serialize),
        "ListBatches": (batches.list, ListBatchesRequest.deserialize, ListBatchesResponse.serialize),
        "DeleteBatch": (delete, DeleteBatchRequest.deserialize, empty),
    }


def _operation_methods(batches: Batches) -> dict[str, Method]:
    def list_(request: operations_pb2.ListOperationsRequest) -> operations_pb2.ListOperationsResponse:
        if request.filter:
            raise invalid("The local Dataproc does not filter operations; list batches with a filter instead")
        return operations_pb2.ListOperationsResponse(operations=batches.operations(request.name))

    def delete(request: operations_pb2.DeleteOperationRequest) -> empty_pb2.Empty:
        batches.delete_operation(request.name)
        return _EMPTY

    def cancel(request: operations_pb2.CancelOperationRequest) -> empty_pb2.Empty:
        batches.cancel(request.name)
        return _EMPTY

    empty = empty_pb2.Empty.SerializeToString
    return {
        "GetOperation": (
            lambda request: batches.operation(request.name),
            operations_pb2.GetOperationRequest.FromString,
            operations_pb2.Operation.SerializeToString,
        ),
        "ListOperations": (
            list_,
            operations_pb2.ListOperationsRequest.FromString,
            operations_pb2.ListOperationsResponse.SerializeToString,
        ),
        "DeleteOperation": (delete, operations_pb2.DeleteOperationRequest.FromString, empty),
        "CancelOperation": (cancel, operations_pb2.CancelOperationRequest.FromString, empty),
    }


def _handler(
    call: Callable[[Any], Any], read: Callable[[bytes], Any], write: Callable[[Any], bytes]
) -> grpc.RpcMethodHandler:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(request)
        except ApiError as error:
            return context.abort(error.code, error.message)

    return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=read, response_serializer=write)
