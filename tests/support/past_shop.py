"""A shop with a memory: it plays a history forwards, keeps a photograph at every order, and can be read as the
database can. Shares no rule with what walks such a history backwards."""

from __future__ import annotations

import copy
import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lockstock.v1 import catalog_pb2 as pb
from lockstock_server import _core
from lockstock_server.catalog import bodies
from lockstock_server.catalog.kinds import REGION, SKU, WAREHOUSE, Document, Kind
from lockstock_server.routing.distance import Point, distance_km
from lockstock_server.routing.past import Effect, Filters, Moved, Placed, effects

from support import chooser

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

NAMES: dict[str, Kind] = {"SKU": SKU, "WAREHOUSE": WAREHOUSE, "REGION": REGION}
ORDER_LINE = tuple[str, int]


def table() -> dict[str, Effect]:
    """What each movement does, by the core; and the one that promises nothing, should the core be older."""
    return {"WANT": Effect(0, 0, 0, 0, 1), **effects(_core.movements())}


def keeps(warehouse: pb.Warehouse, sku: pb.Sku) -> bool:
    """Whether a SKU is in a warehouse's assortment."""
    kept = warehouse.assortment
    if not kept.skus and not kept.categories:
        return True
    return sku.sku in kept.skus or sku.category in kept.categories


def point(at: pb.Coordinates) -> Point:
    return Point(at.latitude, at.longitude)


@dataclass
class Outcome:
    """What a demand would get: `reason` empty and units by (line, warehouse), or why not."""

    reason: str = ""
    takes: dict[tuple[int, str], int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)


@dataclass
class Photograph:
    """Everything as it stood just before an order."""

    order: Placed
    lines: list[ORDER_LINE]
    warehouses: dict[str, pb.Warehouse]
    regions: dict[str, pb.Region]
    skus: dict[str, pb.Sku]
    plan: list[str]
    available: dict[tuple[str, str], int]
    claimed: dict[str, int]
    allow_partial: bool = False
    wanted: frozenset[int] = frozenset()
    outcome: Outcome = field(default_factory=Outcome)

    def units(self, sku: str, warehouse: str) -> int:
        return self.available.get((sku, warehouse), 0)

    def free(self, sku: str) -> int:
        active = [name for name, it in self.warehouses.items() if it.state == pb.WAREHOUSE_STATE_ACTIVE]
        return sum(self.units(sku, name) for name in active) - self.claimed.get(sku, 0)

    def distance(self, warehouse: str) -> float:
        """From the region's middle."""
        region, it = self.regions.get(self.order.region), self.warehouses[warehouse]
        if region is None or not region.HasField("centroid") or not it.HasField("location"):
            return math.inf
        return distance_km(point(region.centroid), point(it.location))

    def route(self, plan: list[str], max_parcels: int, allow_partial: bool) -> Outcome:  # noqa: FBT001
        """Route the order over a plan, by trying every set."""
        skus = list(dict.fromkeys(sku for sku, _ in self.lines))
        offers: chooser.Offers = []
        for sku in skus:
            keeping = [
                (at, name) for at, name in enumerate(plan) if keeps(self.warehouses[name], self.skus[sku])
            ]
            if all(self.warehouses[name].state == pb.WAREHOUSE_STATE_CLOSED for _, name in keeping):
                return Outcome("NOT_ROUTABLE")
            offers.append(
                [
                    (at, self.units(sku, name))
                    for at, name in keeping
                    if self.units(sku, name) > 0 and self.warehouses[name].state == pb.WAREHOUSE_STATE_ACTIVE
                ]
            )
        free = [max(0, self.free(sku)) for sku in skus]
        asks = [(skus.index(sku), units) for sku, units in self.lines]
        chosen = json.loads(chooser.route(asks, offers, free, max_parcels, allow_partial))
        if "short" in chosen:
            return Outcome("INSUFFICIENT_STOCK")
        if "parcels_needed" in chosen:
            return Outcome("PARCEL_LIMIT")
        takes = {(line, plan[at]): units for line, at, units in chosen["takes"]}
        return Outcome("", takes, dict(chosen["refused"]))


