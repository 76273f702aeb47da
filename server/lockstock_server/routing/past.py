"""What stood when an order was placed: documents as of a sequence, stock walked backwards. Pure.

The database is behind a port; what it gives is of one moment. Everything is asked in the order of falling
sequences, so that each movement is undone once.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar, cast

from lockstock_server.catalog import bodies
from lockstock_server.catalog.kinds import REGION, SKU, WAREHOUSE
from lockstock_server.routing.beyond import pickup_of, point_of
from lockstock_server.routing.decide import Line, Shelves, Take
from lockstock_server.routing.sites import ACTIVE, Keeper, keeper_of, place_of, site_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from lockstock.v1 import catalog_pb2

    from lockstock_server.routing.distance import Point
    from lockstock_server.routing.network import Place, Plan, Site

_T = TypeVar("_T")


class Moved(NamedTuple):
    """A movement; `line` is 0 and texts are empty where there is none."""

    sequence: int
    kind: str
    owner: str
    line: int
    sku: str
    warehouse: str
    units: int


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was placed; its units come from `warehouses`, or where there are none from the region's plan."""

    order_id: str
    sequence: int
    region: str = ""
    warehouses: tuple[str, ...] = ()
    max_parcels: int = 0
    destination: str = ""

    @property
    def pickup(self) -> str:
        """The warehouse where the buyer fetches the goods, or empty."""
        return pickup_of(self.destination)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which orders: those of a channel (empty: of any), placed within a time (microseconds since 1970-01-01 UTC)."""

    newest: int
    """At most so many, the newest."""
    channel: str = ""
    created_from: int | None = None
    created_before: int | None = None


class History(Protocol):
    """The database, as of one moment."""

    def order(self, order_id: str) -> Placed | None:
        """Find an order."""

    def newest(self, filters: Filters) -> list[Placed]:
        """Find orders, the newest first."""

    def placing(self, orders: Sequence[Placed]) -> Iterable[Moved]:
        """Give the movements of the steps that placed these orders, in order; others' may be among them."""

    def documents(self, kind: str, ids: Collection[str] | None, sequence: int) -> Iterable[tuple[str, bytes]]:
        """Give documents (None: all of a kind) as they stood at a sequence: id and body."""

    def changes(self, kind: str, after: int, until: int) -> Iterator[tuple[int, str]]:
        """Give when which documents of a kind were put, the newest first."""

    def stock(self, skus: Collection[str]) -> Iterable[tuple[str, str, int]]:
        """Give the units available of SKUs, by warehouse, as they stand."""

    def claimed(self, skus: Collection[str]) -> Iterable[tuple[str, int]]:
        """Give the units claimed of SKUs, as they stand."""

    def sums_after(self, skus: Collection[str], sequence: int) -> Iterable[tuple[str, str, str, int]]:
        """Sum the movements of SKUs after a sequence: kind, SKU, warehouse, units."""

    def back_to(self, skus: Collection[str], sequence: int) -> Iterator[Moved]:
        """Give the movements of SKUs, the newest first, down to a sequence."""


class Effect(NamedTuple):
    """What a movement of one unit does."""

    available: int
    """To the warehouse's units."""
    claimed: int
    """To the SKU's claims."""
    requested: int
    """To the line."""
    refused: int
    wanted: int


def effects(table: str) -> dict[str, Effect]:
    """Read the core's table of movements: kind to effect."""
    read = {}
    for row in json.loads(table):
        cell, sku, line = (dict(row[part]) for part in ("cell", "sku", "line"))
        read[row["name"]] = Effect(
            available=cell.get("available", 0),
            claimed=sku.get("claimed", 0),
            requested=line.get("requested", 0),
            refused=line.get("refused", 0),
            wanted=line.get("wanted", 0),
        )
    return read


@dataclass(frozen=True, slots=True)
class Placing:
    """What an order asked when it was placed, and what it took."""

    lines: list[Line]
    takes: list[Take]
    refused: dict[int, int]
    wanted: frozenset[int]
    """Lines whose units the payment takes: placing them took nothing."""


def placing(moved: Iterable[Moved], table: Mapping[str, Effect]) -> Placing:
    """Read the movements of an order's first step."""
    skus: dict[int, str] = {}
    asked: dict[int, int] = defaultdict(int)
    refused: dict[int, int] = defaultdict(int)
    takes, wanted = [], set()
    for movement in moved:
        effect = table[movement.kind]
        share = effect.requested + effect.refused + effect.wanted
        if share <= 0:
            continue
        skus[movement.line] = movement.sku
        asked[movement.line] += share * movement.units
        if effect.refused:
            refused[movement.line] += movement.units
        if effect.wanted:
            wanted.add(movement.line)
        if effect.available < 0:
            takes.append(Take(movement.line, movement.sku, movement.warehouse, movement.units))
    lines = [Line(line, skus[line], asked[line]) for line in sorted(asked)]
    return Placing(lines, takes, dict(refused), frozenset(wanted))


