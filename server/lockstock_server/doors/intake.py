"""Whether this door takes calls, and how a stop empties it."""

from __future__ import annotations

import asyncio
import time

QUIET_SECONDS = 0.2
"""A door that nobody knocked at for so long is quiet."""

KNOCKING_SECONDS_MAX = 3.0
"""How long a stop waits for quiet; callers that go on all the same are cut off."""

LOOK_SECONDS = 0.01
"""How often a closed door looks whether the last call has left."""


class Intake:
    """Counts the calls inside. Closed, it turns new ones away: with an answer, as long as somebody knocks.

    gRPC's own shutdown cannot do that: a call that has arrived and is not yet matched to a handler ends
    `CANCELLED`, as if its caller had given up (grpc/grpc#41785). So the door is closed first, emptied, and
    shut down when it is quiet. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._closed = False
        self._inside = 0
        self._knocked = 0.0

    def close(self) -> None:
        """Take no new calls from now on."""
        self._closed = True
        self.closed.set()
        self._knocked = time.monotonic()

    def turns_away(self) -> bool:
        """Tell whether a call that comes now is to be refused."""
        if not self._closed:
            return False
        self._knocked = time.monotonic()
        return True

    def enter(self) -> None:
        """Count a call from here on."""
        self._inside += 1

    def leave(self) -> None:
        """Count it no more: it has ended."""
        self._inside -= 1

    def count(self) -> int:
        """Tell how many calls are inside."""
        return self._inside

    async def emptied(self, seconds: float) -> None:
        """Wait until the last call has left and nobody knocks any more; at most so many seconds."""
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            quiet = min(self._knocked + QUIET_SECONDS, began + KNOCKING_SECONDS_MAX)
            if not self._inside and now >= quiet:
                return
            await asyncio.sleep(LOOK_SECONDS)
