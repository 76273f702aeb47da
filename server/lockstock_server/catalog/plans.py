"""The installed route plans, and which of them a change of the catalogue changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.catalog.documents import CHANGES_BYTES, put_of_plan
from lockstock_server.routing.distance import Point
from lockstock_server.routing.network import Network, Place, Site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockstock.internal.v1.documents_pb2 import PutDocument

    from lockstock_server.catalog.kinds import Document

Installed = tuple[tuple[str, ...], int]
"""A plan and its version."""


def _point(message: Document, field: str) -> Point | None:
    if not message.HasField(field):  # type: ignore[arg-type] # only asked of messages that have it
        return None
    coordinates: pb.Coordinates = getattr(message, field)
    return Point(coordinates.latitude, coordinates.longitude)


def site_of(warehouse: pb.Warehouse) -> Site:
    """A warehouse as routing sees it."""
    regions = frozenset(warehouse.coverage.regions)
    return Site(
        warehouse=warehouse.warehouse,
        tier=warehouse.tier,
        rank=warehouse.rank,
        regions=regions,
        everywhere=warehouse.tier == pb.TIER_CENTRAL and not regions,
        location=_point(warehouse, "location"),
        closed=warehouse.state == pb.WAREHOUSE_STATE_CLOSED,
    )


def place_of(region: pb.Region) -> Place:
    """A region as routing sees it."""
    return Place(region=region.region, parent=region.parent, centroid=_point(region, "centroid"))


class Plans:
    """The network, the plans that stand in the engine, and the regions to be looked at again.

    A change is put into the network first (`change`), its plans are compiled (`due`), and when the engine
    has taken them they are marked (`installed`); a change that the engine refuses is taken back (`restore`).
    """

    def __init__(self) -> None:
        self._network = Network()
        self._installed: dict[str, Installed] = {}
        self._owed: set[str] = set()

    def change(self, document: Document) -> set[str]:
        """Put a warehouse or region into the network; the regions it touches. Others touch none."""
        if isinstance(document, pb.Warehouse):
            return self._network.put_site(document.warehouse, site_of(document))
        if isinstance(document, pb.Region):
            return self._network.put_place(document.region, place_of(document))
        return set()

    def restore(self, document: Document, before: Document | None) -> None:
        """Put back what stood before a change that was refused."""
        if before is not None:
            self.change(before)
        elif isinstance(document, pb.Warehouse):
            self._network.put_site(document.warehouse, None)
        elif isinstance(document, pb.Region):
            self._network.put_place(document.region, None)

    def owe(self, regions: Iterable[str]) -> None:
        """Remember regions whose plans must be looked at with the next change."""
        self._owed.update(regions)

    def owed(self) -> set[str]:
        """Give the regions whose plans are still to be looked at."""
        return set(self._owed)

    def due(self, regions: Iterable[str]) -> list[PutDocument]:
        """Compile the plans of these regions; those that differ from what is installed, by region."""
        puts = []
        for region in sorted(regions):
            if self._network.place(region) is None:
                continue
            standing, version = self._installed.get(region, ((), 0))
            plan = self._network.plan(region)
            if plan != standing:
                puts.append(put_of_plan(region, plan, version))
        return puts

    def installed(self, region: str, plan: tuple[str, ...], version: int) -> None:
        """Mark a plan as standing in the engine."""
        self._installed[region] = (plan, version)
        self._owed.discard(region)

    def settled(self, regions: Iterable[str]) -> None:
        """Mark regions whose plans need no change."""
        self._owed.difference_update(regions)

    def regions(self) -> set[str]:
        """Give all regions."""
        return set(self._network.regions())


def fitting(puts: list[PutDocument], taken: int) -> int:
    """Count how many of these plans fit into one change that already holds `taken` bytes."""
    for count, put in enumerate(puts):
        taken += put.ByteSize()
        if taken > CHANGES_BYTES:
            return count
    return len(puts)
