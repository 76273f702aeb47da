"""What ListOrders is asked: its filters, their form, and the tokens of its pages. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import orders_pb2 as pb

from lockstock_server.catalog import form, pages
from lockstock_server.orders.states import State
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

BUYER_BYTES_MAX: Final = 64
_SECONDS: Final = range(-62_135_596_800, 253_402_300_800)
_NANOS: Final = range(1_000_000_000)
_NUMBER_MAX: Final = (1 << 63) - 1
_DIGITS_MAX: Final = len(str(_NUMBER_MAX))


class Place(NamedTuple):
    """Where an order stands in the list: newest first, then by id, backwards."""

    created_at: int
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which orders to list; what is empty or None asks nothing. Times are microseconds since 1970-01-01 UTC."""

    states: frozenset[State] = frozenset()
    channel: str = ""
    buyer: str = ""
    """The keyed hash of the buyer, as the database keeps it."""
    sku: str = ""
    warehouse: str = ""
    region: str = ""
    created_from: int | None = None
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that was asked for."""

    filters: Filters
    size: int
    after: Place | None
    listing: str
    """What its tokens are bound to."""

    def token(self, place: Place) -> str:
        """Make the token of the page that begins after a place."""
        return pages.token(self.listing, f"{place.created_at} {place.order_id}")


def read(request: pb.ListOrdersRequest, buyer_hash: Callable[[str], str]) -> Asked:
    """Check a request's form. Raises Refused."""
    form.check_number("page_size", request.page_size, 0, pages.PAGE_SIZE_MAX)
    for name in ("channel", "sku", "warehouse", "region"):
        form.check_optional_id(name, getattr(request, name))
    form.check_text("buyer", request.buyer, BUYER_BYTES_MAX)
    known = pb.OrderState.values()
    for at, state in enumerate(request.states):
        form.check_enum(f"states[{at}]", state, known)
    filters = Filters(
        states=frozenset(request.states),
        channel=request.channel,
        buyer=buyer_hash(request.buyer) if request.buyer else "",
        sku=request.sku,
        warehouse=request.warehouse,
        region=request.region,
        created_from=micros(request, "created_from"),
        created_before=micros(request, "created_before"),
    )
    listing = _listing(request)
    size = request.page_size or pages.PAGE_SIZE_DEFAULT
    return Asked(filters, size, _place(listing, request.page_token), listing)


def _listing(request: pb.ListOrdersRequest) -> str:
    """Name the list that a request asks for a page of: a token is good for the same filters only."""
    filters = pb.ListOrdersRequest()
    filters.CopyFrom(request)
    for name in ("page_size", "page_token", "min_sequence"):
        filters.ClearField(name)
    digest = hashlib.blake2s(filters.SerializeToString(deterministic=True), digest_size=16).hexdigest()
    return f"orders:{digest}"


def _place(listing: str, page_token: str) -> Place | None:
    if not page_token:
        return None
    created_at, _, order_id = pages.after(listing, page_token).partition(" ")
    digits = created_at.isascii() and created_at.isdecimal() and len(created_at) <= _DIGITS_MAX
    if not (digits and int(created_at) <= _NUMBER_MAX):
        raise Refused("PAGE_TOKEN_INVALID")
    return Place(int(created_at), order_id)


def micros(request: Message, field: str) -> int | None:
    """Read a time of a request's filter; None where it is not set. Raises Refused."""
    if not request.HasField(field):
        return None
    time: Timestamp = getattr(request, field)
    if time.seconds not in _SECONDS or time.nanos not in _NANOS:
        raise Refused("DURATION_OUT_OF_RANGE", field=field, limit="0001-01-01 to 9999-12-31")
    # Orders stand at whole microseconds: at or after a time, and before it, are both told by the next one up.
    return time.seconds * 1_000_000 - (-time.nanos // 1_000)
