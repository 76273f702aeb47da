"""Under overload new locks are refused first, with a reason and a hint; what is promised already is still paid
and given back; and the first lock after it passes."""

from __future__ import annotations

from collections.abc import Iterator

import lockstock
import pytest
from conftest import Server
from lockstock.v1 import catalog_pb2, stock_pb2
from lockstock.v1 import operations_pb2 as op

DOORS = ("address", "fast_lane")
IN_FLIGHT_MAX = 40
LOCKS_MAX = 28
"""Of those in flight: from here on only what is promised already goes on."""
HINT_SECONDS = 0.25


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"IN_FLIGHT_RECORDS_MAX": str(IN_FLIGHT_MAX), "RETRY_HINT": str(HINT_SECONDS)}
    server = Server(tmp_path_factory.mktemp("overload"), settings)
    try:
        stock_up(server.start())
        yield server
    finally:
        server.kill()


def stock_up(server: Server) -> None:
    with server.client() as client:
        client.catalog.ImportSkus(catalog_pb2.ImportSkusRequest(skus=[catalog_pb2.Sku(sku="book")]))
        warehouse = catalog_pb2.Warehouse(warehouse="W", tier=catalog_pb2.TIER_CENTRAL)
        client.catalog.ImportWarehouses(catalog_pb2.ImportWarehousesRequest(warehouses=[warehouse]))
        line = op.StockLine(sku="book", warehouse="W", quantity=1_000_000)
        client.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))


def level(client: lockstock.Client) -> stock_pb2.StockLevel:
    answer: stock_pb2.GetStockResponse = client.stock.GetStock(stock_pb2.GetStockRequest(sku="book"))
    return answer.levels[0]


def lock(reservation: str) -> op.Command:
    return op.Command(
        lock=op.LockRequest(
            reservation_id=reservation,
            lines=[op.OrderLine(sku="book", quantity=1)],
            warehouses=op.WarehouseList(warehouses=["W"]),
        )
    )


def deduct(reservation: str) -> op.Command:
    return op.Command(deduct=op.DeductRequest(reservation_id=reservation))


def unlock(reservation: str) -> op.Command:
    return op.Command(unlock=op.UnlockRequest(reservation_id=reservation))


def errors(results: list[op.Result]) -> list[lockstock.LockstockError]:
    return [
        lockstock.LockstockError.from_status(result.status) for result in results if result.HasField("status")
    ]


# What of a batch runs at once, 64 commands, is judged as a whole: what stands ahead of a command there is in flight
# when that command is judged.
@pytest.mark.parametrize("door", DOORS)
def test_a_full_queue_refuses_locks_and_lets_payments_and_cancellations_pass(shop: Server, door: str) -> None:
    with lockstock.connect(getattr(shop, door)) as client:

        def run(commands: list[op.Command]) -> list[op.Result]:
            return list(client.stock.ExecuteBatch(stock_pb2.ExecuteBatchRequest(commands=commands)).results)

        locked = level(client).locked
        before = [f"{door}-before-{number}" for number in range(10)]
        assert not errors(run([lock(name) for name in before]))

        flood = [lock(f"{door}-flood-{number}") for number in range(LOCKS_MAX + 10)]
        ends = [deduct(name) for name in before[:5]] + [unlock(name) for name in before[5:]]
        late = [lock(f"{door}-late")]
        results = run(flood + ends + late)

        refused = errors(results)
        assert len(refused) == 11
        for error in refused:
            assert (error.reason, error.code.name) == ("OVERLOADED", "RESOURCE_EXHAUSTED")
            assert error.retry_after == HINT_SECONDS
            assert "in_flight_records_max" in error.metadata["limit"]
        # The first were taken, the rest refused, and everything that ends a promise was done.
        kinds = [result.WhichOneof("result") for result in results]
        assert kinds == ["answer"] * LOCKS_MAX + ["status"] * 10 + ["answer"] * 10 + ["status"]

        # It is over when what was in flight is durable, and that is when it was answered.
        assert client.stock.Lock(lock(f"{door}-late").lock).owner == f"{door}-late"
        assert level(client).locked == locked + LOCKS_MAX + 1


@pytest.mark.parametrize("door", DOORS)
def test_more_than_there_is_room_for_refuses_the_rest_of_everything_and_changes_nothing(
    shop: Server, door: str
) -> None:
    with lockstock.connect(getattr(shop, door)) as client:
        available = level(client).available
        line = op.StockLine(sku="book", warehouse="W", quantity=1)
        commands = [op.Command(increase=op.IncreaseRequest(lines=[line])) for _ in range(IN_FLIGHT_MAX + 5)]
        answer = client.stock.ExecuteBatch(stock_pb2.ExecuteBatchRequest(commands=commands))
        refused = errors(list(answer.results))
        assert [error.reason for error in refused] == ["OVERLOADED"] * 5
        assert level(client).available == available + IN_FLIGHT_MAX
        # The same batch again is a batch of new requests; those that were refused are judged anew.
        retried = stock_pb2.ExecuteBatchRequest(commands=commands[-5:])
        assert not errors(list(client.stock.ExecuteBatch(retried).results))


def test_a_client_that_heeds_the_hint_gets_through(shop: Server) -> None:
    waited: list[float] = []
    commands = [lock(f"patient-{number}") for number in range(3 * LOCKS_MAX)]
    with shop.client() as client:
        locked = level(client).locked
        while commands:
            results = client.stock.ExecuteBatch(stock_pb2.ExecuteBatchRequest(commands=commands)).results
            waited += [error.retry_after or 0.0 for error in errors(list(results))]
            commands = [
                command
                for command, result in zip(commands, results, strict=True)
                if result.HasField("status")
            ]
        assert level(client).locked == locked + 3 * LOCKS_MAX
    assert set(waited) == {HINT_SECONDS}
