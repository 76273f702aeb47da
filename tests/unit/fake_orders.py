"""What stands beside the engine for orders: a planner and an archive with memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lockstock.internal.v1 import orders_pb2 as seam
from lockstock.v1 import orders_pb2 as pb
from lockstock.v1 import stock_pb2
from lockstock_server.orders.history import Step
from lockstock_server.orders.listing import Filters, Place
from lockstock_server.orders.service import Page
from lockstock_server.refusals import Refused


@dataclass
class FakePlanner:
    """Plans every order onto `warehouses`; `refuse` is the reason it cannot."""

    warehouses: Sequence[str] = ("SH", "BJ")
    refuse: str = ""
    asked: list[tuple[pb.Destination, str]] = field(default_factory=list)

    def plan(self, destination: pb.Destination, path: str) -> seam.Planned | None:
        self.asked.append((destination, path))
        if self.refuse:
            raise Refused(self.refuse, warehouse=destination.pickup)
        beyond = f"pickup:{destination.pickup}" if destination.pickup else "geo:1.000000,2.000000"
        return seam.Planned(warehouses=self.warehouses, destination=beyond)


@dataclass
class FakeArchive:
    """Histories and orders it was given; `away` makes it refuse."""

    histories: dict[str, list[Step]] = field(default_factory=dict)
    orders: list[stock_pb2.Reservation] = field(default_factory=list)
    sequence: int = 0
    away: bool = False

    async def history(self, order_id: str, until: int, min_sequence: int) -> Sequence[Step]:
        self._here(min_sequence)
        return [step for step in self.histories.get(order_id, []) if step.sequence <= until]

    async def page(self, filters: Filters, size: int, after: Place | None, min_sequence: int) -> Page:
        self._here(min_sequence)
        places = {Place(it.created_at.ToMicroseconds(), it.reservation_id): it for it in self.orders}
        found = [
            place
            for place in sorted(places, reverse=True)
            if (after is None or place < after) and filters.channel in {"", places[place].channel}
        ]
        following = found[size - 1] if len(found) > size else None
        return Page([places[place] for place in found[:size]], following, self.sequence)

    def _here(self, min_sequence: int) -> None:
        if self.away or self.sequence < min_sequence:
            raise Refused("DATABASE_AWAY", wanted=min_sequence, as_of=self.sequence)
