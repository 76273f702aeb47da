"""Which verbs are right in which state, and what they make of it: worked out over every small order. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import fields, replace
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from lockstock_server.orders.states import DEADLINE, STATES, VERBS, State, Sums, Verb, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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


Effects = dict[str, int]
"""What a move does to the sums of an order."""

_MOST: Final = 2
_NOT_SUMMED: Final = frozenset({"requested", "refused", "unlocked"})
"""Counters of a line that no state looks at."""


def transitions(movements: Iterable[Mapping[str, Any]]) -> Mapping[State, Mapping[str, tuple[State, ...]]]:
    """Tell of each state and verb in which states the order can be afterwards, in the order of the table.

    `movements` is the core's table of movements: what a verb does to a unit is read there. A verb may move any
    number of units, so every order that its moves lead to counts. The deadline is among the verbs.
    """
    effects = {row["name"]: _effects(row) for row in movements}
    found: dict[State, dict[str, set[State]]] = {row.state: {} for row in STATES}
    for verb in (*VERBS, DEADLINE):
        moves = [_together(effects[kind] for kind in kinds) for kinds in verb.moves]
        for order in small_orders():
            if verb.right(order):
                states = found[state_of(order)].setdefault(verb.name, set())
                states |= _after(order, verb, moves) | _after_one(_doubled(order), moves)
    rank = {row.state: number for number, row in enumerate(STATES)}
    return {
        state: {name: tuple(sorted(states, key=rank.__getitem__)) for name, states in verbs.items()}
        for state, verbs in found.items()
    }


def _effects(row: Mapping[str, Any]) -> Effects:
    # A lock stands in the line's counter and in its places'; it is summed once.
    places = [(name, sign) for name, sign in row["allocation"] if name != "locked"]
    return _together({name: sign} for name, sign in [*row["line"], *places] if name not in _NOT_SUMMED)


def _together(effects: Iterable[Effects]) -> Effects:
    total: Effects = {}
    for effect in effects:
        for name, sign in effect.items():
            total[name] = total.get(name, 0) + sign
    return total


def _after(order: Sums, verb: Verb, moves: list[Effects]) -> set[State]:
    states = {next(row.state for row in STATES)} if verb.sold_out else set()
    if not moves:
        return states | {state_of(order)}
    seen, waiting = {order}, deque([order])
    while waiting:
        standing = waiting.popleft()
        for move in moves:
            reached = _moved(standing, move)
            if reached is not None and reached not in seen and _small(reached, order):
                seen.add(reached)
                waiting.append(reached)
                states.add(state_of(reached))
    return states


def _doubled(order: Sums) -> Sums:
    """Give the same order with two units for each: one can move and one stay."""
    return Sums(**{field.name: 2 * getattr(order, field.name) for field in fields(order)})


def _after_one(order: Sums, moves: list[Effects]) -> set[State]:
    reached = (_moved(order, move) for move in moves)
    return {state_of(after) for after in reached if after is not None}


def _moved(order: Sums, move: Effects) -> Sums | None:
    """Give the order after one unit has moved; None where there is no such unit."""
    after = replace(order, **{name: getattr(order, name) + sign for name, sign in move.items()})
    there = all(getattr(after, name) >= 0 for name in move)
    return after if there and after.returned + after.returning <= after.shipped else None


def _small(order: Sums, beside: Sums) -> bool:
    """Whether an order that grew out of another is still a small one: additions have no end of their own."""
    return all(
        getattr(order, name) <= max(_MOST, getattr(beside, name)) for name in ("locked", "wanted", "expired")
    )
