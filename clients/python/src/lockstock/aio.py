"""The face for asyncio: `lockstock.aio.connect(address)`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self

import grpc

from lockstock.client import CHANNEL_OPTIONS
from lockstock.errors import LockstockError
from lockstock.retry import Retries, fill, with_request_ids
from lockstock.v1 import (
    admin_pb2_grpc,
    catalog_pb2_grpc,
    operations_pb2,
    orders_pb2_grpc,
    routing_pb2_grpc,
    stock_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable


class Retrying(grpc.aio.UnaryUnaryClientInterceptor):
    """Fills in request ids, sends again what a retry can help, raises LockstockError."""

    def __init__(self, retries: Retries, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._retries = retries
        self._sleep = sleep

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """One call of the caller, one or more of ours; the timeout spans all of them."""
        request = with_request_ids(request)
        timeout = client_call_details.timeout
        ends = None if timeout is None else time.monotonic() + timeout
        attempt = 0
        while True:
            attempt += 1
            left = None if ends is None else max(0.0, ends - time.monotonic())
            call = await continuation(client_call_details._replace(timeout=left), request)
            try:
                await call
            except grpc.RpcError as failed:
                error = LockstockError.from_rpc(failed)
                wait = self._retries.wait_before_next(attempt, error)
                if wait is None or (ends is not None and time.monotonic() + wait >= ends):
                    raise error from failed
                await self._sleep(wait)
            else:
                return call


class Client:
    """A connection to one server. A service's generated stub: `stock`, `orders`, `routing`, `catalog`, `admin`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.stock: stock_pb2_grpc.StockServiceAsyncStub = stock_pb2_grpc.StockServiceStub(channel)
        self.orders: orders_pb2_grpc.OrderServiceAsyncStub = orders_pb2_grpc.OrderServiceStub(channel)
        self.routing: routing_pb2_grpc.RoutingServiceAsyncStub = routing_pb2_grpc.RoutingServiceStub(channel)
        self.catalog: catalog_pb2_grpc.CatalogServiceAsyncStub = catalog_pb2_grpc.CatalogServiceStub(channel)
        self.admin: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(channel)

    async def execute(
        self, commands: AsyncIterable[operations_pb2.Command]
    ) -> AsyncIterator[operations_pb2.Result]:
        """Streams commands and gives their results in the same order; see `lockstock.Client.execute`."""
        try:
            async for result in self.stock.Execute(_filled(commands)):
                yield result
        except grpc.RpcError as failed:
            raise LockstockError.from_rpc(failed) from failed

    async def close(self) -> None:
        """Closes the connection; calls in flight are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _filled(commands: AsyncIterable[operations_pb2.Command]) -> AsyncIterator[operations_pb2.Command]:
    async for command in commands:
        fill(command)
        yield command


def connect(address: str, retries: Retries | None = None) -> Client:
    """A client of the server at `host:port`, for the running event loop. Connects with the first call."""
    interceptors = [Retrying(retries or Retries())]
    return Client(grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS, interceptors=interceptors))
