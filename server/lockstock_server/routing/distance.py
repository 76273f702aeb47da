"""Distance on the earth."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

EARTH_RADIUS_KM = 6_371.0088


class Point(NamedTuple):
    """A point on the earth, degrees (WGS 84)."""

    latitude: float
    longitude: float


def distance_km(one: Point, other: Point) -> float:
    """Measure the great circle between two points, in kilometres (haversine)."""
    north, other_north = radians(one.latitude), radians(other.latitude)
    half_up = (other_north - north) / 2
    half_across = radians(other.longitude - one.longitude) / 2
    chord = sin(half_up) ** 2 + cos(north) * cos(other_north) * sin(half_across) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord)))
