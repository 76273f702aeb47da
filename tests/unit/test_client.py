"""The Python client against a server of the test's own: errors, retries with the same id, ids filled in."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
import lockstock
import pytest
from google.rpc import error_details_pb2, status_pb2
from lockstock import aio
from lockstock.retry import Retries, with_request_ids
from lockstock.v1 import catalog_pb2, errors_pb2, operations_pb2, orders_pb2, stock_pb2

QUICK = Retries(first_wait=0.001, longest_wait=0.5)


def status(
    code: grpc.StatusCode, reason: str, *, retry: float | None = None, **metadata: str
) -> status_pb2.Status:
    made = status_pb2.Status(code=code.value[0], message=f"{reason} it is")
    made.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="lockstock", metadata=metadata))
    if retry is not None:
        hint = error_details_pb2.RetryInfo()
        hint.retry_delay.FromNanoseconds(int(retry * 1e9))
        made.details.add().Pack(hint)
    return made


OVERLOADED = status(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry=0.01, limit="records")
SHORT = status(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_STOCK")
SHORT.details.add().Pack(
    errors_pb2.InsufficientStock(shortages=[errors_pb2.ShortSku(sku="book", asked=3, available_here=1)])
)


@dataclass
class Shop:
    """Refuses with what is planned, in turn, then grants; remembers what it was asked and when."""

    refusals: list[status_pb2.Status] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def lock(
        self, request: operations_pb2.LockRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Answer:
        self.asked.append(request.cause.request_id)
        self.at.append(time.monotonic())
        if self.refusals:
            refusal = self.refusals.pop(0)
            context.set_trailing_metadata((("grpc-status-details-bin", refusal.SerializeToString()),))
            code = next(code for code in grpc.StatusCode if code.value[0] == refusal.code)
            context.abort(code, refusal.message)
        return operations_pb2.Answer(sequence=7, request_id=request.cause.request_id)

    def execute(
        self, request_iterator: Iterator[operations_pb2.Command], context: grpc.ServicerContext
    ) -> Iterator[operations_pb2.Result]:
        for command in request_iterator:
            if command.lock.reservation_id == "break":
                context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
            answer = operations_pb2.Answer(request_id=command.lock.cause.request_id)
            yield operations_pb2.Result(answer=answer)

    def handler(self) -> grpc.GenericRpcHandler:
        lock = grpc.unary_unary_rpc_method_handler(
            self.lock, operations_pb2.LockRequest.FromString, operations_pb2.Answer.SerializeToString
        )
        execute = grpc.stream_stream_rpc_method_handler(
            self.execute, operations_pb2.Command.FromString, operations_pb2.Result.SerializeToString
        )
        methods: Any = {"Lock": lock, "Execute": execute}
        return grpc.method_handlers_generic_handler("lockstock.v1.StockService", methods)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((shop.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def lock(request_id: str = "") -> operations_pb2.LockRequest:
    return operations_pb2.LockRequest(cause=operations_pb2.Cause(request_id=request_id), reservation_id="o-1")


def test_a_new_request_id_is_a_uuid_of_version_7_stamped_with_now() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(lockstock.new_request_id())
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after
    assert len({lockstock.new_request_id() for _ in range(1_000)}) == 1_000


def test_a_call_without_a_request_id_gets_one_and_the_callers_message_is_not_touched(
    shop: Shop, address: str
) -> None:
    request = lock()
    with lockstock.connect(address) as client:
        answer = client.stock.Lock(request)
    assert uuid.UUID(answer.request_id).version == 7
    assert shop.asked == [answer.request_id]
    assert request == lock()


def test_what_a_retry_can_help_is_sent_again_with_the_same_id_after_the_hint(
    shop: Shop, address: str
) -> None:
    shop.refusals = [OVERLOADED, OVERLOADED]
    with lockstock.connect(address, QUICK) as client:
        assert client.stock.Lock(lock()).sequence == 7
    assert len(shop.asked) == 3
    assert len(set(shop.asked)) == 1
    assert all(later - earlier >= 0.01 for earlier, later in zip(shop.at, shop.at[1:], strict=False))


def test_retries_are_bounded_and_the_last_refusal_is_raised(shop: Shop, address: str) -> None:
    shop.refusals = [OVERLOADED] * 9
    with (
        lockstock.connect(address, Retries(attempts=3, first_wait=0.001)) as client,
        pytest.raises(lockstock.LockstockError) as error,
    ):
        client.stock.Lock(lock())
    assert len(shop.asked) == 3
    assert error.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (error.value.reason, error.value.metadata) == ("OVERLOADED", {"limit": "records"})
    assert error.value.retry_after == pytest.approx(0.01)
    assert isinstance(error.value.__cause__, grpc.RpcError)


def test_what_no_retry_can_help_is_raised_at_once_with_every_short_sku(shop: Shop, address: str) -> None:
    shop.refusals = [SHORT]
    with lockstock.connect(address, QUICK) as client, pytest.raises(lockstock.LockstockError) as error:
        client.stock.Lock(lock())
    assert len(shop.asked) == 1
    assert [(short.sku, short.asked, short.available_here) for short in error.value.shortages] == [
        ("book", 3, 1)
    ]
    assert str(error.value) == "INSUFFICIENT_STOCK: INSUFFICIENT_STOCK it is"


def test_retries_end_with_the_callers_timeout(shop: Shop, address: str) -> None:
    shop.refusals = [OVERLOADED] * 1_000
    with (
        lockstock.connect(address, Retries(attempts=1_000, first_wait=0.01, longest_wait=0.02)) as client,
        pytest.raises(lockstock.LockstockError),
    ):
        client.stock.Lock(lock(), timeout=0.3)
    assert 1 < len(shop.asked) < 100


def test_a_server_that_is_not_there_is_unavailable_without_a_reason() -> None:
    with (
        lockstock.connect("127.0.0.1:1", Retries(attempts=1)) as client,
        pytest.raises(lockstock.LockstockError) as error,
    ):
        client.stock.GetStock(stock_pb2.GetStockRequest(sku="book"))
    assert (error.value.code, error.value.reason) == (grpc.StatusCode.UNAVAILABLE, "")


def test_a_stream_gives_its_results_in_order_and_its_end_as_an_error(address: str) -> None:
    commands = [operations_pb2.Command(lock=lock()) for _ in range(3)]
    with lockstock.connect(address) as client:
        results = list(client.execute(commands))
        ids = [command.lock.cause.request_id for command in commands]
        assert [result.answer.request_id for result in results] == ids
        assert len(set(ids)) == 3
        broken = operations_pb2.Command(lock=operations_pb2.LockRequest(reservation_id="break"))
        with pytest.raises(lockstock.LockstockError, match="going away"):
            list(client.execute([broken]))


def test_the_face_for_asyncio_does_the_same(shop: Shop, address: str) -> None:
    async def run() -> None:
        async with aio.connect(address, QUICK) as client:
            shop.refusals = [OVERLOADED]
            answer = await client.stock.Lock(lock())
            assert shop.asked == [answer.request_id] * 2
            shop.refusals = [SHORT]
            with pytest.raises(lockstock.LockstockError) as error:
                await client.stock.Lock(lock())
            assert error.value.shortages[0].sku == "book"

            async def commands() -> Iterator[operations_pb2.Command]:  # type: ignore[misc] # an async generator
                yield operations_pb2.Command(lock=lock())

            results = [result async for result in client.execute(commands())]  # type: ignore[arg-type]
            assert uuid.UUID(results[0].answer.request_id).version == 7

    asyncio.run(run())


def test_ids_are_filled_into_batches_and_catalogue_calls_and_never_replaced() -> None:
    batch = with_request_ids(
        stock_pb2.ExecuteBatchRequest(
            commands=[operations_pb2.Command(lock=lock()), operations_pb2.Command(lock=lock("kept"))]
        )
    )
    first, second = (command.lock.cause.request_id for command in batch.commands)
    assert uuid.UUID(first).version == 7
    assert second == "kept"
    create = with_request_ids(catalog_pb2.CreateSkuRequest())
    assert uuid.UUID(create.request_id).version == 7
    place = with_request_ids(orders_pb2.PlaceOrderRequest(order_id="o"))
    assert uuid.UUID(place.cause.request_id).version == 7
    exchange = with_request_ids(orders_pb2.ExchangeOrderRequest(replacement=place))
    # A replacement has no cause of its own: it is refused where one is set.
    assert uuid.UUID(exchange.cause.request_id).version == 7
    assert exchange.replacement == place
    for listing in (orders_pb2.ListOrdersRequest(), orders_pb2.GetOrderRequest(order_id="o")):
        assert with_request_ids(listing) is listing
    read = stock_pb2.GetStockRequest(sku="a")
    assert with_request_ids(read) is read
