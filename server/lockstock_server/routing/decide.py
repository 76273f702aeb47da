"""Deciding a route over plain numbers, from the engine now or from the database as of a sequence.

Which warehouses may give what is said here as the engine says it; who gives is decided by the engine's own
chooser, which is handed in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lockstock_server.routing.sites import ACTIVE, CLOSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockstock_server.routing.sites import Keeper


class Choose(Protocol):
    """The engine's chooser; see `_core.route`."""

    def __call__(
        self,
        asks: list[tuple[int, int]],
        offers: list[list[tuple[int, int]]],
        free: list[int],
        max_parcels: int,
        allow_partial: bool,  # noqa: FBT001 - as the core names it
        /,
    ) -> str:
        """Choose who gives what, as JSON."""


class Line(NamedTuple):
    """A line of an order."""

    line: int
    sku: str
    units: int


class Take(NamedTuple):
    """Units that a warehouse gives to a line."""

    line: int
    sku: str
    warehouse: str
    units: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What is wanted, and within which limits; `max_parcels` 0 is no limit."""

    lines: Sequence[Line]
    max_parcels: int = 0
    allow_partial: bool = False

    def skus(self) -> list[str]:
        """Each SKU once, in the order of the lines."""
        return list(dict.fromkeys(line.sku for line in self.lines))


@dataclass(frozen=True, slots=True)
class Shelves:
    """What there is: by SKU its category, its units by warehouse, and what of them is free to promise."""

    categories: Mapping[str, str]
    available: Mapping[str, Mapping[str, int]]
    free: Mapping[str, int]


class Candidates(Sequence["Keeper"]):
    """The warehouses of a plan, in order."""

    def __init__(self, keepers: Iterable[Keeper]) -> None:
        self._keepers = tuple(keepers)
        self._positions = {keeper.warehouse: at for at, keeper in enumerate(self._keepers)}

    def __getitem__(self, position: int) -> Keeper:  # type: ignore[override] # of slices there is no need
        return self._keepers[position]

    def __len__(self) -> int:
        return len(self._keepers)

    def __iter__(self) -> Iterator[Keeper]:
        return iter(self._keepers)

    def offers(self, sku: str, shelves: Shelves) -> list[tuple[int, int]] | None:
        """Who has how much of a SKU, by position; None where nobody short of closed keeps it."""
        category = shelves.categories.get(sku, "")
        offers = []
        for warehouse, units in shelves.available.get(sku, {}).items():
            position = self._positions.get(warehouse)
            if position is None or units <= 0:
                continue
            keeper = self._keepers[position]
            if keeper.state == ACTIVE and keeper.keeps(sku, category):
                offers.append((position, units))
        kept = offers or any(it.state != CLOSED and it.keeps(sku, category) for it in self._keepers)
        return sorted(offers) if kept else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a demand: granted where `reason` is empty."""

    reason: str = ""
    takes: Sequence[Take] = ()
    refused: Mapping[int, int] = field(default_factory=dict)
    """By line, what ALLOW_PARTIAL did not grant."""
    parcels: int = 0
    """It takes so many, or would take them where that is more than allowed."""
    split_exact: bool = True


def decide(demand: Demand, candidates: Candidates, shelves: Shelves, choose: Choose) -> Decision:
    """Route a demand. The reasons are judged in the engine's order: NOT_ROUTABLE, then stock, then parcels."""
    skus = demand.skus()
    offers = []
    for sku in skus:
        offered = candidates.offers(sku, shelves)
        if offered is None:
            return Decision(reason="NOT_ROUTABLE")
        offers.append(offered)
    index = {sku: at for at, sku in enumerate(skus)}
    asks = [(index[line.sku], line.units) for line in demand.lines]
    free = [max(0, shelves.free.get(sku, 0)) for sku in skus]
    chosen = json.loads(choose(asks, offers, free, demand.max_parcels, demand.allow_partial))
    if "short" in chosen:
        return Decision(reason="INSUFFICIENT_STOCK")
    if "parcels_needed" in chosen:
        return Decision(reason="PARCEL_LIMIT", parcels=chosen["parcels_needed"])
    takes = []
    for number, position, units in chosen["takes"]:
        line = demand.lines[number - 1]
        takes.append(Take(line.line, line.sku, candidates[position].warehouse, units))
    return Decision(
        takes=takes,
        refused={demand.lines[number - 1].line: units for number, units in chosen["refused"]},
        parcels=len({take.warehouse for take in takes}),
        split_exact=chosen["split_exact"],
    )
