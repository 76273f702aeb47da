"""What a failed call raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from lockstock.v1 import errors_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.any_pb2 import Any

DETAILS_KEY = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class LockstockError(Exception):
    """A call has failed. With a reason it has changed nothing; without one a change may stand: send it again.

    `code` is the gRPC status code; `reason` a name of the closed list `lockstock.v1.Reason` without
    "REASON_" (empty where only the transport failed); `metadata` what varies in the message; `details` every
    detail of the status as it came; `shortages` the short SKUs of INSUFFICIENT_STOCK; `retry_after` the
    server's hint in seconds, None where a retry cannot help soon.
    """

    def __init__(self, status: status_pb2.Status) -> None:
        self.status = status
        self.code: grpc.StatusCode = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
        self.message: str = status.message
        self.details: list[Any] = list(status.details)
        self.reason: str = ""
        self.metadata: dict[str, str] = {}
        self.shortages: list[errors_pb2.ShortSku] = []
        self.retry_after: float | None = None
        for detail in self.details:
            self._read(detail)
        super().__init__(f"{self.reason or self.code.name}: {self.message}")

    def _read(self, detail: Any) -> None:
        info = error_details_pb2.ErrorInfo()
        retry = error_details_pb2.RetryInfo()
        short = errors_pb2.InsufficientStock()
        if detail.Unpack(info):
            self.reason = info.reason
            self.metadata = dict(info.metadata)
        elif detail.Unpack(retry):
            self.retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        elif detail.Unpack(short):
            self.shortages = list(short.shortages)

    @classmethod
    def from_status(cls, status: status_pb2.Status) -> LockstockError:
        """From the status inside a `Result` or an `ImportRow`."""
        return cls(status)

    @classmethod
    def from_rpc(cls, error: grpc.RpcError) -> LockstockError:
        """From what the gRPC library raises; it stays `__cause__` where this is raised from it."""
        return cls(status_of(error))


def status_of(error: grpc.RpcError) -> status_pb2.Status:
    """The rich status of an error, or one made of its code and words where it carries none."""
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):
        return status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    plain = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
    metadata: Iterable[tuple[str, str | bytes]] = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return plain
    return plain
