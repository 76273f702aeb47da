"""How places, quantities and times are written on the command line."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Annotated, TypeVar

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import orders_pb2 as orders

from lockstock_server.cli.output import Exit, fail

_T = TypeVar("_T")

Region = Annotated[str, typer.Option(help="The region it goes to.")]
Latitude = Annotated[float | None, typer.Option("--lat", help="The buyer's latitude; with --lon.")]
Longitude = Annotated[float | None, typer.Option("--lon", help="The buyer's longitude; with --lat.")]
Pickup = Annotated[str, typer.Option(help="The warehouse where the buyer fetches the goods.")]
Wanted = Annotated[list[str] | None, typer.Option("--line", help="SKU=QUANTITY; may be repeated.")]


def destination(
    region: str, latitude: float | None, longitude: float | None, pickup: str
) -> orders.Destination:
    """Where an order goes."""
    place = orders.Destination(region=region, pickup=pickup)
    if (latitude is None) != (longitude is None):
        fail("A point has a latitude and a longitude: --lat and --lon.", Exit.USAGE)
    if latitude is not None and longitude is not None:
        place.coordinates.latitude, place.coordinates.longitude = latitude, longitude
    return place


def named(given: Sequence[str] | None, option: str, read: Callable[[str], _T]) -> list[tuple[str, _T]]:
    """Reads NAME=VALUE; a name may hold an equals sign, a value does not."""
    found = []
    for text in given or ():
        name, _, value = text.rpartition("=")
        try:
            found.append((name, read(value)))
        except ValueError:
            fail(f"{option} {text}: this is not NAME=VALUE with a value that can be read.", Exit.USAGE)
    return found


def whole(text: str) -> int:
    """A number of units without a sign. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(text)
    return int(text)


def time(stamp: Timestamp) -> str:
    """A time to the second, UTC."""
    return stamp.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S")
