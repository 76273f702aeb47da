"""Every state and every verb on a real server: the engine and the tables of `orders/states.py` say the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import lockstock
import pytest
from conftest import Server
from google.protobuf.message import Message
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb
from lockstock_server import _core
from lockstock_server.orders.matrix import Right, matrix, transitions
from lockstock_server.orders.reservations import sums_of
from lockstock_server.orders.states import STATES, VERBS, State, Sums, explain, right, state_of, word
from order_desk import BJ, ON_PAYMENT, SH, Desk, all_of, hold, shop

TRANSITIONS = transitions(json.loads(_core.movements()))

UNITS = 4
"""Of the line that is paid; the rest is one line of two."""


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[Desk]:
    with server.client() as client:
        shop(client)
        yield Desk(client)


@dataclass(frozen=True)
class Made:
    """An order, and the SKU of which there is always more."""

    order: str
    plenty: str


Flow = Callable[[Desk, str, int, str], None]
"""What becomes of the paid line: the desk, the order, the line's number, its SKU."""


def backordered(desk: Desk, order: str, line: int, sku: str) -> None:
    desk.push(order, [line])
    desk.sell_elsewhere(sku)
    desk.picked(order, {line: (0, UNITS)})


def shipped_and_backordered(desk: Desk, order: str, line: int, sku: str) -> None:
    desk.push(order, [line])
    desk.sell_elsewhere(sku)
    desk.picked(order, {line: (1, UNITS - 1)})
    desk.ship(order, [line])


def shipped(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, [line])


