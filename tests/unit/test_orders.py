"""Orders over an engine and a database with memory: how one stands, what happened to it, why a step is refused."""

from __future__ import annotations

from typing import Any

import pytest
from fake_orders import FakeArchive
from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import orders_pb2 as pb
from lockstock.v1 import stock_pb2
from lockstock_server.orders.history import Moved, Step
from lockstock_server.orders.service import Orders
from lockstock_server.refusals import Refused


def reservation(name: str = "o", created_at: int = 1, **line: Any) -> stock_pb2.Reservation:
    """A reservation of one line; `allocations` are its places."""
    return stock_pb2.Reservation(
        sequence=9,
        reservation_id=name,
        version=4,
        created_at=Timestamp(seconds=created_at),
        region="CN",
        channel="web",
        attributes=b"\x00",
        max_parcels=2,
        lines=[stock_pb2.ReservationLine(line=1, sku="book", **line)],
    )


def place(**counters: int) -> list[stock_pb2.Allocation]:
    return [stock_pb2.Allocation(warehouse="SH", **counters)]


PAID = reservation(deducted=2, allocations=place(allocated=2))


class Shop:
    """Orders over fakes."""

    def __init__(self, *known: stock_pb2.Reservation) -> None:
        self.known = {it.reservation_id: it for it in known}
        self.archive = FakeArchive(sequence=9, orders=list(known))
        self.orders = Orders(self.call, self.archive, lambda buyer: f"hash of {buyer}")

    async def call(self, method: str, request: bytes) -> bytes:
        assert method == "/lockstock.v1.StockService/GetReservation"
        name = stock_pb2.GetReservationRequest.FromString(request).reservation_id
        if name not in self.known:
            raise Refused("RESERVATION_NOT_FOUND", reservation=name)
        return self.known[name].SerializeToString()


async def refused(awaitable: Any) -> tuple[str, dict[str, str]]:
    with pytest.raises(Refused) as error:
        await awaitable
    return error.value.reason, error.value.metadata


async def test_an_order_is_its_reservation_with_the_state_its_units_are_in() -> None:
    order = await Shop(PAID).orders.get(pb.GetOrderRequest(order_id="o", view=pb.ORDER_VIEW_BASIC))
    assert (order.order_id, order.sequence, order.version) == ("o", 9, 4)
    assert pb.OrderState.Name(order.state) == "ORDER_STATE_PAID"
    assert (order.destination.region, order.channel, order.attributes) == ("CN", "web", b"\x00")
    assert (order.max_parcels, order.created_at.seconds, order.HasField("deadline")) == (2, 1, False)
    assert list(order.lines) == list(PAID.lines)
    assert not order.steps


@pytest.mark.parametrize("view", [pb.ORDER_VIEW_FULL, pb.ORDER_VIEW_UNSPECIFIED])
async def test_its_history_ends_where_it_stands(view: pb.OrderView.ValueType) -> None:
    shop = Shop(PAID)
    taken = Moved("LOCK", 1, "book", "SH", "SHARED", 2)
    deducted = Moved("DEDUCT", 1, "book", "SH", "SHARED", 2)
    shop.archive.histories["o"] = [
        Step(2, 2, "PLACE_ORDER", movements=[taken]),
        Step(4, 4, "PAY_ORDER", document="pay-1", movements=[deducted]),
        Step(11, 11, "CANCEL_ORDER"),
    ]
    order = await shop.orders.get(pb.GetOrderRequest(order_id="o", view=view))
    assert [step.operation for step in order.steps] == ["PLACE_ORDER", "PAY_ORDER"]
    assert [payment.payment_id for payment in order.payments] == ["pay-1"]


async def test_without_the_database_an_order_stands_and_has_no_history() -> None:
    shop = Shop(PAID)
    shop.archive.away = True
    assert await refused(shop.orders.get(pb.GetOrderRequest(order_id="o"))) == (
        "DATABASE_AWAY",
        {"wanted": "4", "as_of": "9"},
    )
    basic = await shop.orders.get(pb.GetOrderRequest(order_id="o", view=pb.ORDER_VIEW_BASIC))
    assert basic.state == pb.ORDER_STATE_PAID


UNKNOWN_VIEW: Any = 7


@pytest.mark.parametrize(
    ("request_", "reason", "metadata"),
    [
        (pb.GetOrderRequest(), "FIELD_REQUIRED", {"field": "order_id"}),
        (pb.GetOrderRequest(order_id="x" * 65), "ID_INVALID", {"field": "order_id"}),
        (
            pb.GetOrderRequest(order_id="o", view=UNKNOWN_VIEW),
            "ENUM_UNKNOWN",
            {"field": "view", "value": "7"},
        ),
        (pb.GetOrderRequest(order_id="none"), "RESERVATION_NOT_FOUND", {"reservation": "none"}),
    ],
)
async def test_what_is_no_order_is_refused(
    request_: pb.GetOrderRequest, reason: str, metadata: dict[str, str]
) -> None:
    assert await refused(Shop(PAID).orders.get(request_)) == (reason, metadata)


async def test_orders_are_listed_page_by_page_newest_first() -> None:
    shop = Shop(*(reservation(f"o-{n}", n, locked=1, allocations=place(locked=1)) for n in range(5)))
    request = pb.ListOrdersRequest(page_size=2, channel="web")
    pages = []
    while True:
        page = await shop.orders.page(request)
        pages.append([order.order_id for order in page.orders])
        assert page.as_of_sequence == 9
        assert {order.state for order in page.orders} == {pb.ORDER_STATE_AWAITING_PAYMENT}
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert pages == [["o-4", "o-3"], ["o-2", "o-1"], ["o-0"]]


async def test_a_list_that_wants_more_than_the_database_has_is_refused() -> None:
    request = pb.ListOrdersRequest(min_sequence=10)
    assert await refused(Shop(PAID).orders.page(request)) == ("DATABASE_AWAY", {"wanted": "10", "as_of": "9"})


async def test_a_step_for_which_the_order_has_no_units_is_explained_by_its_state() -> None:
    found = await Shop(PAID).orders.out_of_state("PayOrder", "o")
    assert found is not None
    assert (found.reason, found.metadata["state"]) == ("ORDER_STATE", "PAID")


@pytest.mark.parametrize(
    ("verb", "order_id"), [("ShipOrder", "o"), ("PayOrder", "none")], ids=["too many", "no such order"]
)
async def test_any_other_refusal_is_the_engines_to_explain(verb: str, order_id: str) -> None:
    assert await Shop(PAID).orders.out_of_state(verb, order_id) is None
