"""A reservation as an order: the same lines, read as the flow of an order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstock.v1 import orders_pb2 as pb
from lockstock.v1 import stock_pb2

from lockstock_server.orders.states import Sums, state_of
from lockstock_server.routing.beyond import pickup_of, point_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def sums_of(lines: Iterable[stock_pb2.ReservationLine], *, refund_due: bool) -> Sums:
    """Sum the counters of an order's lines and of their allocations."""
    lines = list(lines)
    places = [place for line in lines for place in line.allocations]
    return Sums(
        refund_due=int(refund_due),
        locked=sum(line.locked for line in lines),
        wanted=sum(line.wanted for line in lines),
        deducted=sum(line.deducted for line in lines),
        expired=sum(line.expired for line in lines),
        cancelled=sum(line.cancelled for line in lines),
        claimed=sum(line.claimed for line in lines),
        returned=sum(line.returned for line in lines),
        allocated=sum(place.allocated for place in places),
        picking=sum(place.picking for place in places),
        shipped=sum(place.shipped for place in places),
        returning=sum(place.returning for place in places),
    )


def sums_of_reservation(reservation: stock_pb2.Reservation) -> Sums:
    """Sum the counters of a reservation as the engine gives it."""
    refund_due = reservation.state == stock_pb2.RESERVATION_STATE_REFUND_DUE
    return sums_of(reservation.lines, refund_due=refund_due)


def order_of(reservation: stock_pb2.Reservation) -> pb.Order:
    """Give a reservation as an order, without its history."""
    order = pb.Order(
        sequence=reservation.sequence,
        order_id=reservation.reservation_id,
        state=state_of(sums_of_reservation(reservation)),
        version=reservation.version,
        created_at=reservation.created_at,
        deadline=reservation.deadline if reservation.HasField("deadline") else None,
        extensions=reservation.extensions,
        destination=destination(reservation.region, reservation.destination),
        max_parcels=reservation.max_parcels,
        channel=reservation.channel,
        attributes=reservation.attributes,
    )
    order.lines.extend(reservation.lines)
    return order


def destination(region: str, beyond: str) -> pb.Destination | None:
    """Give the destination back from what the engine keeps of it; None where it was given warehouses."""
    if warehouse := pickup_of(beyond):
        return pb.Destination(pickup=warehouse)
    if not region:
        return None
    found = pb.Destination(region=region)
    if point := point_of(beyond):
        found.coordinates.latitude, found.coordinates.longitude = point
    return found
