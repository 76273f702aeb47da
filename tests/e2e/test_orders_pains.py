"""What hurts users of other systems on orders, edits and returns (field notes), each shown not to hurt here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lockstock
import pytest
from conftest import Server
from google.protobuf.message import Message
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb
from order_desk import BJ, DEFECTIVE, LOST, ON_PAYMENT, SELLABLE, SH, Desk, all_of, hold, shop


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[Desk]:
    with server.client() as client:
        shop(client)
        yield Desk(client)


def refused(call: Callable[[], object]) -> lockstock.LockstockError:
    with pytest.raises(lockstock.LockstockError) as error:
        call()
    return error.value


def shipped(desk: Desk, units: int) -> tuple[str, str]:
    """An order of one line that has left SH whole, and its SKU."""
    book = desk.sku(SH=units)
    order = desk.place({book: units})
    desk.pay(order)
    desk.ship(order)
    return order, book


# --- 2: paid, then no stock ---


def test_pain_2_what_was_locked_before_the_payment_is_there_after_it(desk: Desk) -> None:
    book = desk.sku(SH=5)
    orders = [desk.place({book: 1}) for _ in range(5)]
    assert refused(lambda: desk.place({book: 1})).reason == "INSUFFICIENT_STOCK"
    assert [desk.pay(order).outcome for order in orders] == [op.OUTCOME_DONE] * 5


def test_pain_2_of_many_payments_that_take_the_stock_as_many_succeed_as_there_is_and_the_rest_are_refund_due(
    desk: Desk,
) -> None:
    book = desk.sku(SH=7)
    orders = [desk.place({book: 1}, deduction_policy=ON_PAYMENT) for _ in range(20)]
    ready = threading.Barrier(4)

    def pay(some: list[str]) -> list[op.Outcome.ValueType]:
        ready.wait()
        return [desk.pay(order).outcome for order in some]

    with ThreadPoolExecutor(4) as pool:
        outcomes = [it for some in pool.map(pay, [orders[n::4] for n in range(4)]) for it in some]
    assert sorted(outcomes) == [op.OUTCOME_DONE] * 7 + [op.OUTCOME_SOLD_OUT] * 13
    states = sorted(desk.state(order) for order in orders)
    assert states == ["PAID"] * 7 + ["REFUND_DUE"] * 13


# --- 3: holds that never come back ---


def test_pain_3_an_order_that_is_never_paid_gives_its_units_back_although_nobody_calls(desk: Desk) -> None:
    book = desk.sku(SH=2)
    order = desk.place({book: 2}, hold=hold(1))
    while not desk.free(book):
        pass
    assert desk.state(order) == "EXPIRED"


def test_pain_3_after_a_failed_payment_the_shop_chooses_to_keep_the_units_or_to_let_them_go(
    desk: Desk,
) -> None:
    book = desk.sku(SH=4)
    kept, let_go = desk.place({book: 2}, hold=hold(60_000)), desk.place({book: 2})
    before = desk.order(kept).deadline.ToMicroseconds()
    desk.client.orders.ExtendOrder(pb.ExtendOrderRequest(order_id=kept, hold=hold(120_000)))
    desk.cancel(let_go)
    assert desk.order(kept).deadline.ToMicroseconds() > before
    assert (desk.state(kept), desk.state(let_go), desk.free(book)) == ("AWAITING_PAYMENT", "CANCELLED", 2)
    assert desk.pay(kept).outcome == op.OUTCOME_DONE


# --- 5: a client cannot release a hold early ---


def test_pain_5_units_that_are_given_back_before_the_deadline_can_be_sold_at_once(desk: Desk) -> None:
    book = desk.sku(SH=3)
    order = desk.place({book: 3})
    desk.cancel(order, {1: 1})
    assert desk.free(book) == 1
    desk.cancel(order)
    assert desk.place({book: 3}) != order


# --- 8: duplicate lines in one request bypass the check ---


def test_pain_8_lines_of_one_sku_are_summed_before_they_are_judged(desk: Desk) -> None:
    book = desk.sku(SH=3)
    for policy in (None, ON_PAYMENT):
        error = refused(lambda policy=policy: desk.place([(book, 2), (book, 2)], deduction_policy=policy))  # type: ignore[misc]
        assert error.reason == "INSUFFICIENT_STOCK"
        assert [(it.sku, list(it.lines), it.asked) for it in error.shortages] == [(book, [1, 2], 4)]
    order = desk.place([(book, 1), (book, 1)])
    assert refused(lambda: desk.amend(order, {1: 1}, {book: 1})).reason == "INSUFFICIENT_STOCK"
    assert desk.free(book) == 1


def test_pain_8_lines_of_one_sku_that_are_taken_on_payment_are_summed_at_the_payment(desk: Desk) -> None:
    book = desk.sku(SH=3)
    order = desk.place([(book, 2), (book, 1)], deduction_policy=ON_PAYMENT)
    desk.client.stock.Issue(op.IssueRequest(lines=[op.StockLine(sku=book, warehouse=SH, quantity=1)]))
    assert desk.pay(order).outcome == op.OUTCOME_SOLD_OUT
    assert desk.free(book) == 2


# --- 12 and definition 3.3: an order edit corrupts holds ---


def test_pain_12_raising_a_line_from_one_to_five_holds_five_and_deleting_it_holds_none(desk: Desk) -> None:
    book, pen = desk.sku(SH=10), desk.sku(SH=1)
    order = desk.place({book: 1, pen: 1})
    desk.amend(order, {1: 4})
    assert (desk.order(order).lines[0].locked, desk.free(book)) == (5, 5)
    desk.amend(order, {1: -5})
    assert (desk.order(order).lines[0].locked, desk.free(book)) == (0, 10)
    assert desk.order(order).lines[1].locked == 1


def test_pain_12_an_edit_of_an_order_that_has_shipped_in_part_moves_the_difference_only(desk: Desk) -> None:
    book = desk.sku(SH=10)
    order = desk.place({book: 4})
    desk.pay(order)
    desk.ship(order, {1: 3})
    answer = desk.amend(order, {1: 2})
    assert [(it.kind, it.quantity) for it in answer.movements] == [("LOCK", 2)]
    line = desk.order(order).lines[0]
    assert (line.locked, line.deducted, line.requested) == (2, 4, 6)
    assert desk.free(book) == 4


def test_definition_3_3_an_edit_that_cannot_be_had_leaves_all_as_it_was(desk: Desk) -> None:
    book, pen = desk.sku(SH=4), desk.sku(SH=1)
    order = desk.place({book: 2, pen: 1}, hold=hold(60_000))
    before = desk.order(order)
    error = refused(lambda: desk.amend(order, {1: -1, 2: 1}))
    assert (error.reason, [it.sku for it in error.shortages]) == ("INSUFFICIENT_STOCK", [pen])
    after = desk.order(order)
    after.sequence = before.sequence
    assert after == before


def test_definition_3_3_an_edit_of_an_older_version_is_aborted_and_the_deadline_stays(desk: Desk) -> None:
    book = desk.sku(SH=9)
    order = desk.place({book: 2}, hold=hold(60_000))
    before = desk.order(order)
    desk.amend(order, {1: 1}, expected_version=before.version)
    error = refused(lambda: desk.amend(order, {1: 1}, expected_version=before.version))
    assert (error.reason, error.metadata["expected"]) == ("STALE_VERSION", str(before.version))
    assert desk.order(order).deadline == before.deadline


def test_definition_3_3_one_sku_is_swapped_for_another_in_one_step(desk: Desk) -> None:
    book, pen = desk.sku(SH=2), desk.sku(SH=2)
    order = desk.place({book: 2})
    answer = desk.amend(order, {1: -2}, {pen: 2})
    assert [(it.kind, it.sku, it.quantity) for it in answer.movements] == [
        ("UNLOCK", book, 2),
        ("LOCK", pen, 2),
    ]


def test_definition_3_3_nothing_is_cut_below_what_has_shipped(desk: Desk) -> None:
    book = desk.sku(SH=4)
    order = desk.place({book: 4})
    desk.pay(order)
    desk.ship(order, {1: 3})
    error = refused(lambda: desk.amend(order, {1: -2}))
    assert (error.reason, error.metadata["asked"], error.metadata["held"]) == ("BELOW_SHIPPED", "2", "1")


# --- 13: the same order reserved twice ---


def test_pain_13_an_order_is_placed_once_however_often_it_is_sent(desk: Desk) -> None:
    book = desk.sku(SH=9)
    order = desk.place({book: 2})
    error = refused(lambda: desk.place({book: 2}, order_id=order))
    assert (error.reason, error.metadata) == ("RESERVATION_EXISTS", {"reservation": order})
    assert desk.free(book) == 7


# --- 14: a retried call applies twice ---


def test_pain_14_every_step_of_an_order_takes_effect_once_however_often_it_is_sent(desk: Desk) -> None:
    book = desk.sku(SH=10)
    orders: Any = desk.client.orders
    name = f"{book}-retried"
    line = op.LineQuantity(line=1, quantity=1)
    steps: list[tuple[str, Message]] = [
        (
            "PlaceOrder",
            pb.PlaceOrderRequest(
                order_id=name,
                lines=[op.OrderLine(sku=book, quantity=4)],
                destination=pb.Destination(region="CN"),
            ),
        ),
        ("AmendOrder", pb.AmendOrderRequest(order_id=name, deltas=[op.LineDelta(line=1, delta=1)])),
        ("PayOrder", pb.PayOrderRequest(order_id=name)),
        ("PushOrder", pb.PushOrderRequest(order_id=name)),
        ("CancelOrder", pb.CancelOrderRequest(order_id=name, lines=[line])),
        ("ShipOrder", pb.ShipOrderRequest(order_id=name, lines=[op.LineQuantity(line=1, quantity=2)])),
        ("ExpectOrderReturn", pb.ExpectOrderReturnRequest(order_id=name, warehouse=SH, lines=[line])),
        (
            "TakeOrderReturn",
            pb.TakeOrderReturnRequest(
                order_id=name,
                warehouse=SH,
                lines=[op.ReturnLine(line=1, quantity=1, disposition=SELLABLE)],
            ),
        ),
    ]
    for verb, request in steps:
        request.cause.request_id = lockstock.new_request_id()  # type: ignore[attr-defined]
        first = getattr(orders, verb)(request)
        after = desk.level(book, SH)
        again = getattr(orders, verb)(request)
        assert (again.replayed, again.sequence, again.movements) == (True, first.sequence, first.movements)
        assert desk.level(book, SH) == after, verb
    assert (after.shipped, after.returned, after.picking) == (2, 1, 2)


# --- 18 and definition 3.4: a return goes to the wrong place, or all lines at once ---


def test_pain_18_a_return_comes_to_the_warehouse_that_takes_it_line_by_line(desk: Desk) -> None:
    book, pen = desk.sku(SH=4), desk.sku(SH=4)
    order = desk.place({book: 4, pen: 4})
    desk.pay(order)
    desk.ship(order)
    desk.take_back(order, {1: 1}, warehouse=BJ)
    assert (desk.level(book, BJ).available, desk.level(book, SH).available) == (1, 0)
    assert (desk.free(pen), desk.order(order).lines[1].returned) == (0, 0)


def test_pain_18_not_everything_that_comes_back_is_sold_again(desk: Desk) -> None:
    order, book = shipped(desk, 4)
    desk.take_back(order, {1: 2})
    desk.take_back(order, {1: 1}, DEFECTIVE)
    desk.take_back(order, {1: 1}, LOST)
    level = desk.level(book, SH)
    assert (level.available, level.defective, level.lost, level.returned) == (2, 1, 1, 4)
    assert desk.state(order) == "RETURNED"


def test_definition_3_4_what_is_announced_and_what_came_back_never_exceed_what_shipped(desk: Desk) -> None:
    order, _ = shipped(desk, 3)
    desk.announce(order, {1: 2}, document="rma")
    error = refused(lambda: desk.announce(order, {1: 2}))
    assert (error.reason, error.metadata["asked"], error.metadata["held"]) == (
        "RETURN_EXCEEDS_SHIPPED",
        "2",
        "1",
    )
    desk.take_back(order, {1: 3}, document="rma")
    error = refused(lambda: desk.take_back(order, {1: 1}))
    assert (error.reason, error.metadata["state"], error.metadata["allowed"]) == (
        "ORDER_STATE",
        "RETURNED",
        "AmendOrder",
    )


def test_definition_3_4_what_has_not_shipped_is_cancelled_and_the_refusal_says_so(desk: Desk) -> None:
    book = desk.sku(SH=2)
    order = desk.place({book: 2})
    desk.pay(order)
    error = refused(lambda: desk.take_back(order, {1: 1}))
    assert (error.reason, error.metadata["state"]) == ("ORDER_STATE", "PAID")
    assert "CancelOrder" in error.metadata["allowed"].split(", ")
    desk.cancel(order, {1: 1})
    assert desk.free(book) == 1


# --- definition 3.5: split shipment ---


def test_definition_3_5_one_line_ships_from_two_places_in_two_parcels(desk: Desk) -> None:
    book = desk.sku(SH=10, BJ=15)
    order = desk.place({book: 13})
    places = {place.warehouse: place.locked for place in desk.order(order).lines[0].allocations}
    # One place has them all: it ships them, and the rest of both makes a split.
    assert places == {BJ: 13}
    split = desk.place({book: 12})
    desk.pay(split)
    error = refused(lambda: desk.client.orders.ShipOrder(pb.ShipOrderRequest(order_id=split)))
    assert (error.reason, error.metadata) == ("FIELD_REQUIRED", {"field": "warehouse"})
    for warehouse in (SH, BJ):
        desk.ship(split, warehouse=warehouse, document=f"parcel-{warehouse}")
    assert [it.parcel_id for it in desk.history(split).parcels] == ["parcel-SH", "parcel-BJ"]
    assert desk.state(split) == "SHIPPED"


def test_definition_3_5_a_short_pick_is_routed_again_and_what_nobody_has_is_a_claim(desk: Desk) -> None:
    book = desk.sku(SH=5, BJ=1)
    order = desk.place({book: 5})
    desk.pay(order)
    desk.push(order)
    answer = desk.picked(order, {1: (2, 3)})
    assert [(it.kind, it.warehouse, it.quantity) for it in answer.movements] == [
        ("SHORT_PICK_LOST", SH, 3),
        ("REROUTE", BJ, 1),
        ("CLAIM_SHORT_PICK", "", 2),
    ]
    assert [(it.kind, it.quantity, it.reservation_id) for it in answer.exceptions] == [("CLAIMED", 2, order)]
    line = desk.order(order).lines[0]
    assert (line.deducted, line.claimed) == (5, 2)
    error = refused(lambda: desk.picked(order, {1: (3, 0)}))
    assert (error.reason, error.metadata["asked"], error.metadata["held"]) == ("QUANTITY_NOT_HELD", "3", "2")
    desk.ship(order)
    desk.ship(order, warehouse=BJ)
    assert desk.state(order) == "PARTLY_SHIPPED"


def test_definition_3_5_a_pick_without_a_short_is_a_step_that_moves_nothing(desk: Desk) -> None:
    book = desk.sku(SH=2)
    order = desk.place({book: 2})
    desk.pay(order)
    desk.push(order)
    answer = desk.picked(order, {1: (2, 0)})
    assert not answer.movements
    found = desk.history(order)
    assert (found.steps[-1].operation, found.version) == ("CONFIRM_PICKING", answer.sequence)


def test_definition_3_5_a_promise_moves_to_another_warehouse_and_the_sum_stays(desk: Desk) -> None:
    book = desk.sku(SH=4, BJ=4)
    order = desk.place({book: 4})
    move = pb.MoveOrderRequest(order_id=order, line=1, from_warehouse=SH, to_warehouse=BJ, quantity=3)
    desk.client.orders.MoveOrder(move)
    places = [(place.warehouse, place.locked) for place in desk.order(order).lines[0].allocations]
    assert sorted(places) == [(BJ, 3), (SH, 1)]
    desk.pay(order)
    desk.client.orders.PushOrder(pb.PushOrderRequest(order_id=order, warehouse=BJ, lines=all_of({1: 2})))
    desk.client.orders.RecallOrder(pb.RecallOrderRequest(order_id=order))
    assert desk.state(order) == "PAID"
