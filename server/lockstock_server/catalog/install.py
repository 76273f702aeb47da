"""Installing route plans: in small changes, so that orders flow meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from lockstock.internal.v1 import documents_pb2 as seam

from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from lockstock_server.catalog.documents import Documents
    from lockstock_server.catalog.plans import Due, Plans

AGAIN_SECONDS = 0.5
"""How soon plans that the engine refused (it was frozen, its disk was low) are tried again."""


class Installer:
    """Puts the plans that are owed into the engine; `writing` keeps others from changing them meanwhile."""

    def __init__(self, plans: Plans, documents: Documents, writing: asyncio.Lock) -> None:
        self._plans = plans
        self._documents = documents
        self._writing = writing
        self._trying: asyncio.Task[None] | None = None

    async def install(self) -> None:
        """Put every plan that is owed. The caller is the one who writes. Raises Refused.

        Each change is small, and others have their turn before the next. While one becomes durable the next is
        compiled. A region's plan changes whole, so no lock sees half of one.
        """
        waiting = deque(sorted(self._plans.owed()))
        due = self._plans.due(waiting)
        while due.regions:
            put = asyncio.ensure_future(self._put(due))
            # The engine takes it now.
            await asyncio.sleep(0)
            following = self._plans.due(waiting)
            self._plans.installed(due, await put)
            due = following

    async def install_or_later(self) -> None:
        """The same, after a change that has taken effect: what is refused now is tried again until it is not."""
        try:
            await self.install()
        except Refused:
            if self._trying is None or self._trying.done():
                self._trying = asyncio.create_task(self._again())

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            async with self._writing:
                try:
                    await self.install()
                except Refused:
                    continue
            return

    async def _put(self, due: Due) -> int:
        if not due.puts:
            return 0
        return (await self._documents.put(seam.PutDocumentsRequest(documents=due.puts))).version