def picking(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.push(order, [line])


def partly_picking(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.push(order, {line: 1})


def paid(_desk: Desk, _order: str, _line: int, _sku: str) -> None:
    pass


def cancelled(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.cancel(order, [line])


def partly_shipped(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, {line: 1})


def shipped_and_picking(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.push(order, [line])
    desk.ship(order, {line: 1})


def shipped_and_coming_back(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, {line: 1})
    desk.announce(order, {line: 1})


def shipped_and_come_back(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, {line: 1})
    desk.take_back(order, {line: 1})


def returning(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, [line])
    desk.announce(order, {line: 1})


def returning_whole(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, [line])
    desk.announce(order, {line: UNITS})


def partly_returned(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, [line])
    desk.take_back(order, {line: 1})


def returned(desk: Desk, order: str, line: int, _sku: str) -> None:
    desk.ship(order, [line])
    desk.take_back(order, {line: UNITS})


FLOWS: list[Flow | None] = [
    None,
    paid,
    picking,
    partly_picking,
    backordered,
    shipped_and_backordered,
    partly_shipped,
    shipped_and_picking,
    shipped_and_coming_back,
    shipped_and_come_back,
    shipped,
    returning,
    returning_whole,
    partly_returned,
    returned,
    cancelled,
]
RESTS = ["none", "locked", "wanted", "expired", "wanted and expired", "refund due", "cancelled"]
"""What becomes of the units that are not paid."""
WAYS = [(flow, rest) for flow in FLOWS for rest in RESTS if flow or rest != "none"]


def name_of(flow: Flow | None) -> str:
    return getattr(flow, "__name__", "unpaid")


def make(desk: Desk, flow: Flow | None, rest: str) -> Made:
    """An order with a line that is paid and goes its way, and a rest."""
    own, plenty = desk.sku(SH=50, BJ=50), desk.sku(SH=50, BJ=50)
    gone = desk.sku(SH=2)
    wanted = rest in {"wanted", "wanted and expired", "refund due"}
    line = 1
    if wanted:
        # Whole, it is deducted on payment; what is added comes under the shop's rule.
        order = desk.place({gone if rest == "refund due" else plenty: 2}, deduction_policy=ON_PAYMENT)
        if flow is not None:
            desk.amend(order, additions={own: UNITS})
            line = 2
    elif flow is not None:
        order = desk.place({own: UNITS} if rest == "none" else {own: UNITS, plenty: 2})
    else:
        order = desk.place({plenty: 2})
    if flow is not None:
        desk.pay(order, [line])
    if rest == "wanted and expired":
        desk.amend(order, additions={plenty: 2})
    if "expired" in rest:
        desk.lapse(order)
    if rest == "cancelled":
        unpaid = [found.line for found in desk.order(order).lines if found.locked]
        desk.cancel(order, unpaid)
    if flow is not None:
        flow(desk, order, line, own)
    if rest == "refund due":
        desk.sell_elsewhere(gone)
        assert desk.pay(order).outcome == op.OUTCOME_SOLD_OUT
    return Made(order, plenty)


def where(order: pb.Order, *counters: str) -> tuple[int, str]:
    """A line and a warehouse with units in one of these places; line 1 in SH where there is none."""
    for line in order.lines:
        for place in line.allocations:
            if any(getattr(place, counter) for counter in counters):
                return line.line, place.warehouse
    return 1, SH


def a_line(order: pb.Order, units: Callable[[pb.Order, int], int]) -> int:
    """The first line with some units; 1 where there is none."""
    return next((line.line for line in order.lines if units(order, line.line)), 1)


def unshipped(order: pb.Order, number: int) -> int:
    sums = sums_of([order.lines[number - 1]], refund_due=False)
    return int(sums.unpaid + sums.unshipped)


def out(order: pb.Order, number: int) -> int:
    return int(sums_of([order.lines[number - 1]], refund_due=False).out)


def not_back(order: pb.Order, number: int) -> int:
    sums = sums_of([order.lines[number - 1]], refund_due=False)
    return int(sums.shipped - sums.returned)


def amending(made: Made, order: pb.Order) -> Message:
    if any(unshipped(order, line.line) for line in order.lines):
        deltas = [op.LineDelta(line=a_line(order, unshipped), delta=-1)]
        return pb.AmendOrderRequest(order_id=made.order, deltas=deltas)
    more = op.OrderLine(sku=made.plenty, quantity=1)
    return pb.AmendOrderRequest(order_id=made.order, additions=[more])


def moving(made: Made, order: pb.Order) -> Message:
    line, here = where(order, "locked", "allocated")
    there = BJ if here == SH else SH
    return pb.MoveOrderRequest(order_id=made.order, line=line, from_warehouse=here, to_warehouse=there)


def confirming(made: Made, order: pb.Order) -> Message:
    line, here = where(order, "picking")
    found = [pb.PickedLine(line=line, picked=1)]
    return pb.ConfirmPickingRequest(order_id=made.order, warehouse=here, lines=found)


def shipping(made: Made, order: pb.Order) -> Message:
    return pb.ShipOrderRequest(order_id=made.order, warehouse=where(order, "allocated", "picking")[1])


def announcing(made: Made, order: pb.Order) -> Message:
    return pb.ExpectOrderReturnRequest(
        order_id=made.order, warehouse=SH, lines=all_of({a_line(order, out): 1})
    )


def taking_back(made: Made, order: pb.Order) -> Message:
    back = op.ReturnLine(line=a_line(order, not_back), quantity=1, disposition=op.DISPOSITION_SELLABLE)
    return pb.TakeOrderReturnRequest(order_id=made.order, warehouse=SH, lines=[back])


def exchanging(made: Made, order: pb.Order) -> Message:
    replacement = pb.PlaceOrderRequest(
        order_id=f"{made.order}-instead",
        lines=[op.OrderLine(sku=made.plenty, quantity=1)],
        destination=pb.Destination(region="CN"),
    )
    return pb.ExchangeOrderRequest(
        order_id=made.order, warehouse=SH, lines=all_of({a_line(order, out): 1}), replacement=replacement
    )


REQUESTS: dict[str, Callable[[Made, pb.Order], Message]] = {
    "PayOrder": lambda made, _: pb.PayOrderRequest(order_id=made.order),
    "ExtendOrder": lambda made, _: pb.ExtendOrderRequest(order_id=made.order, hold=hold(60_000)),
    "CancelOrder": lambda made, _: pb.CancelOrderRequest(order_id=made.order),
    "AmendOrder": amending,
    "MoveOrder": moving,
    "PushOrder": lambda made, _: pb.PushOrderRequest(order_id=made.order),
    "RecallOrder": lambda made, _: pb.RecallOrderRequest(order_id=made.order),
    "ConfirmPicking": confirming,
    "ShipOrder": shipping,
    "ExpectOrderReturn": announcing,
    "CancelOrderReturn": lambda made, _: pb.CancelOrderReturnRequest(order_id=made.order, warehouse=SH),
    "TakeOrderReturn": taking_back,
    "ExchangeOrder": exchanging,
}
"""The call of a verb with what the order has for it, or with one unit where it has none."""

WALKED: dict[State, dict[str, set[bool]]] = {
    row.state: {verb.name: set() for verb in VERBS} for row in STATES
}

WALKED_WAYS: list[tuple[Flow | None, str]] = []


@pytest.mark.parametrize(("flow", "rest"), WAYS, ids=lambda it: it if isinstance(it, str) else name_of(it))
def test_a_verb_goes_through_where_the_table_says_it_is_right_and_nowhere_else(
    desk: Desk, flow: Flow | None, rest: str
) -> None:
    WALKED_WAYS.append((flow, rest))
    made = make(desk, flow, rest)
    order = desk.order(made.order)
    sums = sums_of(order.lines, refund_due=order.state == pb.ORDER_STATE_REFUND_DUE)
    assert order.state == state_of(sums)
    for verb in VERBS:
        WALKED[order.state][verb.name].add(bool(verb.right(sums)))
        if not verb.right(sums):
            refused(desk, verb.name, made, order, sums)
    assert desk.order(made.order).version == order.version
    for number, name in enumerate(right(sums)):
        # The first goes through on this very order, the others on its like.
        again = made if number == 0 else make(desk, flow, rest)
        request = REQUESTS[name](again, desk.order(again.order))
        answer = getattr(desk.client.orders, name)(request)
        assert answer.sequence > order.version, name
        after = desk.order(again.order).state
        assert after in TRANSITIONS[order.state][name], f"{name} made {word(order.state)} {word(after)}"


def refused(desk: Desk, verb: str, made: Made, order: pb.Order, sums: Sums) -> None:
    with pytest.raises(lockstock.LockstockError) as error:
        getattr(desk.client.orders, verb)(REQUESTS[verb](made, order))
    assert (error.value.reason, error.value.metadata) == (
        "ORDER_STATE",
        {
            "order": made.order,
            "state": word(order.state),
            "verb": verb,
            "allowed": ", ".join(explain(sums, verb) or ()),
        },
    )


def test_the_walk_has_seen_every_state_and_every_verb_where_it_is_right_and_where_it_is_not() -> None:
    """Runs after the walk, which fills the table."""
    if len(WALKED_WAYS) < len(WAYS):
        pytest.skip("sums up the whole walk, and only a part of it was asked for")
    shares = {
        frozenset({True}): Right.ALWAYS,
        frozenset({False}): Right.NEVER,
        frozenset({True, False}): Right.SOMETIMES,
    }
    walked = {
        state: {verb: shares[frozenset(answers)] for verb, answers in verbs.items()}
        for state, verbs in WALKED.items()
    }
    assert walked == matrix()
