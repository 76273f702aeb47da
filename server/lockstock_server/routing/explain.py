"""Explaining a route: what became of every warehouse, by a table of rules. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lockstock.v1 import errors_pb2
from lockstock.v1 import routing_pb2 as pb

from lockstock_server.routing.sites import CLOSED, PAUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lockstock_server.routing.decide import Decision, Demand, Shelves, Take
    from lockstock_server.routing.network import Site
    from lockstock_server.routing.sites import Keeper


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse that is to be explained: `covers` says whether it covers the destination or reaches the buyer."""

    site: Site
    keeper: Keeper
    distance_km: float
    covers: bool


class Facts(NamedTuple):
    """What a verdict is found by."""

    on_plan: bool
    """Whether it is on the plan that the order is routed by."""
    pickup: bool
    """Whether the buyer fetches the goods."""
    covers: bool
    state: int
    keeps: bool
    """Whether any of the SKUs is in its assortment."""
    has_units: bool
    """Of a SKU it keeps."""
    gives: bool
    granted: bool
    """Whether the order is, as a whole."""


VERDICTS: Sequence[tuple[pb.Verdict.ValueType, Callable[[Facts], bool]]] = (
    (pb.VERDICT_NOT_THE_PICKUP, lambda it: it.pickup and not it.on_plan),
    (pb.VERDICT_NOT_COVERING, lambda it: not it.on_plan and not (it.covers and it.state == CLOSED)),
    (pb.VERDICT_CLOSED, lambda it: it.state == CLOSED),
    (pb.VERDICT_PAUSED, lambda it: it.state == PAUSED),
    (pb.VERDICT_NOT_KEPT, lambda it: not it.keeps),
    (pb.VERDICT_CHOSEN, lambda it: it.gives),
    (pb.VERDICT_NO_STOCK, lambda it: not it.has_units),
    (pb.VERDICT_ORDER_REFUSED, lambda it: not it.granted),
    (pb.VERDICT_NOT_NEEDED, lambda _: True),
)
"""The first that fits: where it does not serve the destination, then its state, its assortment, its stock, and at
last the choice among those that could."""


def verdict(facts: Facts) -> pb.Verdict.ValueType:
    """Say what became of a warehouse."""
    return next(verdict for verdict, fits in VERDICTS if fits(facts))


@dataclass(frozen=True, slots=True)
class Explained:
    """An order and how it was decided; `given` is what the warehouses give, or gave."""

    demand: Demand
    decision: Decision
    shelves: Shelves
    pickup: bool
    given: Iterable[Take]

    def candidates(self, plan: Iterable[Warehouse], others: Iterable[Warehouse]) -> list[pb.RouteCandidate]:
        """Explain every warehouse: those on the plan in its order, then the others by id."""
        given: Counter[tuple[str, str]] = Counter()
        for take in self.given:
            given[take.warehouse, take.sku] += take.units
        skus = self.demand.skus()
        chosen = {take.warehouse for take in self.decision.takes}
        rows = [
            self._candidate(warehouse, chosen, position, self._skus(skus, warehouse.keeper, given))
            for position, warehouse in enumerate(plan, start=1)
        ]
        rest = sorted(others, key=lambda warehouse: warehouse.site.warehouse)
        return rows + [self._candidate(warehouse, chosen, 0, []) for warehouse in rest]

    def _skus(
        self, skus: Sequence[str], keeper: Keeper, given: Mapping[tuple[str, str], int]
    ) -> list[pb.CandidateSku]:
        return [
            pb.CandidateSku(
                sku=sku,
                kept=keeper.keeps(sku, self.shelves.categories.get(sku, "")),
                available=self.shelves.available.get(sku, {}).get(keeper.warehouse, 0),
                given=given[keeper.warehouse, sku],
            )
            for sku in skus
        ]

    def _candidate(
        self, warehouse: Warehouse, chosen: set[str], position: int, skus: list[pb.CandidateSku]
    ) -> pb.RouteCandidate:
        site, distance = warehouse.site, warehouse.distance_km
        facts = Facts(
            on_plan=position > 0,
            pickup=self.pickup,
            covers=warehouse.covers,
            state=warehouse.keeper.state,
            keeps=any(row.kept for row in skus),
            has_units=any(row.kept and row.available > 0 for row in skus),
            gives=site.warehouse in chosen,
            granted=not self.decision.reason,
        )
        return pb.RouteCandidate(
            warehouse=site.warehouse,
            position=position,
            tier=site.tier,  # type: ignore[arg-type] # a tier of the contract
            rank=site.rank,
            distance_km=None if math.isinf(distance) else distance,
            verdict=verdict(facts),
            skus=skus,
        )


def reason_number(name: str) -> errors_pb2.Reason.ValueType:
    """The number of a reason; of none, REASON_UNSPECIFIED."""
    return errors_pb2.Reason.Value(f"REASON_{name}" if name else "REASON_UNSPECIFIED")
