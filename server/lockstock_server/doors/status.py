"""Refusals as `google.rpc.Status`, the same for ours as for the engine's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from lockstock_server.refusals import Refused

DOMAIN = "lockstock"
DETAILS_KEY = "grpc-status-details-bin"
CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_BY_NAME: Mapping[str, int] = {code.name: code.value[0] for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of the closed list; `soon` where a status carries a retry hint."""

    name: str
    code: int
    soon: bool
    metadata: frozenset[str]
    words: str


class Statuses:
    """Builds statuses from the core's list of reasons, so that there is one list."""

    def __init__(self, reasons: str, retry_hint: float) -> None:
        """Take the core's list as JSON, and the hint in seconds."""
        self._reasons = {reason.name: reason for reason in map(_reason, json.loads(reasons))}
        self._hint = retry_hint

    def of(self, refused: Refused) -> status_pb2.Status:
        """Build the status of a refusal; the engine's own is passed on. KeyError: a reason off the list."""
        if refused.status is not None:
            return refused.status
        reason = self._reasons[refused.reason]
        unknown = refused.metadata.keys() - reason.metadata
        if unknown:
            raise KeyError(f"{reason.name} has no metadata {', '.join(sorted(unknown))}")
        message = reason.words
        for name, fact in refused.metadata.items():
            message = message.replace(f"{{{name}}}", fact)
        status = status_pb2.Status(code=reason.code, message=message)
        info = error_details_pb2.ErrorInfo(reason=reason.name, domain=DOMAIN, metadata=refused.metadata)
        pack(status, info)
        if reason.soon:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromNanoseconds(int(self._hint * 1e9))
            pack(status, retry)
        return status


def _reason(row: dict[str, Any]) -> Reason:
    code = row["code"]
    return Reason(
        name=row["name"],
        code=_BY_NAME[code] if isinstance(code, str) else int(code),
        soon=str(row["retry"]).lower() == "soon",
        metadata=frozenset(row["metadata"]),
        words=row["words"],
    )


def pack(status: status_pb2.Status, detail: Message) -> None:
    """Add a detail, with the same bytes each time."""
    status.details.add().Pack(detail, deterministic=True)


async def abort(context: grpc.aio.ServicerContext[Any, Any], payload: bytes) -> None:
    """End a call with a serialised status: code and words as the transport says them, and the whole of it."""
    status = status_pb2.Status.FromString(payload)
    code = CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    await context.abort(code, status.message, ((DETAILS_KEY, payload),))
