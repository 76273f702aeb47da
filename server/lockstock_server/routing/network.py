"""The network of regions and warehouses, and the plans compiled from it. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockstock_server.routing.distance import Point, distance_km
from lockstock_server.routing.reach import Reaches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Plan = tuple[str, ...]
"""Warehouses in the order in which they are tried."""

Rung = tuple[int, int, float, str]
"""A warehouse's place in an order: tier, rank, distance (infinite where not known), id."""


@dataclass(frozen=True, slots=True)
class Site:
    """A warehouse as routing sees it.

    `tier` and `rank` are tried low to high; `regions` are the codes it covers, each with all below it;
    `everywhere` is set for a CENTRAL warehouse that is not narrowed; a closed one is on no plan. `reach_km` is
    how far it serves buyers whose coordinates are given; 0 for not by distance.
    """

    warehouse: str
    tier: int
    rank: int = 0
    regions: frozenset[str] = frozenset()
    everywhere: bool = False
    location: Point | None = None
    closed: bool = False
    reach_km: float = 0.0
    pickup: bool = False

    def rung(self, origin: Point | None) -> Rung:
        """Its place among others, seen from a point: low places are tried first."""
        return self.tier, self.rank, self.distance_km(origin), self.warehouse

    def band(self) -> tuple[int, int]:
        """Its place as far as it is the same from everywhere."""
        return self.tier, self.rank

    def distance_km(self, origin: Point | None) -> float:
        """How far it is from a point; infinite where either is not known."""
        if origin is None or self.location is None:
            return math.inf
        return distance_km(origin, self.location)

    def plans_alike(self, other: Site | None) -> bool:
        """Whether every plan is the same with the other in its place."""
        return other is not None and _plan_facts(self) == _plan_facts(other)


def _plan_facts(site: Site) -> tuple[object, ...]:
    return site.tier, site.rank, site.regions, site.everywhere, site.location, site.closed


@dataclass(frozen=True, slots=True)
class Place:
    """A region as routing sees it; `parent` is empty for a root."""

    region: str
    parent: str = ""
    centroid: Point | None = None


