"""One handler for all services of the contract: bytes go to a table of methods, refusals become statuses.

gRPC's own decoding is not used, so that bytes which cannot be read, messages over the limit and unknown
methods get their typed refusals, on this door as on the other.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, status_pb2

from lockstock_server import logs
from lockstock_server.doors.status import abort
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from lockstock_server.doors.calls import Payload
    from lockstock_server.doors.intake import Intake
    from lockstock_server.doors.status import Statuses

    Context = grpc.aio.ServicerContext[bytes, bytes]
    Unary = Callable[[bytes], Awaitable[Payload]]
    Stream = Callable[[Context], Awaitable[None]]

MESSAGE_BYTES_MAX = 8 << 20
"""The contract's limit, in bytes; transports take twice as much."""

_M = TypeVar("_M", bound=Message)

log = logs.get(__name__)

_DEFECT = status_pb2.Status(
    code=code_pb2.INTERNAL, message="a defect of the server, which its log describes"
).SerializeToString()


async def _unknown(name: str) -> Payload:
    raise Refused("METHOD_UNKNOWN", method=name)


async def _draining(_request: bytes) -> Payload:
    raise Refused("DRAINING")


class Gauge(Protocol):
    """Where calls are counted."""

    def began(self) -> None:
        """Count a call that came."""

    def ended(self, method: str, outcome: str, seconds: float) -> None:
        """Count a call that was answered."""


def read(message: type[_M], request: bytes) -> _M:
    """Decode a request. Raises Refused where it is too long or cannot be read."""
    if len(request) > MESSAGE_BYTES_MAX:
        raise Refused("MESSAGE_TOO_LARGE", limit=MESSAGE_BYTES_MAX)
    try:
        return message.FromString(request)
    except DecodeError as error:
        raise Refused("MALFORMED_MESSAGE", cause=str(error)) from error


@dataclass(slots=True)
class _Call:
    """What came of a call: "ok" or "refused"; as long as neither is said, its caller went away."""

    outcome: str = "gone"


class Handler(grpc.GenericRpcHandler):
    """The methods of the contract by their full names, `/lockstock.v1.StockService/Lock` and so on."""

    def __init__(
        self,
        unary: Mapping[str, Unary],
        streams: Mapping[str, Stream],
        statuses: Statuses,
        gauge: Gauge,
        intake: Intake,
    ) -> None:
        self._statuses = statuses
        self._gauge = gauge
        self.intake = intake
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._serve(name, method))
            for name, method in unary.items()
        }
        for name, stream in streams.items():
            self._handlers[name] = grpc.stream_stream_rpc_method_handler(self._serve_stream(name, stream))

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Find the handler of a call; what no handler knows is refused by ours, which comes last."""
        name = handler_call_details.method
        if self.intake.turns_away():
            counted = name if name in self._handlers else "unknown"
            return grpc.unary_unary_rpc_method_handler(self._serve(counted, _draining))
        return self._handlers.get(name) or grpc.unary_unary_rpc_method_handler(self._serve(name, None))

    def _serve(self, name: str, method: Unary | None) -> Callable[[bytes, Context], Awaitable[bytes]]:
        # Unknown methods are counted under one name: callers choose names, and metrics must stay bounded.
        counted = name if method else "unknown"

        async def serve(request: bytes, context: Context) -> bytes:
            with self._counted(counted) as call:
                granted, payload = await self._answer(name, method, request)
                call.outcome = "ok" if granted else "refused"
            if not granted:
                await abort(context, payload)
            return payload

        return serve

    async def _answer(self, name: str, method: Unary | None, request: bytes) -> Payload:
        try:
            return await (method(request) if method else _unknown(name))
        except Refused as refused:
            return False, self.serialised(refused)
        except Exception:
            log.exception("call_failed", method=name)
            return False, _DEFECT

    def _serve_stream(self, name: str, stream: Stream) -> Callable[[Any, Context], Awaitable[None]]:
        async def serve(_: Any, context: Context) -> None:
            with self._counted(name) as call:
                try:
                    await stream(context)
                    call.outcome = "ok"
                except Refused as refused:
                    call.outcome = "refused"
                    await abort(context, self.serialised(refused))

        return serve

    @contextmanager
    def _counted(self, name: str) -> Iterator[_Call]:
        call = _Call()
        began = time.perf_counter()
        self._gauge.began()
        with self.intake.inside():
            try:
                yield call
            finally:
                self._gauge.ended(name, call.outcome, time.perf_counter() - began)

    def serialised(self, refused: Refused) -> bytes:
        """Write the status of a refusal."""
        payload: bytes = self._statuses.of(refused).SerializeToString(deterministic=True)
        return payload
