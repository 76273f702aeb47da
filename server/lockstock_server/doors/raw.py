"""One handler for all services of the contract: bytes go to a table of methods, refusals become statuses.

gRPC's own decoding is not used, so that bytes which cannot be read, messages over the limit and unknown
methods get their typed refusals, on this door as on the other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, status_pb2

from lockstock_server import logs
from lockstock_server.doors.intake import SMALL_BYTES
from lockstock_server.doors.status import abort
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lockstock_server.doors.calls import Payload
    from lockstock_server.doors.intake import Intake
    from lockstock_server.doors.status import Statuses

    Context = grpc.aio.ServicerContext[bytes, bytes]
    Unary = Callable[[bytes], Awaitable[Payload]]
    Stream = Callable[[Context], Awaitable[None]]

MESSAGE_BYTES_MAX = 8 << 20
"""The contract's limit, in bytes; transports take twice as much."""

READS = ("Get", "BatchGet", "List", "Check", "Explain", "Try")
"""How the methods begin that change nothing: their answers may be refused when they are made already."""

_M = TypeVar("_M", bound=Message)

log = logs.get(__name__)

_DEFECT = status_pb2.Status(
    code=code_pb2.INTERNAL, message="a defect of the server, which its log describes"
).SerializeToString()


async def _draining(_request: bytes) -> Payload:
    raise Refused("DRAINING")


class Meter(Protocol):
    """Where the calls of a method are counted."""

    def ended(self, outcome: str, seconds: float) -> None:
        """Count a call: "ok", "refused", or "gone" where its caller did not wait."""


class Gauge(Protocol):
    """Where calls are counted."""

    def meter(self, method: str) -> Meter:
        """Give the meter of a method."""

    def follow(self, inside: Callable[[], int]) -> None:
        """Take from here how many calls wait for their answer."""


def read(message: type[_M], request: bytes) -> _M:
    """Decode a request. Raises Refused where it is too long or cannot be read."""
    if len(request) > MESSAGE_BYTES_MAX:
        raise Refused("MESSAGE_TOO_LARGE", limit=MESSAGE_BYTES_MAX)
    try:
        return message.FromString(request)
    except DecodeError as error:
        raise Refused("MALFORMED_MESSAGE", cause=str(error)) from error


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
        gauge.follow(intake.count)
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._serve(name, method))
            for name, method in unary.items()
        }
        for name, stream in streams.items():
            self._handlers[name] = grpc.stream_stream_rpc_method_handler(self._serve_stream(name, stream))

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Find the handler of a call; None where the method is not of the contract."""
        name = handler_call_details.method
        # Health and reflection are no callers of ours: who only looks does not keep a closed door waiting.
        if name in self._handlers and self.intake.turns_away():
            return grpc.unary_unary_rpc_method_handler(self._serve(name, _draining))
        return self._handlers.get(name)

    def unknown(self, name: str) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Give the handler of a method that nobody knows: it refuses."""

        async def refuse(_request: bytes) -> Payload:
            raise Refused("METHOD_UNKNOWN", method=name)

        # Counted under one name: callers choose names, and metrics must stay bounded.
        return grpc.unary_unary_rpc_method_handler(
            self._serve("unknown", _draining if self.intake.turns_away() else refuse)
        )

    def _serve(self, name: str, method: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
        # All in one function, and nothing made for a call: this is what the door costs beyond gRPC.
        meter, enter, leave, now = (
            self._gauge.meter(name),
            self.intake.enter,
            self.intake.leave,
            time.perf_counter,
        )
        only_reads = name.rpartition("/")[2].startswith(READS)

        async def serve(request: bytes, context: Context) -> bytes:
            outcome, began = "gone", now()
            enter()
            try:
                if len(request) > SMALL_BYTES:
                    self._keep(context, request)
                granted, payload = await method(request)
                if len(payload) > SMALL_BYTES:
                    self._keep(context, payload, refuse=only_reads)
                outcome = "ok" if granted else "refused"
            except Refused as refused:
                granted, payload, outcome = False, self.serialised(refused), "refused"
            except Exception:
                log.exception("call_failed", method=name)
                granted, payload, outcome = False, _DEFECT, "refused"
            finally:
                leave()
                meter.ended(outcome, now() - began)
            if not granted:
                await abort(context, payload)
            return payload

        return serve

    def _serve_stream(self, name: str, stream: Stream) -> Callable[[Any, Context], Awaitable[None]]:
        meter = self._gauge.meter(name)

        async def serve(_: Any, context: Context) -> None:
            outcome, began = "gone", time.perf_counter()
            self.intake.enter()
            try:
                await stream(context)
                outcome = "ok"
            except Refused as refused:
                outcome = "refused"
                await abort(context, self.serialised(refused))
            finally:
                self.intake.leave()
                meter.ended(outcome, time.perf_counter() - began)

        return serve

    def _keep(self, context: Context, message: bytes, *, refuse: bool = True) -> None:
        """Count a long message until its call has ended, its answer taken or its caller gone. Raises Refused."""
        size = len(message)
        (self.intake.keep if refuse else self.intake.keep_anyway)(size)
        # Its stub asks for a class of its own.
        ended: Any = context
        ended.add_done_callback(lambda _: self.intake.drop(size))

    def serialised(self, refused: Refused) -> bytes:
        """Write the status of a refusal."""
        payload: bytes = self._statuses.of(refused).SerializeToString(deterministic=True)
        return payload


class Unknown(grpc.GenericRpcHandler):
    """Refuses what nobody knows; comes last."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Give the refusal."""
        return self._handler.unknown(handler_call_details.method)
