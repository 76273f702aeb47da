"""The face for threads: `connect(address)`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc

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
    from collections.abc import Callable, Iterable, Iterator

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Twice the contract's limit, so that refusals of long messages are the server's and typed."""

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    # INSUFFICIENT_STOCK names every short SKU of an order of 2,000 lines, in the trailers.
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 2 << 20),
    # Retries are ours: those of the transport know neither reasons nor hints.
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True, slots=True)
class CallDetails(grpc.ClientCallDetails):
    """The details of one attempt."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any

    @classmethod
    def of(cls, details: grpc.ClientCallDetails, timeout: float | None) -> CallDetails:
        """The same call with another timeout, in seconds."""
        return cls(
            method=details.method,
            timeout=timeout,
            metadata=details.metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=getattr(details, "compression", None),
        )


class Retrying(grpc.UnaryUnaryClientInterceptor):
    """Fills in request ids, sends again what a retry can help, raises LockstockError."""

    def __init__(self, retries: Retries, sleep: Callable[[float], None] = time.sleep) -> None:
        self._retries = retries
        self._sleep = sleep

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """One call of the caller, one or more of ours; the timeout spans all of them."""
        request = with_request_ids(request)
        timeout = client_call_details.timeout
        ends = None if timeout is None else time.monotonic() + timeout
        attempt = 0
        while True:
            attempt += 1
            left = None if ends is None else max(0.0, ends - time.monotonic())
            call = continuation(CallDetails.of(client_call_details, left), request)
            try:
                call.result()
            except grpc.RpcError as failed:
                error = LockstockError.from_rpc(failed)
                wait = self._retries.wait_before_next(attempt, error)
                if wait is None or (ends is not None and time.monotonic() + wait >= ends):
                    raise error from failed
                self._sleep(wait)
            else:
                return call


class Client:
    """A connection to one server. A service's generated stub: `stock`, `orders`, `routing`, `catalog`, `admin`."""

    def __init__(self, channel: grpc.Channel, retries: Retries | None = None) -> None:
        self._channel = channel
        intercepted = grpc.intercept_channel(channel, Retrying(retries or Retries()))
        self.stock = stock_pb2_grpc.StockServiceStub(intercepted)
        self.orders = orders_pb2_grpc.OrderServiceStub(intercepted)
        self.routing = routing_pb2_grpc.RoutingServiceStub(intercepted)
        self.catalog = catalog_pb2_grpc.CatalogServiceStub(intercepted)
        self.admin = admin_pb2_grpc.AdminServiceStub(intercepted)

    def execute(self, commands: Iterable[operations_pb2.Command]) -> Iterator[operations_pb2.Result]:
        """Streams commands and gives their results in the same order.

        Commands without a request id get one, in place, so that a caller who keeps them can send them again
        after a lost connection. Raises LockstockError when the stream itself ends early.
        """
        try:
            yield from self.stock.Execute(_filled(commands))
        except grpc.RpcError as failed:
            raise LockstockError.from_rpc(failed) from failed

    def close(self) -> None:
        """Closes the connection; calls in flight are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _filled(commands: Iterable[operations_pb2.Command]) -> Iterator[operations_pb2.Command]:
    for command in commands:
        fill(command)
        yield command


def connect(address: str, retries: Retries | None = None) -> Client:
    """A client of the server at `host:port`. Connects with the first call; never fails itself."""
    return Client(grpc.insecure_channel(address, options=CHANNEL_OPTIONS), retries)
