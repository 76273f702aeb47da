"""Documents of the catalogue as routing sees them."""

from __future__ import annotations

from dataclasses import dataclass

from lockstock.v1 import catalog_pb2 as pb

from lockstock_server.routing.distance import Point
from lockstock_server.routing.network import Place, Site

ACTIVE = pb.WAREHOUSE_STATE_ACTIVE
PAUSED = pb.WAREHOUSE_STATE_PAUSED
CLOSED = pb.WAREHOUSE_STATE_CLOSED


@dataclass(frozen=True, slots=True)
class Keeper:
    """A warehouse as far as it decides who may give units: its state, and what it keeps."""

    warehouse: str
    state: int = ACTIVE
    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    def keeps(self, sku: str, category: str) -> bool:
        """Whether a SKU is in its assortment; where none is said, every SKU is."""
        everything = not self.skus and not self.categories
        return everything or sku in self.skus or category in self.categories


def keeper_of(warehouse: pb.Warehouse) -> Keeper:
    """A warehouse as a keeper of goods."""
    assortment = warehouse.assortment
    return Keeper(
        warehouse=warehouse.warehouse,
        state=warehouse.state,
        skus=frozenset(assortment.skus),
        categories=frozenset(assortment.categories),
    )


def site_of(warehouse: pb.Warehouse) -> Site:
    """A warehouse as plans see it."""
    regions = frozenset(warehouse.coverage.regions)
    return Site(
        warehouse=warehouse.warehouse,
        tier=warehouse.tier,
        rank=warehouse.rank,
        regions=regions,
        everywhere=warehouse.tier == pb.TIER_CENTRAL and not regions,
        location=_point(warehouse.location) if warehouse.HasField("location") else None,
        closed=warehouse.state == CLOSED,
        reach_km=warehouse.coverage.radius_km if warehouse.tier == pb.TIER_FRONT else 0.0,
        pickup=warehouse.pickup,
    )


def place_of(region: pb.Region) -> Place:
    """A region as plans see it."""
    centroid = _point(region.centroid) if region.HasField("centroid") else None
    return Place(region=region.region, parent=region.parent, centroid=centroid)


def _point(coordinates: pb.Coordinates) -> Point:
    return Point(coordinates.latitude, coordinates.longitude)
