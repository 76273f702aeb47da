"""Trying a policy: past orders routed again, each against what stood when it was placed. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lockstock.v1 import routing_pb2 as pb

from lockstock_server.routing.decide import Candidates, Demand, decide
from lockstock_server.routing.explain import reason_number
from lockstock_server.routing.explain_past import journalled
from lockstock_server.routing.past import Stock, World, placing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockstock_server.routing.decide import Choose, Decision, Line, Take
    from lockstock_server.routing.past import Effect, Filters, History, Known, Moved, Placed, Placing

CHANGES_MAX: Final = 1_000
LINES_MAX: Final = 200_000
"""Lines of all orders together, held in memory: older orders are left out where there are more."""
CHUNK: Final = 500
"""Orders whose first steps are read at once."""
PLANS_KEPT: Final = 256
"""Plans that are kept ready; orders of one region often follow one another."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Another way to route; `max_parcels` None is as each order had it."""

    max_parcels: int | None = None
    allow_partial: bool = False
    excluded: frozenset[str] = frozenset()
    ranks: Mapping[str, int] = field(default_factory=dict)
    tiers: Mapping[str, int] = field(default_factory=dict)

    def candidates(self, world: World, placed: Placed, plan: Sequence[Known]) -> Candidates:
        """The plan of an order under this policy.

        A list that the caller gave has no order but the caller's: tiers and ranks do not change it.
        """
        kept = [known for known in plan if known.site.warehouse not in self.excluded]
        if placed.region and (self.ranks or self.tiers):
            origin = world.origin(placed)

            def rung(known: Known) -> tuple[int, int, float, str]:
                site = known.site
                tier = self.tiers.get(site.warehouse, site.tier)
                rank = self.ranks.get(site.warehouse, site.rank)
                return tier, rank, site.distance_km(origin), site.warehouse

            kept.sort(key=rung)
        return Candidates(known.keeper for known in kept)

    def demand(self, placed: Placed, lines: Sequence[Line]) -> Demand:
        """The demand of an order under this policy."""
        parcels = placed.max_parcels if self.max_parcels is None else self.max_parcels
        return Demand(lines, parcels, self.allow_partial)


@dataclass(slots=True)
class Totals:
    """The sums of one side."""

    refused_orders: int = 0
    refused_lines: int = 0
    refused_units: int = 0
    parcels: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)

    def add(self, lines: Sequence[Line], takes: Iterable[Take], refused: Mapping[int, int]) -> None:
        """Add an order that was granted, in whole or in part."""
        shipped: Counter[str] = Counter()
        for take in takes:
            shipped[take.warehouse] += take.units
        self.units.update(shipped)
        self.parcels.update(shipped.keys())
        self.refused_lines += sum(1 for line in lines if refused.get(line.line))
        self.refused_units += sum(refused.values())

    def refuse(self, lines: Sequence[Line]) -> None:
        """Add an order that was refused: with all its lines and units."""
        self.refused_orders += 1
        self.refused_lines += len(lines)
        self.refused_units += sum(line.units for line in lines)

    def message(self) -> pb.RoutingTotals:
        """As the contract has it."""
        return pb.RoutingTotals(
            parcels=self.parcels.total(),
            refused_orders=self.refused_orders,
            refused_lines=self.refused_lines,
            refused_units=self.refused_units,
            warehouses=[
                pb.WarehouseUse(warehouse=warehouse, parcels=self.parcels[warehouse], units=units)
                for warehouse, units in sorted(self.units.items())
            ],
        )


def try_policy(
    history: History, policy: Policy, filters: Filters, table: Mapping[str, Effect], choose: Choose
) -> pb.TryPolicyResponse:
    """Route the orders again. The sequence is left to who knows it."""
    orders = history.newest(filters)
    if not orders:
        return pb.TryPolicyResponse(before=pb.RoutingTotals(), after=pb.RoutingTotals())
    return _Trial(history, policy, orders, table, choose).run()