@dataclass(slots=True)
class Network:
    """Regions and warehouses with the indexes that make a change cheap.

    A compiled plan is kept. A changed warehouse is noted at the plans it touches and moved within them when they
    are asked for; a new centroid or parent, or too many changed warehouses, compile a plan anew.
    """

    _sites: dict[str, Site] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _children: dict[str, set[str]] = field(default_factory=dict)
    _covering: dict[str, set[str]] = field(default_factory=dict)
    _everywhere: set[str] = field(default_factory=set)
    _reaches: Reaches = field(default_factory=Reaches)
    _plans: dict[str, Plan] = field(default_factory=dict)
    # By region: the warehouses that changed since its plan was compiled, as they stand in it (None: not in it).
    _moved: dict[str, dict[str, Site | None]] = field(default_factory=dict)

    def site(self, warehouse: str) -> Site | None:
        """Give a warehouse as it stands here."""
        return self._sites.get(warehouse)

    def sites(self) -> Iterable[Site]:
        """Give all warehouses."""
        return self._sites.values()

    def place(self, region: str) -> Place | None:
        """Give a region as it stands here."""
        return self._places.get(region)

    def regions(self) -> Iterable[str]:
        """Give all regions."""
        return self._places.keys()

    def put_site(self, warehouse: str, site: Site | None) -> set[str]:
        """Change a warehouse (None takes it out); the regions whose plans may be other ones now."""
        before = self._sites.pop(warehouse, None)
        if before is not None:
            self._everywhere.discard(warehouse)
            for region in before.regions:
                self._covering[region].discard(warehouse)
        if site is not None:
            self._sites[warehouse] = site
            if site.everywhere:
                self._everywhere.add(warehouse)
            for region in site.regions:
                self._covering.setdefault(region, set()).add(warehouse)
        self._reaches.put(warehouse, site.location if site else None, site.reach_km if site else 0.0)
        if before is None and site is None:
            return set()
        if site is not None and site.plans_alike(before):
            return set()
        standing, coming = self._on_plans(before), self._on_plans(site)
        touched = standing | coming
        for region in touched:
            self._note(region, warehouse, before if region in standing else None)
        return touched

    def put_place(self, region: str, place: Place | None) -> set[str]:
        """Change a region (None takes it out); the regions whose plans may be other ones now."""
        before = self._places.pop(region, None)
        if before is not None:
            self._children[before.parent].discard(region)
        if place is not None:
            self._places[region] = place
            self._children.setdefault(place.parent, set()).add(region)
        if before == place:
            return set()
        # A new centroid changes distances of this region alone, a new parent what covers all below it.
        moved = before is None or place is None or before.parent != place.parent
        touched = set(self._below(region)) if moved else {region}
        for code in touched:
            self._forget(code)
        return touched & self._places.keys()

    def plan(self, region: str) -> Plan:
        """Give a region's plan: every warehouse short of closed that covers it, in order.

        The order is tier, rank, distance from the region's centroid (not known: last), id.
        """
        plan = self._plans.get(region)
        moved = self._moved.pop(region, None)
        if plan is None:
            plan = self._compiled(region)
        elif moved:
            plan = self._mended(region, plan, moved)
        self._plans[region] = plan
        return plan

    def covers(self, site: Site, region: str) -> bool:
        """Tell whether a warehouse covers a region by its code or one above it."""
        return site.everywhere or not site.regions.isdisjoint(self._above(region))

    def candidates(self, region: str, buyer: Point) -> list[Site]:
        """Order every warehouse short of closed that covers the region or whose radius reaches the buyer.

        Distances are the buyer's own.
        """
        warehouses = {*self.plan(region), *self._reaches.around(buyer)}
        sites = [self._sites[warehouse] for warehouse in warehouses]
        return sorted((site for site in sites if not site.closed), key=lambda site: site.rung(buyer))

    def _compiled(self, region: str) -> Plan:
        warehouses = set(self._everywhere)
        for code in self._above(region):
            warehouses |= self._covering.get(code, set())
        centroid = self._places[region].centroid
        sites = (self._sites[warehouse] for warehouse in warehouses)
        places = sorted(site.rung(centroid) for site in sites if not site.closed)
        return tuple([warehouse for *_, warehouse in places])

    def _mended(self, region: str, plan: Plan, moved: dict[str, Site | None]) -> Plan:
        centroid = self._places[region].centroid
        mended = list(plan)

        def standing(warehouse: str) -> Site:
            return moved.get(warehouse) or self._sites[warehouse]

        for before in moved.values():
            if before is not None:
                del mended[_slot(mended, before, centroid, standing)]
        for warehouse in moved:
            site = self._sites.get(warehouse)
            if site is not None and not site.closed and self.covers(site, region):
                mended.insert(_slot(mended, site, centroid, self._sites.__getitem__), warehouse)
        return tuple(mended)

    def _note(self, region: str, warehouse: str, before: Site | None) -> None:
        plan = self._plans.get(region)
        if plan is None:
            return
        moved = self._moved.setdefault(region, {})
        moved.setdefault(warehouse, before)
        # Looked at to take one out and put it in again by bisection, against all that compiling looks at.
        if len(moved) * 2 * len(plan).bit_length() > len(plan):
            self._forget(region)

    def _forget(self, region: str) -> None:
        self._plans.pop(region, None)
        self._moved.pop(region, None)

    def _on_plans(self, site: Site | None) -> set[str]:
        """The regions on whose plans a warehouse stands."""
        if site is None or site.closed:
            return set()
        if site.everywhere:
            return set(self._places)
        return {below for region in site.regions for below in self._below(region)} & self._places.keys()

    def _above(self, region: str) -> Iterator[str]:
        while region:
            yield region
            place = self._places.get(region)
            region = place.parent if place else ""

    def _below(self, region: str) -> Iterator[str]:
        waiting = [region]
        while waiting:
            code = waiting.pop()
            yield code
            waiting.extend(self._children.get(code, ()))


def _slot(plan: list[str], site: Site, origin: Point | None, sites: Callable[[str], Site]) -> int:
    """Where a warehouse stands in a plan, or would stand.

    Distances are measured only among those of its tier and rank.
    """
    first = bisect_left(plan, site.band(), key=lambda warehouse: sites(warehouse).band())
    last = bisect_right(plan, site.band(), first, key=lambda warehouse: sites(warehouse).band())
    if first == last:
        return first
    return bisect_left(
        plan, site.rung(origin), first, last, key=lambda warehouse: sites(warehouse).rung(origin)
    )