@dataclass
class PastShop:
    """Plays operations, each a sequence, and reads them back as `History` promises."""

    sequence: int = 0
    put: list[tuple[int, str, str, bytes]] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    photographs: list[Photograph] = field(default_factory=list)
    documents_: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    available: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    claimed_: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    channels: dict[str, str] = field(default_factory=dict)
    table: dict[str, Effect] = field(default_factory=table)

    # --- playing ---

    def change(self, kind: str, document: Document) -> None:
        self.sequence += 1
        name = NAMES[kind].id_of(document)
        self.put.append((self.sequence, kind, name, bodies.write(document)))
        self.documents_[kind][name] = document

    def install(self, region: str, plan: list[str]) -> None:
        self.sequence += 1
        self.put.append((self.sequence, "ROUTE_PLAN", region, bodies.write_plan(region, plan)))
        self.documents_["ROUTE_PLAN"][region] = plan

    def move(self, kind: str, sku: str, warehouse: str, units: int) -> None:
        """A movement of no order, in a step of its own."""
        self.sequence += 1
        self._move(kind, "", 0, sku, warehouse, units)

    def place(
        self,
        order: Placed,
        lines: list[ORDER_LINE],
        *,
        allow_partial: bool = False,
        wanted: Collection[int] = (),
        channel: str = "",
    ) -> Outcome:
        """Place an order if it can be; refused, nothing happens."""
        photograph = Photograph(
            order=order,
            lines=lines,
            plan=list(order.warehouses) or list(self.documents_["ROUTE_PLAN"].get(order.region, [])),
            warehouses=copy.deepcopy(self.documents_["WAREHOUSE"]),
            regions=copy.deepcopy(self.documents_["REGION"]),
            skus=copy.deepcopy(self.documents_["SKU"]),
            available=dict(self.available),
            claimed=dict(self.claimed_),
            allow_partial=allow_partial,
            wanted=frozenset(wanted),
        )
        outcome = photograph.route(photograph.plan, order.max_parcels, allow_partial)
        if outcome.reason:
            return outcome
        self.sequence += 1
        placed = Placed(
            order.order_id,
            self.sequence,
            order.region,
            order.warehouses,
            order.max_parcels,
            order.destination,
        )
        photograph.order, photograph.outcome = placed, outcome
        self.photographs.append(photograph)
        self.channels[order.order_id] = channel
        for line, (sku, units) in enumerate(lines, start=1):
            granted = units - outcome.refused.get(line, 0)
            if line in photograph.wanted and granted:
                self._move("WANT", order.order_id, line, sku, "", granted)
            elif granted:
                for (at, warehouse), taken in outcome.takes.items():
                    if at == line:
                        self._move("LOCK", order.order_id, line, sku, warehouse, taken)
            if granted < units:
                self._move("REFUSE", order.order_id, line, sku, "", units - granted)
        return outcome

    def _move(self, kind: str, owner: str, line: int, sku: str, warehouse: str, units: int) -> None:
        self.moved.append(Moved(self.sequence, kind, owner, line, sku, warehouse, units))
        effect = self.table[kind]
        if effect.available:
            self.available[sku, warehouse] += effect.available * units
        self.claimed_[sku] += effect.claimed * units

    # --- reading: the port ---

    def order(self, order_id: str) -> Placed | None:
        return next((it.order for it in self.photographs if it.order.order_id == order_id), None)

    def newest(self, filters: Filters) -> list[Placed]:
        found = [
            it.order
            for it in reversed(self.photographs)
            if not filters.channel or self.channels[it.order.order_id] == filters.channel
        ]
        return found[: filters.newest]

    def placing(self, orders: Sequence[Placed]) -> Iterable[Moved]:
        sequences = {order.sequence for order in orders}
        return [moved for moved in self.moved if moved.sequence in sequences]

    def documents(self, kind: str, ids: Collection[str] | None, sequence: int) -> Iterable[tuple[str, bytes]]:
        found = {
            name: body
            for at, of_kind, name, body in self.put
            if at <= sequence and of_kind == kind and (ids is None or name in ids)
        }
        return found.items()

    def changes(self, kind: str, after: int, until: int) -> Iterator[tuple[int, str]]:
        rows = [(at, name) for at, of_kind, name, _ in self.put if of_kind == kind and after < at <= until]
        return iter(rows[::-1])

    def stock(self, skus: Collection[str]) -> Iterable[tuple[str, str, int]]:
        return [(sku, name, units) for (sku, name), units in self.available.items() if sku in skus]

    def claimed(self, skus: Collection[str]) -> Iterable[tuple[str, int]]:
        return [(sku, units) for sku, units in self.claimed_.items() if sku in skus]

    def sums_after(self, skus: Collection[str], sequence: int) -> Iterable[tuple[str, str, str, int]]:
        sums: dict[tuple[str, str, str], int] = defaultdict(int)
        for moved in self.moved:
            if moved.sequence > sequence and moved.sku in skus:
                sums[moved.kind, moved.sku, moved.warehouse] += moved.units
        return [(*key, units) for key, units in sums.items()]

    def back_to(self, skus: Collection[str], sequence: int) -> Iterator[Moved]:
        return (it for it in reversed(self.moved) if it.sequence >= sequence and it.sku in skus)
