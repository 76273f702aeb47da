"""Two doors, one answer; health, reflection; a graceful stop; what refuses a start."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import lockstock
import pytest
from conftest import Server, Start
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from lockstock import LockstockError, Retries, new_request_id
from lockstock.v1 import admin_pb2, catalog_pb2, stock_pb2
from lockstock.v1 import operations_pb2 as op

DOORS = ("address", "fast_lane")
STOCK = "/lockstock.v1.StockService/"


def a_shop(server: Server) -> None:
    with server.client() as client:
        client.catalog.ImportSkus(catalog_pb2.ImportSkusRequest(skus=[catalog_pb2.Sku(sku="book")]))
        warehouse = catalog_pb2.Warehouse(warehouse="W", tier=catalog_pb2.TIER_CENTRAL)
        client.catalog.ImportWarehouses(catalog_pb2.ImportWarehousesRequest(warehouses=[warehouse]))
        line = op.StockLine(sku="book", warehouse="W", quantity=1_000_000)
        client.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))


@pytest.fixture(scope="module")
def shop(server: Server) -> Server:
    a_shop(server)
    return server


def lock(reservation: str, quantity: int = 1, request_id: str = "") -> op.LockRequest:
    return op.LockRequest(
        cause=op.Cause(request_id=request_id),
        reservation_id=reservation,
        lines=[op.OrderLine(sku="book", quantity=quantity)],
        warehouses=op.WarehouseList(warehouses=["W"]),
    )


def call(address: str, method: str, request: bytes) -> tuple[str, bytes]:
    """The bytes of an answer, or of a status, with the code."""
    with grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        unary: Any = channel.unary_unary(f"{STOCK}{method}")
        future: Any = unary.future(request)
        if future.exception() is None:
            return "OK", future.result()
        return future.code().name, dict(future.trailing_metadata()).get("grpc-status-details-bin", b"")


READS: list[tuple[str, Message | bytes]] = [
    ("GetStock", stock_pb2.GetStockRequest(sku="book")),
    ("GetStock", stock_pb2.GetStockRequest(sku="none")),
    ("BatchGetStock", stock_pb2.BatchGetStockRequest(skus=["book"])),
    ("BatchGetStock", stock_pb2.BatchGetStockRequest(skus=["book", "book"])),
    ("GetSalesStock", stock_pb2.GetSalesStockRequest(skus=["book"])),
    ("GetSalesStock", stock_pb2.GetSalesStockRequest(skus=["book"], channel="none")),
    ("GetDispatchStock", stock_pb2.GetDispatchStockRequest(skus=["book"], warehouse="W")),
    ("GetDispatchStock", stock_pb2.GetDispatchStockRequest(skus=["book"], region="none")),
    ("GetWarehouseStock", stock_pb2.GetWarehouseStockRequest(skus=["book"])),
    ("GetReservation", stock_pb2.GetReservationRequest(reservation_id="none")),
    ("Lock", lock("x", quantity=2_000_000)),
    ("Lock", lock("x", quantity=0)),
    ("Lock", lock("x", request_id="nonsense")),
    ("Lock", op.LockRequest()),
    ("Lock", b"\xff\xff\xff"),
    ("Deduct", op.DeductRequest(reservation_id="none")),
    ("ExecuteBatch", stock_pb2.ExecuteBatchRequest()),
    ("ExecuteBatch", stock_pb2.ExecuteBatchRequest(commands=[op.Command()] * 8_191)),
    ("GetStock", b"\x0a\x01a" * (3 << 20)),
]


@pytest.mark.parametrize(("method", "request_"), READS)
def test_both_doors_give_the_same_bytes_for_the_same_question(
    shop: Server, method: str, request_: Message | bytes
) -> None:
    bytes_ = request_ if isinstance(request_, bytes) else request_.SerializeToString()
    python, fast = (call(getattr(shop, door), method, bytes_) for door in DOORS)
    assert python == fast
    assert python[1]


def test_a_request_repeated_at_the_other_door_gets_the_first_answer(shop: Server) -> None:
    for first_door, second_door in (DOORS, DOORS[::-1]):
        request = lock(f"across-{first_door}", request_id=new_request_id())
        with lockstock.connect(getattr(shop, first_door)) as client:
            first = client.stock.Lock(request)
        with lockstock.connect(getattr(shop, second_door)) as client:
            second = client.stock.Lock(request)
        assert (first.replayed, second.replayed) == (False, True)
        second.replayed = False
        assert second == first


@pytest.mark.parametrize("door", DOORS)
def test_a_stream_answers_in_order_and_one_refused_command_ends_nothing(shop: Server, door: str) -> None:
    commands = [op.Command(lock=lock(f"{door}-s{n}", quantity=0 if n == 7 else 1)) for n in range(20)]
    with lockstock.connect(getattr(shop, door)) as client:
        results = list(client.execute(commands))
    assert [result.WhichOneof("result") for result in results] == ["answer"] * 7 + ["status"] + [
        "answer"
    ] * 12
    owners = [result.answer.owner for result in results if result.HasField("answer")]
    assert owners == [f"{door}-s{n}" for n in range(20) if n != 7]


@pytest.mark.parametrize("door", DOORS)
def test_a_batch_answers_each_command(shop: Server, door: str) -> None:
    commands = [op.Command(lock=lock(f"{door}-b{n}")) for n in range(3)] + [op.Command()]
    with lockstock.connect(getattr(shop, door)) as client:
        results = client.stock.ExecuteBatch(stock_pb2.ExecuteBatchRequest(commands=commands)).results
    assert [result.WhichOneof("result") for result in results] == ["answer"] * 3 + ["status"]


@pytest.mark.parametrize("door", DOORS)
def test_health_says_serving(shop: Server, door: str) -> None:
    with grpc.insecure_channel(getattr(shop, door)) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "lockstock.v1.StockService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


# The newest protocol that each door's library speaks; grpcurl asks for both.
@pytest.mark.parametrize(("door", "protocol"), [("address", "v1alpha"), ("fast_lane", "v1")])
def test_reflection_knows_the_stock_service(shop: Server, door: str, protocol: str) -> None:
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="lockstock.v1.StockService")
    with grpc.insecure_channel(getattr(shop, door)) as channel:
        stream: Any = channel.stream_stream(
            f"/grpc.reflection.{protocol}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        answer = next(stream(iter([request])))
    assert any(b"StockService" in file for file in answer.file_descriptor_response.file_descriptor_proto)


@pytest.mark.parametrize("door", DOORS)
def test_the_seam_of_the_planners_is_not_reachable_from_outside(shop: Server, door: str) -> None:
    with grpc.insecure_channel(getattr(shop, door)) as channel:
        put: Any = channel.unary_unary("/lockstock.internal.v1.Documents/PutDocuments")
        with pytest.raises(grpc.RpcError) as error:
            put(b"")
        assert isinstance(error.value, grpc.Call)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_graceful_stop_answers_what_is_in_flight_and_loses_nothing(start: Start) -> None:
    server = start()
    a_shop(server)
    once = Retries(attempts=1)

    def sell(door: str) -> Iterator[str]:
        with lockstock.connect(getattr(server, door), once) as client:
            for n in range(100_000):
                try:
                    yield client.stock.Lock(lock(f"{door}-{n}", request_id=new_request_id())).owner
                except LockstockError as error:
                    # Not there any more: never half done, and never another failure.
                    if error.code is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    return

    with ThreadPoolExecutor(2) as pool:
        sales = [pool.submit(list, sell(door)) for door in DOORS]
        with server.client() as client:
            while client.stock.GetStock(stock_pb2.GetStockRequest(sku="book")).levels[0].locked < 50:
                pass
        assert server.stop() == 0
        sold = [owner for sale in sales for owner in sale.result(60)]
    assert len(sold) >= 50
    server.start()
    with server.client() as client:
        for owner in sold:
            client.stock.GetReservation(stock_pb2.GetReservationRequest(reservation_id=owner))
        level = client.stock.GetStock(stock_pb2.GetStockRequest(sku="book")).levels[0]
    assert level.locked == len(sold)
    assert level.available == 1_000_000 - len(sold)


def test_a_stop_leaves_the_database_at_the_end_of_the_journal(start: Start) -> None:
    server = start()
    a_shop(server)
    assert server.stop() == 0
    stopped = server.start()
    recovered = next(event for event in stopped.events() if event["event"] == "recovered")
    with server.client() as client:
        info = client.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
    assert info.projection.sequence >= recovered["sequence"] > 0


def test_a_journal_that_can_no_longer_be_written_ends_the_process_and_nothing_more_is_acknowledged(
    start: Start,
) -> None:
    server = start(SEGMENT_BYTES="64KiB", SHUTDOWN_DEADLINE="5")
    a_shop(server)
    shutil.rmtree(server.data_dir / "journal")
    acknowledged = 0
    with lockstock.connect(server.fast_lane, Retries(attempts=1)) as client:
        while True:
            commands = [op.Command(lock=lock(f"lost-{acknowledged}-{n}")) for n in range(100)]
            try:
                client.stock.ExecuteBatch(stock_pb2.ExecuteBatchRequest(commands=commands), timeout=20)
            except LockstockError as error:
                refused = error
                break
            acknowledged += 1
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    assert server.wait() == 70
    failed = [event for event in server.events() if event["event"] == "engine_failed"]
    assert len(failed) == 1
    assert failed[0]["sentence"]


@pytest.mark.parametrize("door", DOORS)
def test_many_who_call_while_a_stop_begins_get_an_answer_or_are_told_that_it_drains(
    start: Start, door: str
) -> None:
    """More calls than the door has matched to handlers: gRPC's own shutdown ends those CANCELLED."""
    server = start()
    a_shop(server)

    async def buyer(channel: grpc.aio.Channel, n: int) -> tuple[str, int]:
        call: Any = channel.unary_unary(f"{STOCK}Lock", op.LockRequest.SerializeToString)
        sold = 0
        while True:
            try:
                await call(lock(f"{door}-{n}-{sold}", request_id=new_request_id()))
            except grpc.aio.AioRpcError as error:
                return error.code().name, sold
            sold += 1
            if n == 0 and sold == 3:
                server.terminate()

    async def rush() -> list[tuple[str, int]]:
        async with grpc.aio.insecure_channel(getattr(server, door)) as channel:
            return await asyncio.gather(*(buyer(channel, n) for n in range(300)))

    ends = asyncio.run(rush())
    assert server.wait() == 0
    assert {code for code, _ in ends} == {"UNAVAILABLE"}
    server.start()
    with server.client() as client:
        level = client.stock.GetStock(stock_pb2.GetStockRequest(sku="book")).levels[0]
    assert level.locked == sum(sold for _, sold in ends)


