"""An engine with memory for the doors: it echoes, in bursts, when it is told that the disk is done."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from google.rpc import status_pb2
from lockstock.v1 import operations_pb2


def refusal(words: str) -> bytes:
    status: bytes = status_pb2.Status(code=9, message=words).SerializeToString()
    return status


@dataclass
class FakeCore:
    """Answers `Lock` with an Answer whose sequence counts the calls; holds it back until `sync`.

    What begins with "refuse" is refused, what begins with "now" may leave at once.
    """

    sequence: int = 0
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    held: list[tuple[int, bool, bytes]] = field(default_factory=list)
    ready: list[tuple[int, bool, bytes]] = field(default_factory=list)
    syncing: bool = True
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _fd: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))

    def completions_fd(self) -> int:
        return self._fd

    def call(self, method: str, request: bytes, token: int) -> tuple[bool, bytes] | None:
        self.asked.append((method, request))
        self._arrived.set()
        self.sequence += 1
        if request.startswith(b"refuse"):
            return False, refusal(request.decode())
        answer = operations_pb2.Answer(sequence=self.sequence, owner=request.decode("latin-1"))
        payload = answer.SerializeToString()
        if method.endswith("Execute"):
            payload = operations_pb2.Result(answer=answer).SerializeToString()
        if request.startswith(b"now"):
            return True, payload
        self.held.append((token, True, payload))
        if self.syncing:
            self.sync()
        return None

    async def asked_times(self, count: int) -> None:
        """Waits until so many calls have come."""
        while len(self.asked) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def sync(self) -> None:
        self.ready += self.held
        self.held = []
        os.eventfd_write(self._fd, 1)

    def take_completions(self) -> list[tuple[int, bool, bytes]]:
        os.eventfd_read(self._fd)
        taken, self.ready = self.ready, []
        return taken

    def close(self) -> None:
        os.close(self._fd)

    def status(self) -> str:
        return "{}"

    def metrics(self) -> str:
        return "[]"

    def freeze(self) -> None:
        self.asked.append(("freeze", b""))

    def thaw(self) -> None:
        self.asked.append(("thaw", b""))

    def drain(self) -> None:
        self.asked.append(("drain", b""))

    def snapshot(self) -> tuple[int, int]:
        return self.sequence, 1
