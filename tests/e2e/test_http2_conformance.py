"""HTTP/2 of the fast lane by RFC 9113: what it must take, and what it must end, stream or connection, with
which code. `tests/model` runs h2spec; these are the cases that would hurt most, each by its section."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from conftest import Server
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)
from lockstock.v1 import stock_pb2
from support.raw_http2 import STOCK, ClosedError, RawConnection, request_headers

PROTOCOL, FLOW, SIZE, COMPRESSION = 1, 3, 6, 9
GET = f"{STOCK}GetStock"
REQUEST = stock_pb2.GetStockRequest(sku="none").SerializeToString()
NOT_FOUND = "5"

Say = Callable[[RawConnection], list[Frame | bytes]]


def raw(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    """A frame that no library writes."""
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def head(line: RawConnection, stream: int = 1, flags: tuple[str, ...] = ("END_HEADERS",)) -> HeadersFrame:
    return HeadersFrame(stream, line.headers(GET), flags=list(flags))


def with_headers(*headers: tuple[str, str]) -> Say:
    return lambda line: [HeadersFrame(1, line.encoder.encode(headers), flags=["END_HEADERS", "END_STREAM"])]


def without(name: str) -> list[tuple[str, str]]:
    return [header for header in request_headers(GET) if header[0] != name]


@dataclass(frozen=True, slots=True)
class Case:
    """What is said, and the codes with which the connection or the stream may end."""

    section: str
    words: str
    say: Say
    codes: tuple[int, ...] = (PROTOCOL,)
    stream: bool = False
    """Whether a stream error is enough; a connection error always is (section 5.4)."""


CASES = [
    Case("4.2", "a frame above the size that was agreed", lambda _: [raw(6, 0, 0, bytes(16_385))], (SIZE,)),
    Case(
        "4.3",
        "headers that cannot be decoded",
        lambda _: [raw(1, 5, 1, b"\xff\xff\xff\xff\xff")],
        (COMPRESSION,),
    ),
    Case("4.3", "another frame amid a header block", lambda line: [head(line, flags=()), PingFrame(0)]),
    Case("5.1", "data on an idle stream", lambda _: [DataFrame(1, b"x")]),
    Case("5.1", "a reset of an idle stream", lambda _: [RstStreamFrame(1)]),
    Case("5.1", "a window for an idle stream", lambda _: [raw(8, 0, 1, struct.pack(">I", 100))]),
    Case("5.1.1", "a stream with an even number", lambda line: [head(line, 2)]),
    Case("5.1.1", "a stream below one before it", lambda line: [head(line, 5), head(line, 3)]),
    Case("6.1", "data on stream 0", lambda _: [raw(0, 0, 0, b"x")]),
    Case("6.1", "padding longer than the frame", lambda line: [head(line), raw(0, 8, 1, b"\x06hello")]),
    Case("6.2", "headers on stream 0", lambda line: [raw(1, 5, 0, line.headers(GET))]),
    Case("6.4", "a reset with another length", lambda line: [head(line), raw(3, 0, 1, b"123")], (SIZE,)),
    Case("6.4", "a reset of stream 0", lambda _: [raw(3, 0, 0, bytes(4))]),
    Case("6.5", "an acknowledgement of settings with settings", lambda _: [raw(4, 1, 0, bytes(6))], (SIZE,)),
    Case("6.5", "settings on a stream", lambda _: [raw(4, 0, 1, b"")]),
    Case("6.5", "settings cut short", lambda _: [raw(4, 0, 0, bytes(3))], (SIZE,)),
    Case("6.5.2", "push neither on nor off", lambda _: [raw(4, 0, 0, struct.pack(">HI", 2, 2))]),
    Case("6.5.2", "a window above 2^31-1", lambda _: [raw(4, 0, 0, struct.pack(">HI", 4, 1 << 31))], (FLOW,)),
    Case("6.5.2", "a frame size below 16,384", lambda _: [raw(4, 0, 0, struct.pack(">HI", 5, 100))]),
    Case(
        "6.6", "a push by the client", lambda line: [raw(5, 4, 1, struct.pack(">I", 2) + line.headers(GET))]
    ),
    Case("6.7", "a ping with another length", lambda _: [raw(6, 0, 0, b"1234")], (SIZE,)),
    Case("6.7", "a ping on a stream", lambda _: [raw(6, 0, 1, bytes(8))]),
    Case("6.8", "a goodbye on a stream", lambda _: [raw(7, 0, 1, bytes(8))]),
    Case("6.9", "a window that grows by nothing", lambda _: [raw(8, 0, 0, bytes(4))]),
    Case("6.9", "a window with another length", lambda _: [raw(8, 0, 0, bytes(3))], (SIZE,)),
    Case(
        "6.9.1",
        "a window of the connection above 2^31-1",
        lambda _: [raw(8, 0, 0, struct.pack(">I", (1 << 31) - 1))] * 2,
        (FLOW,),
    ),
    Case("6.10", "a continuation of nothing", lambda _: [ContinuationFrame(1, b"", flags=["END_HEADERS"])]),
    Case("8.1", "a name in capitals", with_headers(*request_headers(GET), ("X-Upper", "1")), stream=True),
    Case("8.3", "no method", with_headers(*without(":method")), stream=True),
    Case("8.3", "no path", with_headers(*without(":path")), stream=True),
    Case("8.3", "two paths", with_headers((":path", "/a"), *request_headers(GET)), stream=True),
    Case("8.3", "an unknown pseudo-header", with_headers((":no", "1"), *request_headers(GET)), stream=True),
    Case(
        "8.3",
        "a pseudo-header of answers",
        with_headers((":status", "200"), *request_headers(GET)),
        stream=True,
    ),
    Case(
        "8.2.2",
        "a header of HTTP/1",
        with_headers(*request_headers(GET), ("connection", "close")),
        stream=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.section} {case.words}" for case in CASES])
def test_what_the_protocol_forbids_ends_the_stream_or_the_connection(server: Server, case: Case) -> None:
    with RawConnection(server.fast_lane) as line:
        line.send(*case.say(line))
        code = None
        try:
            while code is None:
                frame = line.frame()
                if isinstance(frame, GoAwayFrame) or (case.stream and isinstance(frame, RstStreamFrame)):
                    code = frame.error_code
        except ClosedError:
            # Closing alone is an answer, where it comes before the goodbye is read (section 5.4.1).
            return
        # The general code is right wherever a more particular one would be (section 7), and h2 often uses it.
        assert code in {*case.codes, PROTOCOL}


def answered(line: RawConnection, stream: int) -> None:
    line.send(*line.call(stream, GET, REQUEST))
    assert line.status(stream)["grpc-status"] == NOT_FOUND


def test_headers_in_pieces_are_one_block(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        block = line.headers(GET)
        # More pieces than a block needs are a flood, and end the connection.
        third = len(block) // 3 + 1
        pieces = [block[at : at + third] for at in range(0, len(block), third)]
        first, *rest = pieces
        line.send(HeadersFrame(1, first))
        line.send(*(ContinuationFrame(1, piece) for piece in rest[:-1]))
        line.send(ContinuationFrame(1, rest[-1], flags=["END_HEADERS"]))
        line.send(DataFrame(1, struct.pack(">BI", 0, len(REQUEST)) + REQUEST, flags=["END_STREAM"]))
        assert line.status(1)["grpc-status"] == NOT_FOUND


def test_a_message_in_single_bytes_is_one_message(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        line.send(head(line))
        body = struct.pack(">BI", 0, len(REQUEST)) + REQUEST
        line.send(*(DataFrame(1, body[at : at + 1]) for at in range(len(body))))
        line.send(DataFrame(1, b"", flags=["END_STREAM"]))
        assert line.status(1)["grpc-status"] == NOT_FOUND


def test_what_is_unknown_is_passed_over(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        line.send(raw(0x16, 0, 0, b"unknown frame"), raw(4, 0, 0, struct.pack(">HI", 0xFF, 1)))
        answered(line, 1)


def test_padding_priority_and_reserved_bits_are_passed_over(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        line.send(raw(2, 0, 1, struct.pack(">IB", 0, 15)))
        block = b"\x04" + struct.pack(">IB", 0, 15) + line.headers(GET) + bytes(4)
        line.send(raw(1, 0x20 | 0x08 | 0x04, 1, block))
        body = struct.pack(">BI", 0, len(REQUEST)) + REQUEST
        line.send(raw(0, 0x08 | 0x01, 1, b"\x03" + body + bytes(3)))
        assert line.status(1)["grpc-status"] == NOT_FOUND


def test_a_ping_is_answered_with_its_own_words(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        line.send(PingFrame(0, b"8 octets"))
        pong = line.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags)
        assert isinstance(pong, PingFrame)
        assert pong.opaque_data == b"8 octets"


def test_settings_are_acknowledged(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        line.until(lambda frame: isinstance(frame, SettingsFrame) and "ACK" in frame.flags)


def test_a_wrong_preface_ends_the_connection(server: Server) -> None:
    with RawConnection(server.fast_lane, greet=False) as line:
        line.send(b"GET / HTTP/1.1\r\nhost: stock\r\n\r\n")
        line.end()


def test_an_answer_keeps_within_the_window_it_is_given(server: Server) -> None:
    no_window = {SettingsFrame.INITIAL_WINDOW_SIZE: 0}
    with RawConnection(server.fast_lane, no_window) as line:
        # CheckAvailability of nothing known is refused in headers alone; a batch of one answers with data.
        batch = stock_pb2.ExecuteBatchRequest()
        batch.commands.add()
        line.send(*line.call(1, f"{STOCK}ExecuteBatch", batch.SerializeToString()))
        first = line.until(lambda frame: frame.stream_id == 1)
        assert isinstance(first, HeadersFrame)
        assert "END_STREAM" not in first.flags
        sizes = []
        for _ in range(3):
            line.send(raw(8, 0, 1, struct.pack(">I", 2)))
            data = line.until(lambda frame: frame.stream_id == 1)
            assert isinstance(data, DataFrame)
            sizes.append(len(data.data))
        assert all(0 < size <= 2 for size in sizes)


def test_a_bad_stream_leaves_the_connection_to_the_others(server: Server) -> None:
    with RawConnection(server.fast_lane) as line:
        line.send(HeadersFrame(1, line.encoder.encode(without(":path")), flags=["END_HEADERS", "END_STREAM"]))
        line.until(lambda frame: isinstance(frame, RstStreamFrame))
        answered(line, 3)
