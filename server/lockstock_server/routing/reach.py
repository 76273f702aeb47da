"""Which warehouses' radius reaches a buyer, without looking at every warehouse. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockstock_server.routing.distance import EARTH_RADIUS_KM, Point, distance_km

if TYPE_CHECKING:
    from collections.abc import Iterator

DEGREE_KM = math.radians(EARTH_RADIUS_KM)
"""A degree of latitude. A point further north or south than that many degrees is at least so far away."""

ROUNDING_DEGREES = 1e-9
"""What rounding may move a latitude by; a tenth of a millimetre."""


@dataclass(slots=True)
class Reaches:
    """Warehouses that serve by distance, ordered by latitude within classes of like radius.

    A class holds the radii up to a power of two: one warehouse with a long radius widens no search but that of
    its own class.
    """

    _classes: dict[int, list[tuple[float, str]]] = field(default_factory=dict)
    _known: dict[str, tuple[Point, float]] = field(default_factory=dict)

    def put(self, warehouse: str, location: Point | None, radius_km: float) -> None:
        """Change a warehouse; without a location or a radius it is taken out."""
        before = self._known.pop(warehouse, None)
        if before is not None:
            row = self._classes[_class(before[1])]
            del row[bisect_left(row, (before[0].latitude, warehouse))]
        if location is not None and radius_km > 0:
            self._known[warehouse] = (location, radius_km)
            insort(self._classes.setdefault(_class(radius_km), []), (location.latitude, warehouse))

    def around(self, buyer: Point) -> Iterator[str]:
        """Give the warehouses whose radius reaches the buyer."""
        for power, row in self._classes.items():
            band = math.ldexp(1.0, power) / DEGREE_KM + ROUNDING_DEGREES
            first = bisect_left(row, (buyer.latitude - band, ""))
            last = bisect_right(row, buyer.latitude + band, key=lambda entry: entry[0])
            for _, warehouse in row[first:last]:
                location, radius_km = self._known[warehouse]
                if distance_km(buyer, location) <= radius_km:
                    yield warehouse


def _class(radius_km: float) -> int:
    """The power of two that the radius does not pass."""
    return math.frexp(radius_km)[1]
