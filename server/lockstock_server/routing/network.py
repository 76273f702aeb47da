"""The network of regions and warehouses, and the plans compiled from it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockstock_server.routing.distance import Point, distance_km

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Site:
    """A warehouse as routing sees it.

    `tier` and `rank` are tried low to high; `regions` are the codes it covers, each with all below it;
    `everywhere` is set for a CENTRAL warehouse that is not narrowed; a closed one is on no plan.
    """

    warehouse: str
    tier: int
    rank: int = 0
    regions: frozenset[str] = frozenset()
    everywhere: bool = False
    location: Point | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A region as routing sees it; `parent` is empty for a root."""

    region: str
    parent: str = ""
    centroid: Point | None = None


@dataclass(slots=True)
class Network:
    """Regions and warehouses with the indexes that make a change cheap: only what it touches is compiled."""

    _sites: dict[str, Site] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _children: dict[str, set[str]] = field(default_factory=dict)
    _covering: dict[str, set[str]] = field(default_factory=dict)
    _everywhere: set[str] = field(default_factory=set)

    def site(self, warehouse: str) -> Site | None:
        """Give a warehouse as it stands here."""
        return self._sites.get(warehouse)

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
        return set() if before == site else self._served(before) | self._served(site)

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
        return touched & self._places.keys()

    def plan(self, region: str) -> tuple[str, ...]:
        """Compile a region's plan: every warehouse short of closed that covers it, in order.

        The order is tier, rank, distance from the region's centroid (not known: last), id.
        """
        place = self._places[region]
        candidates = set(self._everywhere)
        for code in self._above(region):
            candidates |= self._covering.get(code, set())
        sites = (self._sites[warehouse] for warehouse in candidates)
        order = sorted(
            (site.tier, site.rank, _distance(place.centroid, site.location), site.warehouse)
            for site in sites
            if not site.closed
        )
        return tuple(warehouse for *_, warehouse in order)

    def _served(self, site: Site | None) -> set[str]:
        if site is None:
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


def _distance(centroid: Point | None, location: Point | None) -> float:
    return math.inf if centroid is None or location is None else distance_km(centroid, location)
