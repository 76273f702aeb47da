"""Orders from the placing to the return on a real server: the golden table, payments, history, lists, pickups."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lockstock
import pytest
from conftest import Server
from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb
from lockstock.v1 import stock_pb2 as stock
from lockstock_server.orders.states import STATES
from order_desk import BJ, DEFECTIVE, LOST, ON_PAYMENT, SH, Desk, hold, shop


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[Desk]:
    with server.client() as client:
        shop(client)
        yield Desk(client)


# --- the golden table of the domain ---


def layers(desk: Desk, sku: str) -> tuple[tuple[int, ...], ...]:
    """Sales: available, locked, sold; dispatch: book, available; warehouse SH: available, locked, shipped."""
    stubs = desk.client.stock
    sales = stubs.GetSalesStock(stock.GetSalesStockRequest(skus=[sku])).stocks[0]
    dispatch = stubs.GetDispatchStock(stock.GetDispatchStockRequest(skus=[sku])).stocks[0]
    warehouse = stubs.GetWarehouseStock(stock.GetWarehouseStockRequest(skus=[sku], warehouses=[SH])).stocks[0]
    return (
        (sales.available, sales.locked, sales.sold),
        (dispatch.book, dispatch.available),
        (warehouse.available, warehouse.locked, warehouse.shipped),
    )


def test_thirty_books_and_one_order_of_ten_go_as_the_golden_table_says(desk: Desk) -> None:
    book = desk.sku(SH=30)
    seen = [layers(desk, book)]
    order = desk.place({book: 10})
    seen.append(layers(desk, book))
    steps: list[Callable[[], op.Answer]] = [
        lambda: desk.cancel(order, {1: 1}),  # give back 1 before paying
        lambda: desk.pay(order),
        lambda: desk.push(order),
        lambda: desk.cancel(order, {1: 2}),  # refund 2 before shipping
        lambda: desk.ship(order),
        lambda: desk.take_back(order, {1: 3}),
    ]
    for step in steps:
        step()
        seen.append(layers(desk, book))
    assert seen == [
        ((30, 0, 0), (30, 30), (30, 0, 0)),
        ((20, 10, 0), (30, 20), (30, 0, 0)),
        ((21, 9, 0), (30, 21), (30, 0, 0)),
        ((21, 0, 9), (30, 21), (30, 0, 0)),
        ((21, 0, 9), (30, 21), (21, 9, 0)),
        ((23, 0, 7), (30, 23), (23, 7, 0)),
        ((23, 0, 7), (23, 23), (23, 0, 7)),
        ((26, 0, 4), (26, 26), (26, 0, 7)),
    ]
    assert desk.level(book, SH).returned == 3
    assert desk.state(order) == "PARTLY_RETURNED"


# --- payments ---


def test_a_late_payment_that_finds_the_units_again_relocks_them(desk: Desk) -> None:
    book = desk.sku(SH=3)
    order = desk.place({book: 3})
    desk.lapse(order)
    assert desk.state(order) == "EXPIRED"
    assert desk.pay(order).outcome == op.OUTCOME_RELOCKED
    assert (desk.state(order), desk.free(book)) == ("PAID", 0)


def test_a_late_payment_that_finds_them_sold_is_refund_due_and_takes_nothing(desk: Desk) -> None:
    book = desk.sku(SH=3)
    late = desk.place({book: 3})
    desk.lapse(late)
    quick = desk.place({book: 1})
    assert desk.pay(late).outcome == op.OUTCOME_EXPIRED_SOLD_OUT
    assert (desk.state(late), desk.state(quick), desk.free(book)) == ("REFUND_DUE", "AWAITING_PAYMENT", 2)
    (payment,) = desk.history(late).payments
    assert (payment.outcome, list(payment.lines)) == (op.OUTCOME_EXPIRED_SOLD_OUT, [])


def test_an_order_on_payment_promises_nothing_and_its_payment_takes_all_or_is_refund_due(desk: Desk) -> None:
    book, pen = desk.sku(SH=2), desk.sku(SH=2)
    first = desk.place({book: 2, pen: 1}, deduction_policy=ON_PAYMENT)
    second = desk.place({pen: 1, book: 1}, deduction_policy=ON_PAYMENT)
    assert (desk.free(book), desk.free(pen)) == (2, 2)
    assert not desk.order(first).HasField("deadline")
    assert desk.pay(first).outcome == op.OUTCOME_DONE
    # Of the second the pen is there and the book is gone: it takes neither.
    assert desk.pay(second).outcome == op.OUTCOME_SOLD_OUT
    assert (desk.state(first), desk.state(second)) == ("PAID", "REFUND_DUE")
    assert (desk.free(book), desk.free(pen)) == (0, 1)


def test_a_sold_out_payment_gives_back_what_the_order_still_held_in_the_same_step(desk: Desk) -> None:
    book, pen = desk.sku(SH=2), desk.sku(SH=2)
    order = desk.place({book: 2}, deduction_policy=ON_PAYMENT)
    desk.amend(order, additions={pen: 2})
    assert desk.free(pen) == 0
    desk.sell_elsewhere(book)
    answer = desk.pay(order)
    assert {movement.kind for movement in answer.movements} == {"UNLOCK", "WITHDRAW"}
    assert (desk.state(order), desk.free(pen)) == ("REFUND_DUE", 2)


def test_an_order_can_be_paid_in_parts(desk: Desk) -> None:
    book = desk.sku(SH=5)
    order = desk.place({book: 5})
    desk.pay(order, {1: 2}, document="first")
    assert desk.state(order) == "PARTLY_PAID"
    desk.pay(order, document="second")
    payments = desk.history(order).payments
    assert [(payment.payment_id, payment.lines[0].quantity) for payment in payments] == [
        ("first", 2),
        ("second", 3),
    ]


# --- what happened to an order ---


def test_the_history_of_an_order_is_every_step_with_its_payments_parcels_and_returns(desk: Desk) -> None:
    book, pen = desk.sku(SH=2, BJ=3), desk.sku(SH=4)
    order = desk.place([(book, 5), (pen, 2)], attributes=b"\xffgift", split=op.Split(max_parcels=2))
    desk.pay(order, document="pay-1")
    desk.push(order)
    desk.ship(order, document="parcel-1", attributes=b'{"carrier": "post"}')
    desk.ship(order, warehouse=BJ, document="parcel-2")
    desk.announce(order, {1: 2, 2: 1}, document="rma-1")
    desk.take_back(order, {1: 1}, document="rma-1")
    desk.take_back(order, {1: 1}, DEFECTIVE, document="rma-1")
    desk.take_back(order, {2: 1}, LOST, document="rma-1")
    found = desk.history(order)
    assert [step.operation for step in found.steps] == [
        "PLACE_ORDER",
        "PAY_ORDER",
        "PUSH_ORDER",
        "SHIP_ORDER",
        "SHIP_ORDER",
        "EXPECT_ORDER_RETURN",
        *["TAKE_ORDER_RETURN"] * 3,
    ]
    assert all(uuid.UUID(step.request_id).version == 7 for step in found.steps)
    assert [step.sequence for step in found.steps] == sorted({step.sequence for step in found.steps})
    assert found.version == found.steps[-1].sequence
    assert {movement.owner for step in found.steps for movement in step.movements} == {order}
    (payment,) = found.payments
    assert [(line.line, line.sku, line.quantity) for line in payment.lines] == [(1, book, 5), (2, pen, 2)]
    parcels = [
        (it.parcel_id, it.warehouse, [(line.line, line.quantity) for line in it.lines], it.attributes)
        for it in found.parcels
    ]
    assert parcels == [
        ("parcel-1", SH, [(1, 2), (2, 2)], b'{"carrier": "post"}'),
        ("parcel-2", BJ, [(1, 3)], b""),
    ]
    (back,) = found.returns
    assert (back.return_id, back.warehouse) == ("rma-1", SH)
    assert (back.announced, back.sellable, back.defective, back.lost) == (3, 1, 1, 1)
    assert (found.attributes, found.max_parcels, found.destination.region) == (b"\xffgift", 2, "CN")


def test_a_deadline_that_passes_is_a_step_of_the_order_and_of_it_alone(desk: Desk) -> None:
    book = desk.sku(SH=4)
    order, other = desk.place({book: 2}, hold=hold(1)), desk.place({book: 1}, hold=hold(1))
    while "AWAITING_PAYMENT" in {desk.state(order), desk.state(other)}:
        pass
    last = desk.history(order).steps[-1]
    assert (last.operation, last.request_id) == ("SWEEP", "")
    assert [(it.kind, it.owner, it.quantity) for it in last.movements] == [("EXPIRE", order, 2)]


def test_an_exchange_stands_in_the_history_of_both_orders(desk: Desk) -> None:
    book, pen = desk.sku(SH=2), desk.sku(SH=2)
    old = desk.place({book: 2})
    desk.pay(old)
    desk.ship(old)
    request = pb.ExchangeOrderRequest(
        cause=op.Cause(document="rma-2"),
        order_id=old,
        warehouse=BJ,
        lines=[op.LineQuantity(line=1, quantity=1)],
        replacement=pb.PlaceOrderRequest(
            order_id=f"{old}-new",
            lines=[op.OrderLine(sku=pen, quantity=1)],
            destination=pb.Destination(region="CN"),
        ),
    )
    answer = desk.client.orders.ExchangeOrder(request)
    before, after = desk.history(old), desk.history(f"{old}-new")
    assert (before.state, after.state) == (pb.ORDER_STATE_RETURNING, pb.ORDER_STATE_PAID)
    assert [before.steps[-1].sequence, after.steps[0].sequence] == [answer.sequence] * 2
    assert [movement.kind for movement in before.steps[-1].movements] == ["EXPECT_RETURN"]
    assert [movement.kind for movement in after.steps[0].movements] == ["LOCK_AND_DEDUCT"]
    assert [(it.return_id, it.warehouse, it.announced) for it in before.returns] == [("rma-2", BJ, 1)]


# --- where an order goes ---


def test_an_order_that_is_fetched_comes_from_its_store_and_says_so(desk: Desk) -> None:
    book = desk.sku(SH=5, STORE=1)
    fetched = pb.Destination(pickup="STORE")
    order = desk.place({book: 1}, destination=fetched)
    found = desk.order(order)
    assert [place.warehouse for place in found.lines[0].allocations] == ["STORE"]
    assert found.destination == fetched
    with pytest.raises(lockstock.LockstockError) as error:
        desk.place({book: 1}, destination=fetched)
    assert error.value.reason == "INSUFFICIENT_STOCK"


def test_an_order_with_coordinates_keeps_them(desk: Desk) -> None:
    book = desk.sku(SH=5)
    there = catalog.Coordinates(latitude=31.2304, longitude=-121.4737)
    order = desk.place({book: 1}, destination=pb.Destination(region="CN", coordinates=there))
    assert desk.order(order).destination == pb.Destination(region="CN", coordinates=there)


def test_a_retry_of_a_planned_order_gets_its_first_answer_although_the_store_is_one_no_more(
    desk: Desk,
) -> None:
    corner = catalog.Warehouse(warehouse="CORNER", tier=catalog.TIER_FRONT, pickup=True)
    desk.client.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=corner))
    book = desk.sku(CORNER=1)
    request = pb.PlaceOrderRequest(
        cause=op.Cause(request_id=lockstock.new_request_id()),
        order_id=f"{book}-fetched",
        lines=[op.OrderLine(sku=book, quantity=1)],
        destination=pb.Destination(pickup="CORNER"),
    )
    first = desk.client.orders.PlaceOrder(request)
    corner.pickup = False
    update = catalog.UpdateWarehouseRequest(warehouse=corner)
    update.update_mask.paths.append("pickup")
    desk.client.catalog.UpdateWarehouse(update)
    again = desk.client.orders.PlaceOrder(request)
    assert (again.replayed, again.sequence) == (True, first.sequence)
    request.lines[0].quantity = 2
    with pytest.raises(lockstock.LockstockError) as error:
        desk.client.orders.PlaceOrder(request)
    assert (error.value.reason, error.value.metadata["field"]) == ("REQUEST_ID_REUSED", "lines")
    request.cause.request_id = ""
    with pytest.raises(lockstock.LockstockError) as error:
        desk.client.orders.PlaceOrder(request)
    assert (error.value.reason, error.value.metadata) == ("PICKUP_NOT_OFFERED", {"warehouse": "CORNER"})


# --- lists ---


def listed(desk: Desk, size: int = 3, **filters: Any) -> list[pb.Order]:
    """Every page of a list."""
    found: list[pb.Order] = []
    request = pb.ListOrdersRequest(page_size=size, **filters)
    while True:
        page = desk.client.orders.ListOrders(request)
        assert len(page.orders) <= size
        assert page.as_of_sequence >= request.min_sequence
        found += page.orders
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


@dataclass
class Listing:
    """Orders of one buyer, in different states."""

    buyer: str
    orders: list[str]
    book: str
    newest: int


@pytest.fixture(scope="module")
def some(desk: Desk) -> Listing:
    buyer = "the listed buyer"
    book, pen = desk.sku(SH=40, BJ=40), desk.sku(SH=40)
    orders = [
        desk.place({sku: 2}, buyer=buyer, channel=channel, attributes=sku.encode())
        for sku, channel in [
            (book, "web"),
            (pen, "app"),
            (book, "app"),
            (pen, "web"),
            (book, ""),
            (book, "web"),
        ]
    ]
    first, second, third, fourth, *_rest = orders
    desk.pay(first)
    desk.pay(second)
    desk.ship(second, {1: 1})
    desk.cancel(third)
    desk.lapse(fourth)
    newest = desk.amend(orders[5], {1: 3}).sequence
    return Listing(buyer, orders, book, newest)


def test_a_list_shows_every_order_as_it_is_read_alone(desk: Desk, some: Listing) -> None:
    found = listed(desk, buyer=some.buyer, min_sequence=some.newest)
    assert [order.order_id for order in found] == some.orders[::-1]
    for order in found:
        alone = desk.order(order.order_id)
        alone.sequence = order.sequence
        assert order == alone


def test_a_list_gives_what_fits_all_its_filters(desk: Desk, some: Listing) -> None:
    def named(**filters: Any) -> list[int]:
        found = listed(desk, buyer=some.buyer, min_sequence=some.newest, **filters)
        return [some.orders.index(order.order_id) for order in found]

    assert named(channel="web") == [5, 3, 0]
    assert named(sku=some.book) == [5, 4, 2, 0]
    assert named(region="CN", sku=some.book, channel="web") == [5, 0]
    assert named(region="DE") == []
    # Nothing of what was cancelled or lapsed is promised anywhere.
    assert named(warehouse=SH) == [5, 4, 1, 0]
    assert named(warehouse=BJ) == []
    third = desk.order(some.orders[2]).created_at
    assert named(created_from=third) == [5, 4, 3, 2]
    assert named(created_before=third) == [1, 0]
    assert named(created_from=Timestamp(seconds=4_102_444_800)) == []
    states = {
        name: named(states=[pb.OrderState.Value(f"ORDER_STATE_{name}")]) for name in ("PAID", "CANCELLED")
    }
    assert states == {"PAID": [0], "CANCELLED": [2]}
    assert named(states=[pb.ORDER_STATE_PARTLY_SHIPPED, pb.ORDER_STATE_EXPIRED]) == [3, 1]
    assert named(states=[row.state for row in STATES]) == [5, 4, 3, 2, 1, 0]


def test_a_list_of_nobodys_orders_is_empty_and_its_last_page_has_no_token(desk: Desk, some: Listing) -> None:
    assert listed(desk, buyer="nobody", min_sequence=some.newest) == []
