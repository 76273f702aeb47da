"""Planning orders that need more than their region's installed plan: those with coordinates, and pickups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock.internal.v1 import orders_pb2 as seam

from lockstock_server.catalog import form
from lockstock_server.refusals import Refused
from lockstock_server.routing.beyond import PLACES, geo, pickup
from lockstock_server.routing.distance import Point

if TYPE_CHECKING:
    from lockstock.v1 import orders_pb2 as pb

    from lockstock_server.routing.network import Network, Site

CANDIDATES_MAX = 1_000
"""An order's list of warehouses is no longer."""


class Planner:
    """Turns a destination into candidates, over the network as it stands."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def plan(self, destination: pb.Destination, path: str = "destination") -> seam.Planned | None:
        """Plan a destination; None where the region's installed plan serves. Raises Refused.

        `path` is where it stands in the request.
        """
        if destination.pickup:
            site = self.pickup(destination, path)
            return seam.Planned(warehouses=[site.warehouse], destination=pickup(site.warehouse))
        if not destination.HasField("coordinates"):
            return None
        buyer = self.buyer(destination, path)
        warehouses = [site.warehouse for site in self.candidates(destination.region, buyer)]
        return seam.Planned(warehouses=warehouses, destination=geo(buyer))

    def pickup(self, destination: pb.Destination, path: str = "destination") -> Site:
        """Find the warehouse where the buyer fetches the goods; whether it works is judged with the stock."""
        if destination.region:
            raise Refused("FIELDS_CONFLICT", field=f"{path}.region")
        if destination.HasField("coordinates"):
            raise Refused("FIELDS_CONFLICT", field=f"{path}.coordinates")
        form.check_id(f"{path}.pickup", destination.pickup)
        site = self._network.site(destination.pickup)
        if site is None:
            raise Refused("WAREHOUSE_NOT_FOUND", warehouse=destination.pickup)
        if not site.pickup:
            raise Refused("PICKUP_NOT_OFFERED", warehouse=site.warehouse)
        return site

    def buyer(self, destination: pb.Destination, path: str = "destination") -> Point:
        """Read where the buyer is, as precisely as it is kept. Raises Refused."""
        form.check_id(f"{path}.region", destination.region)
        form.check_point(f"{path}.coordinates", destination.coordinates)
        if self._network.place(destination.region) is None:
            raise Refused("REGION_NOT_FOUND", region=destination.region)
        # Rounded before anything is measured, so that the order can be explained by what is kept of it.
        # Adding zero makes a negative zero a zero.
        latitude = round(destination.coordinates.latitude, PLACES) + 0.0
        return Point(latitude, round(destination.coordinates.longitude, PLACES) + 0.0)

    def candidates(self, region: str, buyer: Point) -> list[Site]:
        """Order the candidates for a buyer: the nearest thousand, should there be more."""
        return self._network.candidates(region, buyer)[:CANDIDATES_MAX]
