"""The gRPC server of this door: handlers, health, reflection, limits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from lockstock.v1 import admin_pb2, catalog_pb2, orders_pb2, routing_pb2, stock_pb2

from lockstock_server.doors.authorize import Authorize, Authorizing, everybody
from lockstock_server.doors.raw import Unknown
from lockstock_server.errors import ExitCode, StartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockstock_server.doors.raw import Handler

SERVICES = tuple(
    service.full_name
    for file in (stock_pb2, orders_pb2, routing_pb2, catalog_pb2, admin_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
HEADER_BYTES_MAX = 16 << 10
IDLE_PING_MS = 30_000
LEAVING_SECONDS = 0.5
"""What the last answers get to reach their callers."""
SILENCE_MS_MAX = 20_000
"""How long a connection has for its first bytes, and to answer a ping: nobody keeps one by saying nothing."""
CALLS_MAX = 4_096
"""Calls at once on all connections together: what is kept for callers who send or read slowly is so many
requests and answers at most. One more is refused by the transport, before its message is read. Long messages
are bounded in bytes as well (`intake.py`)."""


class _Beside:
    """Takes the handlers of gRPC's own services as a server does, and registers no method.

    For each call, grpc.aio waits anew for the next call of every registered method: five of them cost more than
    the way to the engine and back.
    """

    def __init__(self) -> None:
        self.handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self.handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, object]) -> None:
        pass


class Door:
    """The running door. `address` is the bound one."""

    def __init__(
        self, address: str, handler: Handler, authorize: Authorize, *, message_bytes: int, streams: int
    ) -> None:
        self._intake = handler.intake
        self._server = grpc.aio.server(
            # Nobody to ask: every call is spared the way through an interceptor.
            interceptors=[] if authorize is everybody else [Authorizing(authorize, handler.serialised)],
            maximum_concurrent_rpcs=CALLS_MAX,
            options=(
                ("grpc.max_receive_message_length", message_bytes),
                ("grpc.max_send_message_length", message_bytes),
                ("grpc.max_concurrent_streams", streams),
                # Both the same: between the two gRPC refuses by chance.
                ("grpc.max_metadata_size", HEADER_BYTES_MAX),
                ("grpc.absolute_max_metadata_size", HEADER_BYTES_MAX),
                ("grpc.keepalive_time_ms", IDLE_PING_MS),
                ("grpc.keepalive_timeout_ms", SILENCE_MS_MAX),
                ("grpc.server_handshake_timeout_ms", SILENCE_MS_MAX),
                # Two servers on one port would share its callers and own different stock.
                ("grpc.so_reuseport", 0),
            ),
        )
        self._health = health.aio.HealthServicer()
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        beside: Any = _Beside()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, beside)
        add_reflection: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
        add_reflection(reflection.aio.ReflectionServicer(names), beside)
        # In the order in which they are asked: those who sell first.
        self._server.add_generic_rpc_handlers((handler, *beside.handlers, Unknown(handler)))
        host = address.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise StartError(ExitCode.ADDRESS, f"{address} cannot be bound: {error}") from error
        self.address = f"{host}:{port}"

    async def start(self) -> None:
        """Begin to serve; health says so."""
        await self._server.start()
        await self.set_health(serving=True)

    async def set_health(self, *, serving: bool) -> None:
        """Tell the health of every service."""
        for service in ("", *SERVICES):
            await self._health.set(service, SERVING if serving else NOT_SERVING)

    async def stop(self, deadline: float) -> None:
        """Refuse new calls, answer those in flight for up to `deadline` seconds, then cancel the rest."""
        began = time.monotonic()
        self._intake.close()
        await self._intake.emptied(deadline)
        # What is open still is nobody's answer: those who watch health, those who do not read.
        await self._server.stop(min(LEAVING_SECONDS, max(0.0, began + deadline - time.monotonic())))
