"""Calls of the engine from asyncio: completions come in bursts behind one file descriptor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from google.rpc import status_pb2

from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from lockstock_server.core import Core

Payload = tuple[bool, bytes]
"""Whether the call was granted; its answer, or a serialised google.rpc.Status."""


class Calls:
    """The engine for one event loop. All methods belong to that loop's thread."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Payload]] = {}
        self._tokens = 0
        self._fd = core.completions_fd()
        self._loop.add_reader(self._fd, self._drain)

    def submit(self, method: str, request: bytes) -> Payload | asyncio.Future[Payload]:
        """Have the engine judge a call now; its answer, or a future where it must become durable first.

        Calls take effect in the order in which they are submitted.
        """
        self._tokens += 1
        token = self._tokens
        done = self._core.call(method, request, token)
        if done is not None:
            return done
        future: asyncio.Future[Payload] = self._loop.create_future()
        self._waiting[token] = future
        return future

    async def payload(self, method: str, request: bytes) -> Payload:
        """Call and wait for the answer, granted or not."""
        submitted = self.submit(method, request)
        return submitted if isinstance(submitted, tuple) else await submitted

    async def call(self, method: str, request: bytes) -> bytes:
        """Call and wait for the answer. Raises Refused."""
        granted, payload = await self.payload(method, request)
        if granted:
            return payload
        raise Refused.by(status_pb2.Status.FromString(payload))

    def in_flight(self) -> int:
        """Count the calls that wait for their answers."""
        return len(self._waiting)

    def close(self) -> None:
        """Stop listening; what still waits is cancelled."""
        self._loop.remove_reader(self._fd)
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()

    def _drain(self) -> None:
        for token, granted, payload in self._core.take_completions():
            future = self._waiting.pop(token, None)
            # A caller may have gone away in the meantime.
            if future is not None and not future.done():
                future.set_result((granted, payload))
