"""The table of an order's states, and the table of the verbs. Pure.

A state is never stored: it is the first row of `STATES` that fits the sums of the order's counters. A verb is
right where there is at least one unit it could move; how many there are is the engine's business.

Every condition is written once, with operators only (`+ - > == & |`), so that it judges whole numbers here and
columns of the database in `reports/orders.py`. It needs no `not`: later rows are asked only where no earlier
one fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lockstock.v1 import orders_pb2 as pb

State: TypeAlias = pb.OrderState.ValueType


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The counters of an order, summed over its lines and their allocations: whole numbers or columns.

    Always: `deducted = allocated + picking + shipped + cancelled + claimed`, and
    `returned + returning <= shipped`. `refund_due` is 1 where a payment found the units gone, else 0.
    """

    refund_due: Any = 0
    locked: Any = 0
    wanted: Any = 0
    deducted: Any = 0
    expired: Any = 0
    cancelled: Any = 0
    claimed: Any = 0
    returned: Any = 0
    allocated: Any = 0
    picking: Any = 0
    shipped: Any = 0
    returning: Any = 0

    @property
    def unpaid(self) -> Any:
        """What waits for payment."""
        return self.locked + self.wanted

    @property
    def paid(self) -> Any:
        """What is paid and not cancelled, shipped or not."""
        return self.deducted - self.cancelled

    @property
    def unshipped(self) -> Any:
        """What is paid and has not shipped."""
        return self.allocated + self.picking + self.claimed

    @property
    def out(self) -> Any:
        """What the buyer has and has not announced to send back."""
        return self.shipped - self.returned - self.returning


