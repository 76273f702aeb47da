"""Reading orders: how one stands comes from the engine, what happened to it from the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lockstock.v1 import orders_pb2 as pb
from lockstock.v1 import stock_pb2

from lockstock_server.catalog import form
from lockstock_server.orders import history, listing, states
from lockstock_server.orders.reservations import order_of, sums_of_reservation
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lockstock_server.orders.history import Step
    from lockstock_server.orders.listing import Filters, Place

GET_RESERVATION: Final = "/lockstock.v1.StockService/GetReservation"
WRONG_STATE: Final = frozenset(
    {
        "QUANTITY_NOT_HELD",
        "LOCK_EXPIRED",
        "REFUND_DUE",
        "RETURN_EXCEEDS_SHIPPED",
        "BELOW_SHIPPED",
    }
)
"""Refusals of the engine that say: no units, or fewer, are in the state that this needs."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of orders. `following` is after which place the next one begins; None: this is the last."""

    orders: Sequence[stock_pb2.Reservation]
    following: Place | None
    as_of: int


class Archive(Protocol):
    """The port to the database. Raises Refused: DATABASE_AWAY, NUMBER_OUT_OF_RANGE for `min_sequence`."""

    async def history(self, order_id: str, until: int, min_sequence: int) -> Sequence[Step]:
        """Give the steps of an order up to a sequence, in order."""

    async def page(self, filters: Filters, size: int, after: Place | None, min_sequence: int) -> Page:
        """Give at most `size` orders after a place."""


class Orders:
    """Orders as they stand, as they came about, and why a step of one was refused."""

    def __init__(
        self,
        call: Callable[[str, bytes], Awaitable[bytes]],
        archive: Archive,
        buyer_hash: Callable[[str], str],
    ) -> None:
        """Take the engine's calls (which raise Refused), the database, and how buyers are written in it."""
        self._call = call
        self._archive = archive
        self._buyer_hash = buyer_hash

    async def get(self, request: pb.GetOrderRequest) -> pb.Order:
        """Give an order. Raises Refused."""
        form.check_id("order_id", request.order_id)
        if request.view not in pb.OrderView.values():
            raise Refused("ENUM_UNKNOWN", field="view", value=request.view)
        order = order_of(await self._reservation(request.order_id))
        if request.view != pb.ORDER_VIEW_BASIC:
            # Nothing after its version, up to the sequence it stands at, was about this order.
            found = await self._archive.history(order.order_id, order.sequence, order.version)
            order.payments.extend(history.payments(found))
            order.parcels.extend(history.parcels(found))
            order.returns.extend(history.returns(found))
            order.steps.extend(history.steps(order.order_id, found))
        return order

    async def page(self, request: pb.ListOrdersRequest) -> pb.ListOrdersResponse:
        """Give a page of orders. Raises Refused."""
        asked = listing.read(request, self._buyer_hash)
        page = await self._archive.page(asked.filters, asked.size, asked.after, request.min_sequence)
        return pb.ListOrdersResponse(
            orders=map(order_of, page.orders),
            next_page_token="" if page.following is None else asked.token(page.following),
            as_of_sequence=page.as_of,
        )

    async def out_of_state(self, verb: str, order_id: str) -> Refused | None:
        """Tell of a step that the engine refused for `WRONG_STATE` whether it is not right at all.

        None where it is right: then there are fewer units than it named, as the engine says.
        """
        try:
            reservation = await self._reservation(order_id)
        except Refused:
            return None
        order = sums_of_reservation(reservation)
        allowed = states.explain(order, verb)
        if allowed is None:
            return None
        state = states.word(states.state_of(order))
        return Refused("ORDER_STATE", order=order_id, state=state, verb=verb, allowed=", ".join(allowed))

    async def _reservation(self, order_id: str) -> stock_pb2.Reservation:
        request = stock_pb2.GetReservationRequest(reservation_id=order_id)
        return stock_pb2.Reservation.FromString(
            await self._call(GET_RESERVATION, request.SerializeToString())
        )