@pytest.mark.parametrize("door", DOORS)
def test_a_stop_ends_an_open_stream_with_its_reason_and_does_not_wait_for_its_caller(
    start: Start, door: str
) -> None:
    server = start(SHUTDOWN_DEADLINE="50")
    with grpc.insecure_channel(getattr(server, door)) as channel:
        done = threading.Event()

        def commands() -> Iterator[bytes]:
            yield b""
            done.wait(60)

        execute: Any = channel.stream_stream(f"{STOCK}Execute")
        stream = execute(commands())
        next(stream)
        server.terminate()
        with pytest.raises(grpc.RpcError) as error:
            next(stream)
        assert error.value is stream
        assert LockstockError.from_rpc(stream).reason == "DRAINING"
        # One signal, and it is enough.
        assert server.wait() == 0
        done.set()


def open_stream_that_is_not_read(channel: grpc.Channel, server: Server) -> object:
    """Far more answers than a connection's window takes: the last of them stay in the server."""
    commands = [op.Command(lock=lock(f"unread-{n}")).SerializeToString() for n in range(20_000)]
    execute: Any = channel.stream_stream(f"{STOCK}Execute")
    stream = execute(iter(commands))
    next(stream)
    with server.client() as client:
        while client.stock.GetStock(stock_pb2.GetStockRequest(sku="book")).levels[0].locked < 1_000:
            pass
    return stream


