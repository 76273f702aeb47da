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

HELD_MAX = 64
"""With so many calls a burst goes, whatever else comes."""

HELD_BYTES_MAX = 4 << 10
"""The longest request that is held back."""

QUIET_TURNS = 12
"""Turns of the loop without another call after which a burst goes, where the one before had more than one call."""


class Calls:
    """The engine for one event loop. All methods belong to that loop's thread."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Payload]] = {}
        self._held: list[tuple[str, bytes, asyncio.Future[Payload]]] = []
        self._tokens = 0
        self._burst = 1
        self._gathering = False
        self._fd = core.completions_fd()
        self._loop.add_reader(self._fd, self._drain)

    def submit(self, method: str, request: bytes) -> asyncio.Future[Payload]:
        """Have the engine judge a call, in the order in which calls are submitted; its answer when it is durable.

        Calls go in bursts: what comes while others wait for the disk goes when the disk is done with them, and a
        burst begins when the loop has turned a few times without another call. A sync, and a turn of the loop, cost
        little more for many than for one; one by one they cost more than the calls.
        """
        future: asyncio.Future[Payload] = self._loop.create_future()
        self._held.append((method, request, future))
        # What takes long must not pile up: the loop would stand still for all of it at once.
        if len(self._held) >= HELD_MAX or len(request) > HELD_BYTES_MAX:
            self._release()
        else:
            self._begin_to_gather()
        return future

    def _begin_to_gather(self) -> None:
        if not self._gathering:
            self._gather()

    def _gather(self, held: int = 0, quiet: int = 0) -> None:
        """Turn with the loop until no call has come for some turns, then have the engine judge them."""
        self._gathering = False
        if not self._held or self._waiting:
            return
        quiet = quiet + 1 if len(self._held) == held else 0
        if quiet < QUIET_TURNS and self._burst > 1:
            self._gathering = True
            self._loop.call_soon(self._gather, len(self._held), quiet)
        else:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        self._burst = len(held)
        for method, request, future in held:
            # A caller who went away before the engine heard of the call does not want it any more.
            if future.done():
                continue
            self._tokens += 1
            try:
                done = self._core.call(method, request, self._tokens)
            except BaseException as error:  # noqa: BLE001 - a panic too; the others must not wait for ever
                future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
                continue
            if done is None:
                self._waiting[self._tokens] = future
            else:
                future.set_result(done)
        # One write and one sync for all of them.
        self._core.journal()

    async def payload(self, method: str, request: bytes) -> Payload:
        """Call and wait for the answer, granted or not."""
        return await self.submit(method, request)

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
        self._begin_to_gather()
