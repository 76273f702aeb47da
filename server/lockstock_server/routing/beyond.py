"""What the engine keeps of where an order goes beyond its region: written here, and read back here."""

from __future__ import annotations

import re

from lockstock_server.routing.distance import Point

PLACES = 6
"""Decimals of a coordinate: a tenth of a metre."""

_GEO = re.compile(r"geo:(-?[0-9.]+),(-?[0-9.]+)")
_PICKUP = "pickup:"


def geo(point: Point) -> str:
    """Write a point as it stands in an order, in the way of RFC 5870."""
    return f"geo:{point.latitude:.{PLACES}f},{point.longitude:.{PLACES}f}"


def pickup(warehouse: str) -> str:
    """Write the warehouse where the buyer fetches the goods."""
    return f"{_PICKUP}{warehouse}"


def point_of(destination: str) -> Point | None:
    """Read the point out of an order's destination; None where it has none."""
    found = _GEO.fullmatch(destination)
    return Point(float(found[1]), float(found[2])) if found else None


def pickup_of(destination: str) -> str:
    """Read the pickup warehouse out of an order's destination; empty where it has none."""
    return destination.removeprefix(_PICKUP) if destination.startswith(_PICKUP) else ""