Condition = Callable[[Sums], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One state: which orders are in it, where no earlier row fits. `words` are those of the contract."""

    state: State
    words: str
    fits: Condition


STATES: Final = (
    Row(
        pb.ORDER_STATE_REFUND_DUE,
        "A payment found the units gone: pay the buyer back.",
        lambda order: order.refund_due > 0,
    ),
    Row(
        pb.ORDER_STATE_AWAITING_PAYMENT,
        "Some units wait for payment, none are paid.",
        lambda order: (order.unpaid > 0) & (order.paid == 0),
    ),
    Row(
        pb.ORDER_STATE_PARTLY_PAID,
        "Some units wait for payment, others are paid.",
        lambda order: order.unpaid > 0,
    ),
    Row(
        pb.ORDER_STATE_PARTLY_SHIPPED,
        "Some units have shipped, others are paid and have not.",
        lambda order: (order.shipped > 0) & (order.unshipped > 0),
    ),
    Row(
        pb.ORDER_STATE_PICKING,
        "Paid; a warehouse is picking.",
        lambda order: order.picking > 0,
    ),
    Row(
        pb.ORDER_STATE_PAID,
        "Paid; no warehouse has been told.",
        lambda order: order.allocated > 0,
    ),
    Row(
        pb.ORDER_STATE_BACKORDERED,
        "Paid; what is left of it has no units (claims).",
        lambda order: order.claimed > 0,
    ),
    Row(
        pb.ORDER_STATE_SHIPPED,
        "Everything that was not cancelled has shipped; nothing has come back or is coming.",
        lambda order: (order.shipped > 0) & (order.returned + order.returning == 0),
    ),
    Row(
        pb.ORDER_STATE_RETURNING,
        "Everything has shipped; some units are on their way back.",
        lambda order: order.returning > 0,
    ),
    Row(
        pb.ORDER_STATE_PARTLY_RETURNED,
        "Everything has shipped, and some units have come back.",
        lambda order: order.shipped > order.returned,
    ),
    Row(
        pb.ORDER_STATE_RETURNED,
        "Everything that shipped has come back.",
        lambda order: order.shipped > 0,
    ),
    Row(
        pb.ORDER_STATE_EXPIRED,
        "The deadline passed unpaid.",
        lambda order: order.expired > 0,
    ),
    Row(
        pb.ORDER_STATE_CANCELLED,
        "Cancelled, paid or not.",
        lambda order: (order.unpaid == 0) & (order.paid == 0),
    ),
)
"""The states, the first that fits. A late payment can still bring an EXPIRED order back, so an order of which
some units expired and the others were cancelled is EXPIRED."""


Unit = tuple[str, ...]
"""What a verb does to one unit: kinds of the table of movements that belong together."""

_SHORT: Final[tuple[Unit, ...]] = (
    ("SHORT_PICK_LOST", "REROUTE"),
    ("SHORT_PICK_LOST", "CLAIM_SHORT_PICK"),
)
_CANCEL: Final[tuple[Unit, ...]] = (
    ("WITHDRAW",),
    ("CANCEL_CLAIMED",),
    ("UNLOCK",),
    ("CANCEL_ALLOCATED",),
    ("CANCEL_PICKING",),
)


@dataclass(frozen=True, slots=True)
class Verb:
    """One step: the call's name, what it takes, and whether there is any of that.

    `moves` are what it may do to a unit; a verb without any moves none. `sold_out` is set where its outcome may
    be that the units are gone.
    """

    name: str
    takes: str
    right: Condition
    moves: tuple[Unit, ...] = ()
    sold_out: bool = False


VERBS: Final = (
    Verb(
        "PayOrder",
        "units that wait for payment, or whose deadline has passed",
        lambda order: (order.refund_due == 0) & (order.unpaid + order.expired > 0),
        moves=(("DEDUCT",), ("RELOCK",), ("TAKE_ON_PAYMENT",)),
        sold_out=True,
    ),
    Verb("ExtendOrder", "locked units", lambda order: order.locked > 0),
    Verb(
        "CancelOrder",
        "units that have not shipped, paid or not",
        lambda order: order.unpaid + order.unshipped > 0,
        moves=_CANCEL,
    ),
    Verb(
        "AmendOrder",
        "units that have not shipped; to add some: units that wait for payment or are paid",
        lambda order: (order.unpaid + order.unshipped > 0) | ((order.refund_due == 0) & (order.paid > 0)),
        moves=(*_CANCEL, ("LOCK",), ("WANT",)),
    ),
    Verb("MoveOrder", "locked or allocated units", lambda order: order.locked + order.allocated > 0),
    Verb("PushOrder", "allocated units", lambda order: order.allocated > 0, moves=(("PUSH_FULFILMENT",),)),
    Verb("RecallOrder", "units in picking", lambda order: order.picking > 0, moves=(("RECALL",),)),
    Verb("ConfirmPicking", "units in picking", lambda order: order.picking > 0, moves=_SHORT),
    Verb(
        "ShipOrder",
        "allocated units and units in picking",
        lambda order: order.allocated + order.picking > 0,
        moves=(("SHIP_PICKING",), ("SHIP_ALLOCATED",)),
    ),
    Verb(
        "ExpectOrderReturn",
        "shipped units that are not announced",
        lambda order: order.out > 0,
        moves=(("EXPECT_RETURN",),),
    ),
    Verb(
        "CancelOrderReturn", "announced units", lambda order: order.returning > 0, moves=(("CANCEL_RETURN",),)
    ),
    Verb(
        "TakeOrderReturn",
        "shipped units, announced or not",
        lambda order: order.shipped > order.returned,
        moves=(("RETURN_SELLABLE",), ("RETURN_ARRIVED", "RETURN_SELLABLE")),
    ),
    Verb(
        "ExchangeOrder",
        "shipped units that are not announced",
        lambda order: order.out > 0,
        moves=(("EXPECT_RETURN",),),
    ),
)
"""The verbs on an order that is there, in the order of the contract."""

DEADLINE: Final = Verb("the deadline", "locked units", lambda order: order.locked > 0, moves=(("EXPIRE",),))
"""What the engine does by itself when an order's deadline passes."""

_BY_NAME: Final = {verb.name: verb for verb in VERBS}
VERB_NAMES: Final = frozenset(_BY_NAME)


def state_of(order: Sums) -> State:
    """Find how an order stands."""
    return next(row.state for row in STATES if row.fits(order))


def word(state: State) -> str:
    """Give a state's name as callers read it: "PARTLY_PAID"."""
    return pb.OrderState.Name(state).removeprefix("ORDER_STATE_")


def right(order: Sums) -> tuple[str, ...]:
    """Give the verbs that are right for an order as it stands."""
    return tuple(verb.name for verb in VERBS if verb.right(order))


def explain(order: Sums, verb: str) -> tuple[str, ...] | None:
    """Give None where a verb is right for an order; else the verbs that are."""
    return None if _BY_NAME[verb].right(order) else right(order)
