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

HELD_MAX = 256
"""Calls held back for the next burst; one more, and all of them go."""

HELD_BYTES_MAX = 4 << 10
"""The longest request that is held back."""


class Calls:
    """The engine for one event loop. All methods belong to that loop's thread."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Payload]] = {}
        self._held: list[tuple[str, bytes, asyncio.Future[Payload]]] = []
        self._tokens = 0
        self._fd = core.completions_fd()
        self._loop.add_reader(self._fd, self._drain)

    def submit(self, method: str, request: bytes) -> Payload | asyncio.Future[Payload]:
        """Have the engine judge a call; its answer, or a future where it must become durable first.

        Calls take effect in the order in which they are submitted. What comes while others wait for the disk goes
        when the disk is done with them, all at once: it could not be answered earlier anyway, and a sync for many,
        and one turn of the loop, cost little more than for one.
        """
        if self._waiting:
            future: asyncio.Future[Payload] = self._loop.create_future()
            self._held.append((method, request, future))
            # What takes long must not pile up: the loop would stand still for all of it at once.
            if len(request) > HELD_BYTES_MAX or len(self._held) > HELD_MAX:
                self._release()
            return future
        return self._judge(method, request, None)

    def _judge(
        self, method: str, request: bytes, future: asyncio.Future[Payload] | None
    ) -> Payload | asyncio.Future[Payload]:
        self._tokens += 1
        done = self._core.call(method, request, self._tokens)
        if done is not None:
            return done
        if future is None:
            future = self._loop.create_future()
        self._waiting[self._tokens] = future
        return future

    def _release(self) -> None:
        held, self._held = self._held, []
        for method, request, future in held:
            # A caller who went away before the engine heard of the call does not want it any more.
            if future.done():
                continue
            try:
                answer = self._judge(method, request, future)
            except Exception as error:  # noqa: BLE001 - told to the caller; the others must not wait for ever
                future.set_exception(error)
                continue
            if isinstance(answer, tuple):
                future.set_result(answer)

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
        return len(self._waiting) + len(self._held)

    def close(self) -> None:
        """Stop listening; what still waits is cancelled."""
        self._loop.remove_reader(self._fd)
        for future in (*self._waiting.values(), *(future for _, _, future in self._held)):
            future.cancel()
        self._waiting.clear()
        self._held.clear()

    def _drain(self) -> None:
        for token, granted, payload in self._core.take_completions():
            future = self._waiting.pop(token, None)
            # A caller may have gone away in the meantime.
            if future is not None and not future.done():
                future.set_result((granted, payload))
        if not self._waiting:
            self._release()