class _Trial:
    def __init__(
        self,
        history: History,
        policy: Policy,
        orders: Sequence[Placed],
        table: Mapping[str, Effect],
        choose: Choose,
    ) -> None:
        self._policy, self._choose = policy, choose
        self._first = _placings(history, orders, table)
        self._orders = orders = orders[: len(self._first)]
        newest, oldest = orders[0].sequence, orders[-1].sequence
        skus = {line.sku for first in self._first.values() for line in first.lines}
        regions = {placed.region for placed in orders if placed.region}
        self._world = World(history, skus=skus, regions=regions, at=newest - 1, back_to=oldest - 1)
        self._stock = Stock.as_it_stands(history, skus, table)
        self._movements = history.back_to(skus, oldest)
        self._next = next(self._movements, None)
        self._ready: dict[tuple[str, int], tuple[Candidates, Candidates]] = {}
        self._before, self._after = Totals(), Totals()

    def run(self) -> pb.TryPolicyResponse:
        response = pb.TryPolicyResponse(orders=len(self._orders))
        for placed in self._orders:
            self._go_back(placed.sequence)
            change = self._try(placed)
            if change is not None and len(response.changes) < CHANGES_MAX:
                response.changes.append(change)
        response.before.CopyFrom(self._before.message())
        response.after.CopyFrom(self._after.message())
        return response

    def _go_back(self, sequence: int) -> None:
        """Go back to just before a sequence."""
        self._world.go_back(sequence - 1)
        while self._next is not None and self._next.sequence >= sequence:
            moved = self._next
            self._stock.undo(moved.kind, moved.sku, moved.warehouse, moved.units)
            self._next = next(self._movements, None)

    def _try(self, placed: Placed) -> pb.RoutingChange | None:
        first = self._first[placed.order_id]
        as_it_was, under_policy = self._candidates(placed)
        demand = self._policy.demand(placed, first.lines)
        shelves = self._world.shelves(demand.skus(), self._stock)
        before = first.takes
        if first.wanted:
            had = Demand(first.lines, placed.max_parcels, allow_partial=bool(first.refused))
            before = journalled(first, decide(had, as_it_was, shelves, self._choose))
        after = decide(demand, under_policy, shelves, self._choose)
        self._before.add(first.lines, before, first.refused)
        if after.reason:
            self._after.refuse(first.lines)
        else:
            self._after.add(first.lines, after.takes, after.refused)
        return _change(placed, before, as_it_was, after, under_policy)

    def _candidates(self, placed: Placed) -> tuple[Candidates, Candidates]:
        """The plan of an order, as it was and under the policy."""
        if placed.warehouses:
            return self._build(placed)
        # Regions and plans only ever change with a turn; what was ready before it is of no use.
        turns = self._world.warehouses.turns + self._world.plans.turns + self._world.regions.turns
        key = (placed.region, turns)
        if key not in self._ready:
            if len(self._ready) >= PLANS_KEPT:
                del self._ready[next(iter(self._ready))]
            self._ready[key] = self._build(placed)
        return self._ready[key]

    def _build(self, placed: Placed) -> tuple[Candidates, Candidates]:
        plan = self._world.plan(placed)
        as_it_was = Candidates(known.keeper for known in plan)
        return as_it_was, self._policy.candidates(self._world, placed, plan)


def _placings(history: History, orders: Sequence[Placed], table: Mapping[str, Effect]) -> dict[str, Placing]:
    """Read the first steps of the orders, the newest first, as long as LINES_MAX allows."""
    found: dict[str, Placing] = {}
    lines = 0
    for at in range(0, len(orders), CHUNK):
        chunk = {placed.order_id: placed.sequence for placed in orders[at : at + CHUNK]}
        own: dict[str, list[Moved]] = {order_id: [] for order_id in chunk}
        for moved in history.placing(orders[at : at + CHUNK]):
            if chunk.get(moved.owner) == moved.sequence:
                own[moved.owner].append(moved)
        for order_id, steps in own.items():
            lines += len(steps)
            if found and lines > LINES_MAX:
                return found
            found[order_id] = placing(steps, table)
    return found


def _change(
    placed: Placed, before: Iterable[Take], had: Candidates, after: Decision, has: Candidates
) -> pb.RoutingChange | None:
    """What the policy changes of an order: nothing where every warehouse gives the same."""
    gave, gives = _units(before), _units(after.takes)
    was, would_be = _in_order(gave, had), _in_order(gives, has)
    if not after.reason and gave == gives and was == would_be:
        return None
    return pb.RoutingChange(
        order_id=placed.order_id, before=was, after=would_be, reason=reason_number(after.reason)
    )


def _units(takes: Iterable[Take]) -> Counter[tuple[str, str]]:
    units: Counter[tuple[str, str]] = Counter()
    for take in takes:
        units[take.warehouse, take.sku] += take.units
    return units


def _in_order(units: Mapping[tuple[str, str], int], candidates: Candidates) -> list[str]:
    warehouses = {warehouse for warehouse, _ in units}
    on_plan = [keeper.warehouse for keeper in candidates if keeper.warehouse in warehouses]
    # What was journalled is shown although no plan should know of it.
    return on_plan + sorted(warehouses.difference(on_plan))