@dataclass(slots=True)
class Stock:
    """Units available and claimed, as of a sequence that only goes back."""

    table: Mapping[str, Effect]
    available: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    claimed: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def as_it_stands(cls, history: History, skus: Collection[str], table: Mapping[str, Effect]) -> Stock:
        """The stock of some SKUs now."""
        stock = cls(table)
        for sku, warehouse, units in history.stock(skus):
            stock.available[sku][warehouse] = units
        stock.claimed.update(history.claimed(skus))
        return stock

    def undo(self, kind: str, sku: str, warehouse: str, units: int) -> None:
        """Take a movement back."""
        effect = self.table[kind]
        if effect.available:
            # Where it ever moved, it has a row now.
            self.available[sku][warehouse] -= effect.available * units
        self.claimed[sku] -= effect.claimed * units

    def free(self, sku: str, works: Callable[[str], bool]) -> int:
        """What is not claimed of a SKU in the warehouses that work."""
        units = sum(units for warehouse, units in self.available[sku].items() if works(warehouse))
        return units - self.claimed[sku]


class AsOf(Generic[_T]):
    """Documents of one kind as of a sequence that only goes back; `turns` counts the changes gone past."""

    def __init__(
        self,
        history: History,
        kind: str,
        parse: Callable[[bytes], _T],
        *,
        at: int,
        back_to: int,
        ids: Collection[str] | None = None,
    ) -> None:
        """Begin at a sequence, and go back no further than to another."""
        self._history, self._kind, self._parse, self._at = history, kind, parse, at
        self._known: dict[str, _T | None] = {
            document_id: parse(body) for document_id, body in history.documents(kind, ids, at)
        }
        self._changes = history.changes(kind, back_to, at)
        self._next = next(self._changes, None)
        self.turns = 0

    def go_back(self, sequence: int) -> None:
        """Go back to a sequence. What changed since is read again when it is asked for."""
        self._at = sequence
        while self._next is not None and self._next[0] > sequence:
            self._known.pop(self._next[1], None)
            self.turns += 1
            self._next = next(self._changes, None)

    def get(self, document_id: str) -> _T | None:
        """Give a document as it stood; None where there was none."""
        if document_id not in self._known:
            found = dict(self._history.documents(self._kind, [document_id], self._at))
            body = found.get(document_id)
            self._known[document_id] = None if body is None else self._parse(body)
        return self._known[document_id]

    def all(self) -> Iterator[_T]:
        """Give all; only before going back, which forgets."""
        found = (self.get(document_id) for document_id in list(self._known))
        return (document for document in found if document is not None)


class Known(NamedTuple):
    """A warehouse."""

    site: Site
    keeper: Keeper


def _warehouse(body: bytes) -> Known:
    document = cast("catalog_pb2.Warehouse", bodies.read(WAREHOUSE, body))
    return Known(site_of(document), keeper_of(document))


def _region(body: bytes) -> Place:
    return place_of(cast("catalog_pb2.Region", bodies.read(REGION, body)))


def _category(body: bytes) -> str:
    return sys.intern(cast("catalog_pb2.Sku", bodies.read(SKU, body)).category)


def _plan(body: bytes) -> Plan:
    # Many plans name the same warehouses.
    return tuple(map(sys.intern, bodies.read_plan(body)))


class World:
    """Everything that routing looks at, as of a sequence that only goes back."""

    def __init__(
        self, history: History, *, skus: Collection[str], regions: Collection[str], at: int, back_to: int
    ) -> None:
        """Begin at a sequence, and go back no further than to another."""
        self.warehouses = AsOf(history, "WAREHOUSE", _warehouse, at=at, back_to=back_to)
        self.regions = AsOf(history, "REGION", _region, at=at, back_to=back_to, ids=regions)
        self.categories = AsOf(history, "SKU", _category, at=at, back_to=back_to, ids=skus)
        self.plans = AsOf(history, "ROUTE_PLAN", _plan, at=at, back_to=back_to, ids=regions)

    def go_back(self, sequence: int) -> None:
        """Go back to a sequence."""
        for documents in (self.warehouses, self.regions, self.categories, self.plans):
            documents.go_back(sequence)

    def plan(self, placed: Placed) -> list[Known]:
        """The warehouses that an order could be routed to, in order."""
        ids = placed.warehouses or self.plans.get(placed.region) or ()
        found = (self.warehouses.get(warehouse) for warehouse in ids)
        return [known for known in found if known is not None]

    def origin(self, placed: Placed) -> Point | None:
        """Where the distances of an order were measured from."""
        region = self.regions.get(placed.region) if placed.region else None
        return point_of(placed.destination) or (region.centroid if region else None)

    def codes(self, placed: Placed) -> set[str]:
        """The region of an order, with all above it."""
        codes: set[str] = set()
        region = placed.region
        while region and region not in codes:
            codes.add(region)
            place = self.regions.get(region)
            region = place.parent if place else ""
        return codes

    def works(self, warehouse: str) -> bool:
        """Whether a warehouse took new promises."""
        known = self.warehouses.get(warehouse)
        return known is not None and known.keeper.state == ACTIVE

    def shelves(self, skus: Iterable[str], stock: Stock) -> Shelves:
        """What there was of some SKUs."""
        skus = list(skus)
        return Shelves(
            categories={sku: self.categories.get(sku) or "" for sku in skus},
            available={sku: stock.available[sku] for sku in skus},
            free={sku: stock.free(sku, self.works) for sku in skus},
        )
