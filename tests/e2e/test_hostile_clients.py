"""Hostile and clumsy clients at both doors: memory stays bounded, others are served, each gets its status.

Bounds follow from settings: 16 KiB of headers, 1,000 calls a connection, windows of 1 MiB a call and 4 MiB a
connection, 1,024 commands of a stream in flight.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import lockstock
import pytest
from conftest import Server
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from support.hostile import (
    LARGE_READ,
    MIB,
    SKUS,
    descriptors,
    grows_by_at_most,
    lock,
    neighbour,
    stock_up,
)
from support.raw_http2 import PREFACE, STOCK, ClosedError, RawConnection, Sender

DOORS = ("address", "fast_lane")
EXECUTE, GET, BATCH_GET = f"{STOCK}Execute", f"{STOCK}GetStock", f"{STOCK}BatchGetStock"
NO_WINDOW = {SettingsFrame.INITIAL_WINDOW_SIZE: 0}
OK, DEADLINE, EXHAUSTED = "0", "4", "8"
SEED = 20_260_728


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # The server inherits what we may open.
    descriptors(0)
    server = Server(tmp_path_factory.mktemp("hostile"))
    try:
        server.start()
        stock_up(server.address)
        yield server
    finally:
        server.kill()


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, shop: Server) -> str:
    return str(getattr(shop, request.param))


@pytest.fixture
def pid(shop: Server) -> int:
    assert shop.process is not None
    return shop.process.pid


def refused_or_closed(line: RawConnection, *frames: Frame | bytes) -> None:
    """Sends until nobody takes it any more, or all of it was taken; then the connection still is of use, or over."""
    try:
        line.send(*frames)
        line.send(PingFrame(0, b"still on"))
        line.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags)
    except ClosedError:
        return


def served(address: str) -> None:
    with RawConnection(address) as line:
        line.send(*line.call(1, GET, stock.GetStockRequest(sku=SKUS[0]).SerializeToString()))
        assert line.status(1)["grpc-status"] == OK


def test_thousands_of_idle_connections_cost_little_and_hinder_nobody(door: str, pid: int) -> None:
    count = descriptors(2_000)
    lines: list[RawConnection] = []
    try:
        with neighbour(door, f"idle-{door}"), grows_by_at_most(pid, 32 * MIB + count * 64 * 1024):
            lines += [RawConnection(door) for _ in range(count)]
            for line in lines:
                line.until(lambda frame: isinstance(frame, SettingsFrame) and "ACK" in frame.flags)
        assert count >= 500
    finally:
        for line in lines:
            line.close()


def test_half_open_connections_hinder_nobody(door: str, pid: int) -> None:
    halves = [b"", PREFACE[:10], PREFACE, PREFACE + SettingsFrame(0).serialize()[:5]]
    lines = [RawConnection(door, greet=False) for _ in range(400)]
    try:
        with neighbour(door, f"half-{door}"), grows_by_at_most(pid, 64 * MIB):
            for at, line in enumerate(lines):
                line.send(halves[at % len(halves)])
            served(door)
    finally:
        for line in lines:
            line.close()


def test_who_reads_no_answers_costs_no_more_than_those_answers(door: str, pid: int) -> None:
    # The bound is the number of calls, 1,000 a connection, times the longest answer.
    calls = 200
    with (
        RawConnection(door, NO_WINDOW) as line,
        neighbour(door, f"unread-{door}"),
        grows_by_at_most(pid, calls * 3 * MIB // 2),
    ):
        sender = Sender(line)
        message = struct.pack(">BI", 0, len(LARGE_READ)) + LARGE_READ
        for stream in range(1, 2 * calls, 2):
            line.send(HeadersFrame(stream, line.headers(BATCH_GET), flags=["END_HEADERS"]))
            sender.send(stream, message, end=True)
        line.send(PingFrame(0, b"all sent"))
        line.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags)


def test_a_stream_whose_results_nobody_reads_is_not_read_either(door: str, pid: int) -> None:
    commands = [op.Command(lock=lock(f"unread-{door}-{number}")) for number in range(6_000)]
    with (
        RawConnection(door, NO_WINDOW) as line,
        neighbour(door, f"unread-stream-{door}"),
        grows_by_at_most(pid, 64 * MIB),
    ):
        line.send(*line.call(1, EXECUTE, commands[0].SerializeToString(), end=False))
        # As much as the window of a new call lets us send.
        for some in range(1, 301, 50):
            line.send(*(_message(1, command) for command in commands[some : some + 50]))
        line.send(PingFrame(0, b"all sent"))
        line.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags)


def _message(stream: int, command: op.Command) -> DataFrame:
    bytes_ = command.SerializeToString()
    return DataFrame(stream, struct.pack(">BI", 0, len(bytes_)) + bytes_)


def test_streams_that_never_end_hinder_nobody(door: str, pid: int) -> None:
    lines = [RawConnection(door) for _ in range(4)]
    try:
        with neighbour(door, f"endless-{door}"), grows_by_at_most(pid, 64 * MIB):
            for at, line in enumerate(lines):
                for stream in range(1, 201, 2):
                    command = op.Command(lock=lock(f"endless-{door}-{at}-{stream}"))
                    line.send(*line.call(stream, EXECUTE, command.SerializeToString(), end=False))
                # Each is answered although its caller never ends.
                answered: set[int] = set()
                while len(answered) < 100:
                    frame = line.until(lambda frame: isinstance(frame, DataFrame) and bool(frame.data))
                    answered.add(frame.stream_id)
    finally:
        for line in lines:
            line.close()


def test_frames_of_nonsense_end_their_connection_and_no_other(door: str, pid: int) -> None:
    draw = random.Random(SEED)
    with neighbour(door, f"nonsense-{door}"), grows_by_at_most(pid, 64 * MIB):
        for _ in range(150):
            with RawConnection(door, greet=draw.random() < 0.8) as line:
                refused_or_closed(line, draw.randbytes(draw.randint(1, 2_000)))


def test_a_frame_longer_than_agreed_ends_its_connection(door: str, pid: int) -> None:
    with neighbour(door, f"long-frame-{door}"), grows_by_at_most(pid, 32 * MIB), RawConnection(door) as line:
        length = (1 << 24) - 1
        refused_or_closed(
            line, struct.pack(">I", length)[1:] + bytes([0, 0]) + struct.pack(">I", 1), bytes(MIB)
        )
        line.end()


def too_long(unary: Any, _: Any) -> None:
    unary(bytes(17 * MIB), timeout=60)


def compressed_with(method: grpc.Compression) -> Callable[[Any, Any], None]:
    def ask(unary: Any, _: Any) -> None:
        unary(stock.GetStockRequest(sku=SKUS[0]).SerializeToString(), compression=method, timeout=60)

    return ask


def long_headers(unary: Any, _: Any) -> None:
    unary(b"", metadata=[(f"x-{number}", "y" * 1_000) for number in range(20)], timeout=60)


def no_message(_: Any, streaming: Any) -> None:
    streaming(iter(()), timeout=1)


Code = grpc.StatusCode
TRANSPORTS = {
    "a message longer than the limit": (too_long, Code.RESOURCE_EXHAUSTED, Code.OUT_OF_RANGE),
    "gzip": (compressed_with(grpc.Compression.Gzip), Code.OK, Code.UNIMPLEMENTED),
    "deflate": (compressed_with(grpc.Compression.Deflate), Code.OK, Code.UNIMPLEMENTED),
    "headers of 20 KB": (long_headers, Code.RESOURCE_EXHAUSTED, Code.UNKNOWN),
    "a unary call without a message": (no_message, Code.DEADLINE_EXCEEDED, Code.INTERNAL),
}
"""What a transport says by itself at the Python door and at the fast lane: the table of docs/reasons.md."""


@pytest.mark.parametrize("what", TRANSPORTS)
def test_each_transport_answers_by_itself_as_it_is_tabled(door: str, shop: Server, what: str) -> None:
    ask, *codes = TRANSPORTS[what]
    wanted = dict(zip((shop.address, shop.fast_lane), codes, strict=True))[door]
    with grpc.insecure_channel(door, options=[("grpc.max_send_message_length", -1)]) as channel:
        try:
            ask(channel.unary_unary(GET), channel.stream_unary(GET))
            said = Code.OK
        except grpc.RpcError as error:
            said = error.code()
    assert said is wanted
    served(door)


def test_a_flood_of_continuations_ends_its_connection(door: str, pid: int) -> None:
    with (
        neighbour(door, f"continuations-{door}"),
        grows_by_at_most(pid, 64 * MIB),
        RawConnection(door) as line,
    ):
        block = line.headers(GET)
        try:
            line.send(HeadersFrame(1, block))
            for _ in range(4_000):
                line.send(ContinuationFrame(1, line.encoder.encode([("x", "y" * 16_000)], huffman=False)))
        except ClosedError:
            pass
        line.end()


def test_headers_beyond_the_limit_are_refused_and_the_next_call_is_served(door: str) -> None:
    with grpc.insecure_channel(door) as channel:
        unary: Any = channel.unary_unary(GET)
        with pytest.raises(grpc.RpcError) as error:
            unary(b"", metadata=[(f"x-{number}", "y" * 1_000) for number in range(60)], timeout=60)
        assert isinstance(error.value, grpc.Call)
        # Not read, so not judged: whatever the transport says, it is no answer of ours.
        assert error.value.code() not in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK}
    served(door)


def test_a_rapid_reset_hinders_nobody(door: str, pid: int) -> None:
    with neighbour(door, f"reset-{door}"), grows_by_at_most(pid, 96 * MIB), RawConnection(door) as line:
        try:
            for first in range(1, 40_001, 200):
                for stream in range(first, first + 200, 2):
                    head = HeadersFrame(stream, line.headers(GET), flags=["END_HEADERS"])
                    line.send(head, RstStreamFrame(stream, 8))
        except ClosedError:
            pass
    served(door)


@pytest.mark.parametrize("flood", ["pings", "settings", "empty data"])
def test_a_flood_of_small_frames_costs_a_bounded_amount(door: str, pid: int, flood: str) -> None:
    frames: dict[str, Frame] = {
        "pings": PingFrame(0, b"8 octets"),
        "settings": SettingsFrame(0, {}),
        "empty data": DataFrame(1, b""),
    }
    with (
        neighbour(door, f"flood-{flood}-{door}"),
        grows_by_at_most(pid, 64 * MIB),
        RawConnection(door) as line,
    ):
        line.send(HeadersFrame(1, line.headers(EXECUTE), flags=["END_HEADERS"]))
        line.socket.settimeout(2)
        try:
            # Nothing of what comes back is read: the kernel's buffers fill, and then the server takes no more.
            for _ in range(200):
                line.send(frames[flood].serialize() * 500)
        except (ClosedError, TimeoutError):
            pass


def test_cancelled_calls_leave_nothing_behind(door: str, pid: int) -> None:
    with grows_by_at_most(pid, 64 * MIB), grpc.insecure_channel(door) as channel:
        unary: Any = channel.unary_unary(f"{STOCK}Lock")
        calls = []
        for number in range(600):
            calls.append(unary.future(lock(f"cancelled-{door}-{number}").SerializeToString(), timeout=60))
            if number % 2:
                calls[-1].cancel()
        codes = [call.code() for call in calls[::2]]
        # Many at once look like a rapid reset: then the connection ends, and those on it are told.
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        assert {call.code() for call in calls[1::2]} <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.OK}
    # Each took effect once or not at all, and a retry could tell: here the reservation tells.
    with lockstock.connect(door) as client:
        for number in (2 * at for at, code in enumerate(codes) if code is grpc.StatusCode.OK):
            name = f"cancelled-{door}-{number}"
            found = client.stock.GetReservation(stock.GetReservationRequest(reservation_id=name))
            assert found.lines[0].locked == 1


def test_a_deadline_that_is_past_has_its_status_and_a_nonsensical_one_none(door: str) -> None:
    with RawConnection(door) as line:
        question = stock.GetStockRequest(sku=SKUS[0]).SerializeToString()
        line.send(*line.call(1, GET, question, extra=[("grpc-timeout", "1n")]))
        try:
            # An answer that was ready at once may come before anybody looks at the clock.
            assert line.status(1)["grpc-status"] in {OK, DEADLINE}
        except ClosedError as reset:
            # gRPC's own way to say it: the caller has long known.
            assert "was reset with 8" in str(reset)  # noqa: PT017 - either answer is right
    served(door)
