"""What one connection of the fast lane can make it keep: 32 MiB of answers that it does not read and 32 MiB of
requests that it does not finish, and its other calls are refused with a reason and a hint."""

from __future__ import annotations

import struct

import pytest
from conftest import Server
from hyperframe.frame import (
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)
from lockstock.v1 import stock_pb2 as stock
from support.hostile import LARGE_READ, MIB, SKUS, grows_by_at_most, neighbour, stock_up
from support.raw_http2 import STOCK, RawConnection, Sender

GET, BATCH_GET = f"{STOCK}GetStock", f"{STOCK}BatchGetStock"
NO_WINDOW = {SettingsFrame.INITIAL_WINDOW_SIZE: 0}
OK, EXHAUSTED = "0", "8"


@pytest.fixture(scope="module")
def shop(server: Server) -> Server:
    stock_up(server.address)
    return server


@pytest.fixture
def pid(shop: Server) -> int:
    assert shop.process is not None
    return shop.process.pid


def test_who_reads_no_answers_costs_a_bounded_amount(shop: Server, pid: int) -> None:
    message = struct.pack(">BI", 0, len(LARGE_READ)) + LARGE_READ
    opened = range(1, 1_800, 2)
    with RawConnection(shop.fast_lane, NO_WINDOW) as line:
        sender = Sender(line)
        with neighbour(shop.fast_lane, "unread"), grows_by_at_most(pid, 128 * MIB):
            for stream in opened:
                line.send(HeadersFrame(stream, line.headers(BATCH_GET), flags=["END_HEADERS"]))
                sender.send(stream, message, end=True)
                if sender.ended:
                    break
            line.send(PingFrame(0, b"all sent"))
            # A refusal needs no window: it is there before the answer to what was said after it.
            sender.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags)
        assert sender.ended == {EXHAUSTED}
        # Who gives up what was not read is served again.
        line.send(*(RstStreamFrame(number, 8) for number in range(1, stream + 1, 2)))
        line.send(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 65_535}))
        line.send(*line.call(1_803, GET, stock.GetStockRequest(sku=SKUS[0]).SerializeToString()))
        assert line.status(1_803)["grpc-status"] == OK


def test_requests_that_are_never_finished_cost_a_bounded_amount(shop: Server, pid: int) -> None:
    with RawConnection(shop.fast_lane) as line:
        sender = Sender(line)
        with neighbour(shop.fast_lane, "unfinished"), grows_by_at_most(pid, 192 * MIB):
            for stream in range(1, 101, 2):
                # 4 MiB of a message of 16 MiB each, and never the rest.
                line.send(HeadersFrame(stream, line.headers(GET), flags=["END_HEADERS"]))
                sender.send(stream, struct.pack(">BI", 0, 16 * MIB))
                sender.send(stream, bytes(4 * MIB))
                if sender.ended:
                    break
        assert sender.ended == {EXHAUSTED}
    with RawConnection(shop.fast_lane) as line:
        line.send(*line.call(1, GET, stock.GetStockRequest(sku=SKUS[0]).SerializeToString()))
        assert line.status(1)["grpc-status"] == OK
