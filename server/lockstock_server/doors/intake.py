"""Whether this door takes calls, what it keeps for them, and how a stop empties it."""

from __future__ import annotations

import asyncio
import time

from lockstock_server.refusals import Refused

QUIET_SECONDS = 0.2
"""A door that nobody knocked at for so long is quiet."""

KNOCKING_SECONDS_MAX = 3.0
"""How long a stop waits for quiet; callers that go on all the same are cut off."""

LOOK_SECONDS = 0.01
"""How often a closed door looks whether the last call has left."""

SMALL_BYTES = 16 << 10
"""A message up to here is not counted: as many as there are calls at once are bounded by that."""

KEPT_BYTES_MAX = 256 << 20
"""Bytes of longer messages, all calls together: requests that are served, answers that are not taken."""


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
        self._kept = 0

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

    def keep(self, size: int) -> None:
        """Count the bytes of a long message that is in memory from here on. Raises Refused where there is no room."""
        if self._kept + size > KEPT_BYTES_MAX:
            raise Refused("OVERLOADED", limit=f"bytes of long messages {KEPT_BYTES_MAX}")
        self._kept += size

    def keep_anyway(self, size: int) -> None:
        """Count them even beyond the bound: what has taken effect is answered."""
        self._kept += size

    def drop(self, size: int) -> None:
        """Count them no more."""
        self._kept -= size

    def kept(self) -> int:
        """Tell how many bytes of long messages are in memory."""
        return self._kept

    async def emptied(self, seconds: float) -> None:
        """Wait until the last call has left and nobody knocks any more; at most so many seconds."""
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            quiet = min(self._knocked + QUIET_SECONDS, began + KNOCKING_SECONDS_MAX)
            if not self._inside and now >= quiet:
                return
            await asyncio.sleep(LOOK_SECONDS)