def test_a_second_signal_does_not_wait_for_a_caller_who_does_not_read(start: Start) -> None:
    server = start(SHUTDOWN_DEADLINE="50")
    a_shop(server)
    with grpc.insecure_channel(server.address) as channel:
        stream = open_stream_that_is_not_read(channel, server)
        server.terminate()
        server.wait_for_event("stopping")
        server.terminate()
        assert server.wait() == 75
        del stream


def test_a_stop_ends_at_its_deadline_although_a_caller_does_not_read(start: Start) -> None:
    server = start(SHUTDOWN_DEADLINE="1")
    a_shop(server)
    with grpc.insecure_channel(server.address) as channel:
        stream = open_stream_that_is_not_read(channel, server)
        assert server.stop() == 0
        del stream


def test_a_directory_that_another_server_owns_refuses_the_start_with_a_sentence(start: Start) -> None:
    first = start()
    second = Server(first.data_dir)
    second.spawn()
    assert second.wait() == 3
    assert len(second.lines) == 1
    assert str(first.data_dir) in second.lines[0]


@pytest.mark.parametrize("name", ["ADDRESS", "FAST_LANE_ADDRESS", "METRICS_ADDRESS"])
def test_an_address_that_is_taken_refuses_the_start_with_a_sentence(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = Server(tmp_path, {name: address})
        server.spawn()
        assert server.wait() == 5, server.lines
        assert address in server.lines[-1]


def test_a_wrong_setting_refuses_the_start_with_a_sentence(tmp_path: Path) -> None:
    server = Server(tmp_path, {"DURABILITY": "maybe"})
    server.spawn()
    assert server.wait() == 2
    assert server.lines[0].startswith("LOCKSTOCK_DURABILITY (durability) is 'maybe'")
