"""What happened to an order, read off its steps: payments, parcels, returns."""

from __future__ import annotations

import pytest
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb
from lockstock_server.orders import history
from lockstock_server.orders.history import OPERATIONS, Moved, Step
from lockstock_server.orders.reservations import destination

SECOND = 1_000_000


def moved(kind: str, quantity: int, line: int = 1, warehouse: str = "SH") -> Moved:
    return Moved(kind, line, f"sku-{line}", warehouse, "SHARED", quantity)


def step(sequence: int, operation: str, *movements: Moved, document: str = "", outcome: str = "DONE") -> Step:
    return Step(
        sequence, sequence * SECOND, operation, document=document, outcome=outcome, movements=movements
    )


def units(lines: object) -> dict[int, int]:
    return {line.line: line.quantity for line in lines}  # type: ignore[attr-defined]


PLACED = step(1, "PLACE_ORDER", moved("LOCK", 3), moved("WANT", 2, line=2))


def test_a_payment_is_what_a_step_of_paying_deducted_line_by_line() -> None:
    paying = step(
        2,
        "PAY_ORDER",
        moved("DEDUCT", 1),
        moved("DEDUCT", 2, warehouse="BJ"),
        moved("TAKE_ON_PAYMENT", 2, line=2),
        document="pay-1",
    )
    (payment,) = history.payments([PLACED, paying])
    assert (payment.payment_id, payment.sequence, payment.outcome) == ("pay-1", 2, op.OUTCOME_DONE)
    assert payment.paid_at.ToMicroseconds() == 2 * SECOND
    assert units(payment.lines) == {1: 3, 2: 2}
    assert [line.sku for line in payment.lines] == ["sku-1", "sku-2"]


@pytest.mark.parametrize(
    ("outcome", "movements", "lines"),
    [
        ("RELOCKED", (moved("RELOCK", 3),), {1: 3}),
        ("EXPIRED_SOLD_OUT", (), {}),
        ("SOLD_OUT", (moved("UNLOCK", 3), moved("WITHDRAW", 2, line=2)), {}),
    ],
)
def test_a_payment_that_was_late_or_sold_out_stands_among_the_payments_with_what_came_of_it(
    outcome: str, movements: tuple[Moved, ...], lines: dict[int, int]
) -> None:
    (payment,) = history.payments([PLACED, step(2, "PAY_ORDER", *movements, outcome=outcome)])
    assert op.Outcome.Name(payment.outcome) == f"OUTCOME_{outcome}"
    assert units(payment.lines) == lines


def test_reserving_on_payment_and_deducting_are_payments_too_and_an_exchange_is_none() -> None:
    steps = [
        step(1, "LOCK_AND_DEDUCT", moved("LOCK_AND_DEDUCT", 1)),
        step(2, "DEDUCT", moved("DEDUCT", 1)),
        step(3, "EXCHANGE_ORDER", moved("LOCK_AND_DEDUCT", 1)),
    ]
    assert [payment.sequence for payment in history.payments(steps)] == [1, 2]


def test_a_parcel_leaves_one_place_with_what_was_picked_and_what_was_not() -> None:
    shipping = Step(
        3,
        3 * SECOND,
        "SHIP_ORDER",
        document="parcel-1",
        attributes=b"\x00carrier",
        movements=[moved("SHIP_PICKING", 2), moved("SHIP_ALLOCATED", 1), moved("SHIP_PICKING", 1, line=2)],
    )
    (parcel,) = history.parcels([PLACED, shipping])
    assert (parcel.parcel_id, parcel.warehouse, parcel.attributes) == ("parcel-1", "SH", b"\x00carrier")
    assert units(parcel.lines) == {1: 3, 2: 1}


def test_a_step_that_ships_from_two_warehouses_sends_two_parcels() -> None:
    shipping = step(3, "SHIP", moved("SHIP_PICKING", 2), moved("SHIP_PICKING", 1, warehouse="BJ"))
    assert [(parcel.warehouse, units(parcel.lines)) for parcel in history.parcels([shipping])] == [
        ("SH", {1: 2}),
        ("BJ", {1: 1}),
    ]


