"""HTTP/2 frame by frame over a plain socket: says what no library of good manners would say."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATIENCE_SECONDS = 60.0
FRAME_HEAD_BYTES = 9
FRAME_BYTES_MAX = 16_384
STOCK = "/lockstock.v1.StockService/"

Headers = list[tuple[str, str]]


class ClosedError(Exception):
    """The server has closed the connection; `frames` is what came since the last look."""


class RawConnection:
    """One connection. Reads wait for what is asked for, or for the end of the connection."""

    def __init__(self, address: str, settings: dict[int, int] | None = None, *, greet: bool = True) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect((host, int(port)))
        self.encoder, self.decoder = Encoder(), Decoder()
        self._kept = b""
        if greet:
            self.send(PREFACE)
            self.send(SettingsFrame(0, settings or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, *frames: Frame | bytes) -> None:
        """Sends frames in one go. Raises ClosedError where nobody takes them any more."""
        written = [frame if isinstance(frame, bytes) else frame.serialize() for frame in frames]
        try:
            self.socket.sendall(b"".join(written))
        except (ConnectionError, BrokenPipeError) as error:
            raise ClosedError(str(error)) from error

    def headers(self, path: str, extra: Iterable[tuple[str, str]] = ()) -> bytes:
        """The headers of a gRPC call, encoded."""
        return bytes(self.encoder.encode([*request_headers(path), *extra]))

    def call(
        self,
        stream: int,
        path: str,
        message: bytes,
        *,
        extra: Iterable[tuple[str, str]] = (),
        end: bool = True,
    ) -> list[Frame]:
        """The frames of a call with one message."""
        head = HeadersFrame(stream, self.headers(path, extra), flags=["END_HEADERS"])
        body = DataFrame(stream, struct.pack(">BI", 0, len(message)) + message, flags=["END_STREAM"] * end)
        return [head, body]

    def frame(self) -> Frame:
        """The next frame. Raises ClosedError at the end of the connection."""
        head = self._read(FRAME_HEAD_BYTES)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self._read(length)))
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self._quietly(SettingsFrame(0, flags=["ACK"]))
        return frame

    def until(self, found: Callable[[Frame], bool]) -> Frame:
        """The first frame that is what is looked for; others are passed over."""
        while not found(frame := self.frame()):
            pass
        return frame

    def status(self, stream: int) -> dict[str, str]:
        """The last headers of a call: those that carry its status. Raises ClosedError."""

        seen: dict[int, dict[str, str]] = {}

        def last(frame: Frame) -> bool:
            if isinstance(frame, RstStreamFrame) and frame.stream_id == stream:
                raise ClosedError(f"stream {stream} was reset with {frame.error_code}")
            if isinstance(frame, HeadersFrame):
                block: bytes = frame.data
                piece: Frame = frame
                while "END_HEADERS" not in piece.flags:
                    more = self.frame()
                    assert isinstance(more, ContinuationFrame)
                    block, piece = block + more.data, more
                # Every block is decoded: the table of names is the connection's.
                seen[frame.stream_id] = {str(name): str(value) for name, value in self.decoder.decode(block)}
                return frame.stream_id == stream and "END_STREAM" in frame.flags
            return False

        self.until(last)
        return seen[stream]

    def end(self) -> int | None:
        """Waits for the end of the connection; the code of its GOAWAY, if it said one."""
        code = None
        try:
            while True:
                frame = self.frame()
                if isinstance(frame, GoAwayFrame):
                    code = frame.error_code
        except ClosedError:
            return code

    def _quietly(self, frame: Frame) -> None:
        try:
            self.send(frame)
        except ClosedError:
            # Whoever reads on sees it.
            return

    def _read(self, length: int) -> bytes:
        while len(self._kept) < length:
            try:
                came = self.socket.recv(1 << 16)
            except ConnectionError as error:
                raise ClosedError(str(error)) from error
            if not came:
                raise ClosedError("closed")
            self._kept += came
        read, self._kept = self._kept[:length], self._kept[length:]
        return read


class Sender:
    """Sends data as fast as the windows open, until the server ends a call with a status."""

    def __init__(self, line: RawConnection) -> None:
        self.line = line
        self.connection = self.first = 65_535
        self.streams: dict[int, int] = {}
        self.ended: set[str] = set()
        line.until(self._take)

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Sends data on a stream that is open."""
        self.streams.setdefault(stream, self.first)
        while data and not self.ended:
            room = min(self.connection, self.streams[stream], FRAME_BYTES_MAX)
            if room == 0:
                self._take(self.line.frame())
                continue
            piece, data = data[:room], data[room:]
            self.line.send(DataFrame(stream, piece))
            self.connection -= len(piece)
            self.streams[stream] -= len(piece)
        if end and not self.ended:
            self.line.send(DataFrame(stream, b"", flags=["END_STREAM"]))

    def until(self, found: Callable[[Frame], bool]) -> None:
        """Takes note of all that comes, up to what is looked for."""
        while not found(frame := self.line.frame()):
            self._take(frame)

    def _take(self, frame: Frame) -> bool:
        """Takes note of a frame; whether it was the first settings."""
        if isinstance(frame, WindowUpdateFrame) and frame.stream_id:
            self.streams[frame.stream_id] += frame.window_increment
        elif isinstance(frame, WindowUpdateFrame):
            self.connection += frame.window_increment
        elif isinstance(frame, HeadersFrame):
            said = {str(name): str(value) for name, value in self.line.decoder.decode(frame.data)}
            self.ended |= {said["grpc-status"]} if "grpc-status" in said else set()
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.first = frame.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, self.first)
            return True
        return False


def request_headers(path: str) -> Headers:
    """What every gRPC call says first."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "stock"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]


__all__ = ["PREFACE", "STOCK", "ClosedError", "RawConnection", "Sender", "request_headers"]
