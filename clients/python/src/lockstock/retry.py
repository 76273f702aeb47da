"""When a call is sent again, and how the same request is recognised. Pure but for the dice."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.message import Message

from lockstock.request_id import new_request_id

if TYPE_CHECKING:
    from lockstock.errors import LockstockError

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long a call is sent again.

    `attempts` counts the first one (1: never again); `first_wait` doubles with each attempt up to
    `longest_wait`, both in seconds; the server's own hint is honoured where it is longer.
    """

    attempts: int = 5
    first_wait: float = 0.05
    longest_wait: float = 5.0

    def wait_before_next(self, attempt: int, error: LockstockError) -> float | None:
        """Seconds to wait after the failed `attempt` (from 1), or None: give up and raise.

        Worth a retry is what the server says so of (RetryInfo), and UNAVAILABLE, which is also a lost
        connection. A hint longer than `longest_wait` is the caller's to wait for.
        """
        if attempt >= self.attempts:
            return None
        if error.retry_after is None and error.code is not grpc.StatusCode.UNAVAILABLE:
            return None
        backoff = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        # Half of it by chance, so that clients refused together do not come back together.
        backoff *= 0.5 + random.random() / 2  # noqa: S311 - spreads load, guards nothing
        wait = max(backoff, error.retry_after or 0.0)
        return None if wait > self.longest_wait else wait


def with_request_ids(request: _M) -> _M:
    """The request with an id wherever one can stand and none does, so that a retry is no new request.

    The caller's message is not touched; what needs no id is given back as it is.
    """
    fields = request.DESCRIPTOR.fields_by_name
    if "commands" in fields:
        filled = _copy(request)
        for command in filled.commands:  # type: ignore[attr-defined]
            fill(command)
        return filled
    if "cause" in fields or "request_id" in fields or "operation" in request.DESCRIPTOR.oneofs_by_name:
        filled = _copy(request)
        fill(filled)
        return filled
    return request


def fill(request: Message) -> None:
    """Puts a new id into the request, in place, if it has a place for one that is empty."""
    fields = request.DESCRIPTOR.fields_by_name
    if "operation" in request.DESCRIPTOR.oneofs_by_name:
        which = request.WhichOneof("operation")
        if which is not None:
            fill(getattr(request, which))
    elif "cause" in fields:
        cause = request.cause  # type: ignore[attr-defined]
        cause.request_id = cause.request_id or new_request_id()
    elif "request_id" in fields:
        request.request_id = request.request_id or new_request_id()  # type: ignore[attr-defined]


def _copy(request: _M) -> _M:
    copy = type(request)()
    copy.CopyFrom(request)
    return copy
