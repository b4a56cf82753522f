"""The errors a client of the service sees."""

from __future__ import annotations

import grpc


class ApiError(Exception):
    """A gRPC status with the sentence the real service answers.

    Args:
        code: the gRPC status code, which client libraries turn into google.api_core exceptions.
        message: what is wrong, in the real service's words where they are known.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> ApiError:
    """Make the error for a request that can never work."""
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(what: str) -> ApiError:
    """Make the error for a resource that does not exist, such as `Batch projects/…/batches/x`."""
    return ApiError(grpc.StatusCode.NOT_FOUND, f"Not found: {what}")