RETURNS = [
    (
        "announced and come back in two parts",
        [
            step(4, "EXPECT_ORDER_RETURN", moved("EXPECT_RETURN", 5), document="rma"),
            step(
                5,
                "TAKE_ORDER_RETURN",
                moved("RETURN_ARRIVED", 2),
                moved("RETURN_SELLABLE", 2),
                document="rma",
            ),
            step(
                6,
                "TAKE_ORDER_RETURN",
                moved("RETURN_ARRIVED", 3),
                moved("RETURN_DEFECTIVE", 2),
                moved("RETURN_LOST", 1),
                document="rma",
            ),
        ],
        [("rma", "SH", 5, 2, 2, 1)],
    ),
    (
        "withdrawn in part",
        [
            step(4, "EXPECT_RETURN", moved("EXPECT_RETURN", 5), document="rma"),
            step(5, "CANCEL_RETURN", moved("CANCEL_RETURN", 2), document="rma"),
        ],
        [("rma", "SH", 3, 0, 0, 0)],
    ),
    (
        "withdrawn whole: it was no return",
        [
            step(4, "EXPECT_RETURN", moved("EXPECT_RETURN", 5), document="rma"),
            step(5, "CANCEL_RETURN", moved("CANCEL_RETURN", 5), document="rma"),
        ],
        [],
    ),
    (
        "withdrawn under another document: off the newest",
        [
            step(4, "EXPECT_RETURN", moved("EXPECT_RETURN", 2), document="first"),
            step(5, "EXPECT_RETURN", moved("EXPECT_RETURN", 2), document="second"),
            step(6, "CANCEL_RETURN", moved("CANCEL_RETURN", 3)),
        ],
        [("first", "SH", 1, 0, 0, 0)],
    ),
    (
        "one RMA at two warehouses, one of them not announced",
        [
            step(4, "EXPECT_RETURN", moved("EXPECT_RETURN", 2), document="rma"),
            step(5, "RETURN", moved("RETURN_SELLABLE", 1, warehouse="BJ"), document="rma"),
        ],
        [("rma", "SH", 2, 0, 0, 0), ("rma", "BJ", 0, 1, 0, 0)],
    ),
]


@pytest.mark.parametrize(
    ("steps", "expected"), [case[1:] for case in RETURNS], ids=[case[0] for case in RETURNS]
)
def test_a_return_is_what_was_announced_and_what_came_back_of_it(
    steps: list[Step], expected: list[tuple[object, ...]]
) -> None:
    assert [
        (it.return_id, it.warehouse, it.announced, it.sellable, it.defective, it.lost)
        for it in history.returns([PLACED, *steps])
    ] == expected


def test_every_step_stands_in_the_history_with_its_cause_and_what_it_moved() -> None:
    extended = Step(2, 2 * SECOND, "EXTEND_ORDER", "key", "the buyer asked", "call-7")
    first, second = history.steps("o-1", [PLACED, extended])
    assert [(it.kind, it.owner, it.line, it.quantity, it.pool) for it in first.movements] == [
        ("LOCK", "o-1", 1, 3, "SHARED"),
        ("WANT", "o-1", 2, 2, "SHARED"),
    ]
    assert (second.sequence, second.operation, second.request_id) == (2, "EXTEND_ORDER", "key")
    assert (second.reason, second.document, second.outcome) == ("the buyer asked", "call-7", op.OUTCOME_DONE)
    assert not second.movements


def test_the_operations_on_orders_are_those_of_both_services() -> None:
    assert {
        "LOCK",
        "AMEND",
        "RETURN",
        "EXCHANGE",
        "PLACE_ORDER",
        "CONFIRM_PICKING",
        "EXCHANGE_ORDER",
    } < OPERATIONS
    assert not {"DRAFT_TRANSFER", "EXPECT_RECEIPT", "INCREASE", "SET", "GET_ORDER", "SWEEP"} & OPERATIONS


@pytest.mark.parametrize(
    ("region", "beyond", "expected"),
    [
        ("CN", "", pb.Destination(region="CN")),
        ("", "", None),
        ("", "pickup:store 1", pb.Destination(pickup="store 1")),
        ("CN", "geo:31.230400,-121.473700", ("CN", 31.2304, -121.4737)),
    ],
)
def test_a_destination_is_given_back_as_it_was_asked(region: str, beyond: str, expected: object) -> None:
    found = destination(region, beyond)
    if isinstance(expected, tuple):
        assert found is not None
        assert (found.region, found.coordinates.latitude, found.coordinates.longitude) == expected
    else:
        assert found == expected
