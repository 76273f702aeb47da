"""Which verbs are right in which state: worked out from the two tables over every small order. Pure."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING, Final

from lockstock_server.orders.states import STATES, VERBS, State, Sums, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NONE_OR_ONE: Final = (0, 1)
_SHIPPED: Final = (0, 1, 2)
"""Two units tell "some" from "all"; more tell nothing new."""


class Right(StrEnum):
    """In how many orders of a state a verb is right."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"


def small_orders() -> Iterator[Sums]:
    """Give every combination of none, some and all that the identities of the counters allow."""
    for refund_due, locked, wanted in product(_NONE_OR_ONE, repeat=3):
        if refund_due and locked + wanted:
            # The payment that found the units gone gave back what the order still held, in the same step.
            continue
        for expired, cancelled, claimed, allocated, picking in product(_NONE_OR_ONE, repeat=5):
            for shipped, returned, returning in product(_SHIPPED, repeat=3):
                if returned + returning <= shipped:
                    yield Sums(
                        refund_due=refund_due,
                        locked=locked,
                        wanted=wanted,
                        deducted=allocated + picking + shipped + cancelled + claimed,
                        expired=expired,
                        cancelled=cancelled,
                        claimed=claimed,
                        returned=returned,
                        allocated=allocated,
                        picking=picking,
                        shipped=shipped,
                        returning=returning,
                    )


def matrix() -> Mapping[State, Mapping[str, Right]]:
    """Tell of each state and verb in how many orders of the state the verb is right."""
    seen: dict[State, dict[str, set[bool]]] = {
        row.state: {verb.name: set() for verb in VERBS} for row in STATES
    }
    for order in small_orders():
        found = seen[state_of(order)]
        for verb in VERBS:
            found[verb.name].add(bool(verb.right(order)))
    return {
        state: {name: _share(answers) for name, answers in verbs.items()} for state, verbs in seen.items()
    }


def _share(answers: set[bool]) -> Right:
    if answers == {True}:
        return Right.ALWAYS
    return Right.SOMETIMES if True in answers else Right.NEVER
