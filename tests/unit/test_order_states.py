"""The tables of an order's states and verbs: nothing left over, nothing twice, the same in Python and in SQL."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockstock.v1 import orders_pb2 as pb
from lockstock_server import _core
from lockstock_server.orders.matrix import Right, matrix, small_orders, transitions
from lockstock_server.orders.states import (
    DEADLINE,
    STATES,
    VERBS,
    State,
    Sums,
    explain,
    right,
    state_of,
    word,
)
from lockstock_server.reports.orders import state
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select

ROOT = Path(__file__).resolve().parents[2]
COUNTERS = [field.name for field in fields(Sums)]
SUMS = Table(
    "sums",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(Column(name, Integer, quote=True) for name in COUNTERS),
)
ALL = sorted(set(pb.OrderState.values()) - {pb.ORDER_STATE_UNSPECIFIED})
MATRIX = matrix()
TOLD = transitions(json.loads(_core.movements()))
UNITS = st.integers(0, 3)
ANY_SUMS = st.builds(Sums, refund_due=st.integers(0, 1), **dict.fromkeys(COUNTERS[1:], UNITS))


def paid(**counters: int) -> Sums:
    """An order of which so many units are in these places, with what is deducted summed up."""
    places = ("allocated", "picking", "shipped", "cancelled", "claimed")
    return Sums(deducted=sum(counters.get(place, 0) for place in places), **counters)


MEANINGS = [
    (Sums(locked=2), "AWAITING_PAYMENT"),
    (Sums(wanted=2), "AWAITING_PAYMENT"),
    (Sums(wanted=2, expired=1), "AWAITING_PAYMENT"),
    (Sums(locked=1, deducted=1, cancelled=1), "AWAITING_PAYMENT"),
    (paid(locked=1, allocated=1), "PARTLY_PAID"),
    (paid(wanted=1, shipped=1), "PARTLY_PAID"),
    (paid(allocated=1), "PAID"),
    (paid(allocated=1, expired=1), "PAID"),
    (paid(allocated=1, claimed=1), "PAID"),
    (paid(allocated=1, picking=1), "PICKING"),
    (paid(picking=1, claimed=1), "PICKING"),
    (paid(claimed=1), "BACKORDERED"),
    (paid(claimed=1, cancelled=1), "BACKORDERED"),
    (paid(shipped=1, allocated=1), "PARTLY_SHIPPED"),
    (paid(shipped=1, claimed=1), "PARTLY_SHIPPED"),
    (paid(shipped=2, picking=1, returning=1), "PARTLY_SHIPPED"),
    (paid(shipped=2), "SHIPPED"),
    (paid(shipped=2, cancelled=1, expired=1), "SHIPPED"),
    (paid(shipped=2, returning=1), "RETURNING"),
    (paid(shipped=2, returning=1, returned=1), "RETURNING"),
    (paid(shipped=2, returned=1), "PARTLY_RETURNED"),
    (paid(shipped=2, returned=2), "RETURNED"),
    (paid(shipped=2, returned=2, cancelled=1), "RETURNED"),
    (Sums(expired=1), "EXPIRED"),
    (paid(expired=1, cancelled=1), "EXPIRED"),
    (paid(cancelled=1), "CANCELLED"),
    (Sums(), "CANCELLED"),
    (Sums(refund_due=1), "REFUND_DUE"),
    (paid(refund_due=1, shipped=1, expired=1), "REFUND_DUE"),
]


@pytest.mark.parametrize(("order", "name"), MEANINGS)
def test_an_order_stands_as_its_units_say(order: Sums, name: str) -> None:
    assert word(state_of(order)) == name


def test_every_state_of_the_contract_has_one_row_in_the_order_of_the_contract() -> None:
    assert [row.state for row in STATES] == ALL
    proto = (ROOT / "proto/lockstock/v1/orders.proto").read_text(encoding="utf-8")
    said = {name: words for words, name in re.findall(r"  // (.*)\n  (ORDER_STATE_\w+) = ", proto)}
    for row in STATES:
        assert said[pb.OrderState.Name(row.state)] == row.words


def test_every_small_order_that_the_identities_allow_has_a_state_and_every_state_has_orders() -> None:
    assert sorted({state_of(order) for order in small_orders()}) == ALL


def test_the_last_row_is_no_catch_all() -> None:
    """An order whose units are in no place the table knows would be a defect, and must not look cancelled."""
    lost = Sums(deducted=1)
    assert not any(row.fits(lost) for row in STATES)


@given(st.lists(ANY_SUMS, min_size=1, max_size=20))
def test_the_table_judges_numbers_and_columns_alike(orders: list[Sums]) -> None:
    rows = [
        {"id": number, **{name: getattr(order, name) for name in COUNTERS}}
        for number, order in enumerate(orders)
    ]
    engine = create_engine("sqlite://")
    columns = Sums(**{name: SUMS.c[name] for name in COUNTERS})
    with engine.begin() as connection:
        SUMS.create(connection)
        connection.execute(insert(SUMS), rows)
        found = list(connection.execute(select(state(columns)).order_by(SUMS.c.id)).scalars())
    engine.dispose()
    assert found == [next((row.state for row in STATES if row.fits(order)), None) for order in orders]


def test_the_verbs_are_those_of_the_service_that_work_on_an_order_that_is_there() -> None:
    methods = [method.name for method in pb.DESCRIPTOR.services_by_name["OrderService"].methods]
    assert [verb.name for verb in VERBS] == [
        name for name in methods if name not in {"PlaceOrder", "GetOrder", "ListOrders"}
    ]


def test_a_verb_that_is_right_needs_no_explanation_and_one_that_is_not_gets_those_that_are() -> None:
    order = paid(allocated=2)
    assert explain(order, "ShipOrder") is None
    assert explain(order, "PayOrder") == ("CancelOrder", "AmendOrder", "MoveOrder", "PushOrder", "ShipOrder")
    assert explain(Sums(), "CancelOrder") == ()


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_whoever_follows_the_explanation_is_not_refused_for_the_state(verb: str) -> None:
    for order in small_orders():
        for allowed in explain(order, verb) or ():
            assert explain(order, allowed) is None


NEVER: dict[State, set[str]] = {
    pb.ORDER_STATE_REFUND_DUE: {"PayOrder", "ExtendOrder"},
    pb.ORDER_STATE_AWAITING_PAYMENT: {"PushOrder", "ShipOrder", "TakeOrderReturn"},
    pb.ORDER_STATE_PAID: {"ExtendOrder", "RecallOrder", "ConfirmPicking", "ExpectOrderReturn"},
    pb.ORDER_STATE_SHIPPED: {"CancelOrder", "ShipOrder", "CancelOrderReturn"},
    pb.ORDER_STATE_RETURNED: {"TakeOrderReturn", "ExpectOrderReturn", "ExchangeOrder"},
    pb.ORDER_STATE_EXPIRED: {verb.name for verb in VERBS} - {"PayOrder"},
    pb.ORDER_STATE_CANCELLED: {verb.name for verb in VERBS},
}


@pytest.mark.parametrize("standing", NEVER, ids=word)
def test_a_verb_that_makes_no_sense_in_a_state_is_right_in_none_of_its_orders(standing: State) -> None:
    verbs = MATRIX[standing]
    assert {name for name in NEVER[standing] if verbs[name] is not Right.NEVER} == set()


def test_the_matrix_says_of_every_order_what_the_verbs_say() -> None:
    for order in small_orders():
        verbs = MATRIX[state_of(order)]
        now = set(right(order))
        assert {name for name, share in verbs.items() if share is Right.ALWAYS} <= now
        assert not {name for name, share in verbs.items() if share is Right.NEVER} & now


def test_what_a_verb_makes_of_a_state_is_told_for_every_verb_that_is_right_in_it() -> None:
    for standing, verbs in MATRIX.items():
        expected = {name for name, share in verbs.items() if share is not Right.NEVER}
        assert TOLD[standing].keys() - {DEADLINE.name} == expected
        assert all(TOLD[standing].values())


def test_every_state_but_the_first_is_reached_by_a_verb_or_the_deadline() -> None:
    reached = {to for state, verbs in TOLD.items() for tos in verbs.values() for to in tos if to != state}
    # An order begins AWAITING_PAYMENT, or PAID where it replaces another.
    assert reached | {pb.ORDER_STATE_AWAITING_PAYMENT} == {row.state for row in STATES}


@pytest.mark.parametrize(
    ("state", "verb", "to"),
    [
        (pb.ORDER_STATE_AWAITING_PAYMENT, "PayOrder", {"PAID", "PARTLY_PAID", "REFUND_DUE"}),
        (pb.ORDER_STATE_PICKING, "ConfirmPicking", {"PICKING", "PAID", "BACKORDERED"}),
        (pb.ORDER_STATE_PICKING, "RecallOrder", {"PICKING", "PAID"}),
        (pb.ORDER_STATE_SHIPPED, "TakeOrderReturn", {"PARTLY_RETURNED", "RETURNED"}),
        (pb.ORDER_STATE_EXPIRED, "PayOrder", {"PAID", "REFUND_DUE"}),
    ],
)
def test_a_verb_makes_of_a_state_what_the_movements_say(state: State, verb: str, to: set[str]) -> None:
    assert {word(found) for found in TOLD[state][verb]} == to
