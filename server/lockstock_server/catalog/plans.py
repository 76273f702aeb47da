"""The installed route plans, and which of them a change of the catalogue changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog.documents import put_of_plan
from lockstock_server.routing.network import Network, Plan
from lockstock_server.routing.sites import place_of, site_of

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from lockstock_server.catalog.kinds import Document

PLANS_BYTES = 64 << 10
"""A change that carries plans is cut at about this size. The engine takes 0.3 to 0.6 us for each warehouse of a
plan, some 20 bytes of the message, and less than that under its lock: so one change holds up the locks of
buyers for one or two milliseconds, and the event loop for about as long to build it."""

LOOKED_MAX = 5_000
"""So many warehouses of plans are compared before others have their turn where little is to be put, which takes
some milliseconds; a plan counts as PLAN_LOOKS more."""

PLAN_LOOKS = 50

Installed = tuple[Plan, int]
"""A plan and its version."""


@dataclass(slots=True)
class Due:
    """Regions that were looked at, and those of their plans that differ from what is installed."""

    regions: list[str] = field(default_factory=list)
    plans: dict[str, Plan] = field(default_factory=dict)
    puts: list[seam.PutDocument] = field(default_factory=list)


class Plans:
    """The network, the plans that stand in the engine, and the regions to be looked at again.

    A change is put into the network first (`change`), its plans are compiled (`due`), and when the engine
    has taken them they are marked (`installed`); a change that the engine refuses is taken back (`restore`).
    """

    def __init__(self) -> None:
        self.network = Network()
        self._installed: dict[str, Installed] = {}
        self._owed: set[str] = set()

    def change(self, document: Document) -> set[str]:
        """Put a warehouse or region into the network; the regions it touches. Others touch none."""
        if isinstance(document, pb.Warehouse):
            return self.network.put_site(document.warehouse, site_of(document))
        if isinstance(document, pb.Region):
            return self.network.put_place(document.region, place_of(document))
        return set()

    def restore(self, document: Document, before: Document | None) -> None:
        """Put back what stood before a change that was refused."""
        if before is not None:
            self.change(before)
        elif isinstance(document, pb.Warehouse):
            self.network.put_site(document.warehouse, None)
        elif isinstance(document, pb.Region):
            self.network.put_place(document.region, None)

    def owe(self, regions: Iterable[str]) -> None:
        """Remember regions whose plans must be looked at with the next change."""
        self._owed.update(regions)

    def owed(self) -> set[str]:
        """Give the regions whose plans are still to be looked at."""
        return set(self._owed)

    def due(self, waiting: deque[str], taken: int = 0) -> Due:
        """Compile the plans of the first waiting regions, as many as go into one change; they wait no more.

        `taken` bytes of the change are used already. At least one plan goes in.
        """
        due, looked = Due(), 0
        while waiting and looked < LOOKED_MAX:
            region = waiting[0]
            if self.network.place(region) is not None:
                standing, version = self.standing(region)
                plan = self.network.plan(region)
                looked += PLAN_LOOKS + len(plan)
                if plan != standing:
                    put = put_of_plan(region, plan, version)
                    taken += put.ByteSize()
                    if due.puts and taken > PLANS_BYTES:
                        break
                    due.puts.append(put)
                    due.plans[region] = plan
            due.regions.append(waiting.popleft())
        return due

    def installed(self, due: Due, version: int) -> None:
        """Mark plans as standing in the engine."""
        for region, plan in due.plans.items():
            self._installed[region] = (plan, version)
        self._owed.difference_update(due.regions)

    def note(self, region: str, plan: Plan, version: int) -> None:
        """Note a plan that was found standing in the engine."""
        # Where it is the compiled one, one copy of it is enough.
        compiled = self.network.plan(region) if self.network.place(region) else ()
        self._installed[region] = (compiled if compiled == plan else plan, version)

    def standing(self, region: str) -> Installed:
        """Give the plan that stands in the engine, and its version; where there is none: empty, 0."""
        return self._installed.get(region, ((), 0))

    def regions(self) -> set[str]:
        """Give all regions."""
        return set(self.network.regions())
