"""A naive model of stock: what the journal's events make of the counters, by the table of `domain.md` section 3.

It shares nothing with the engine but the names in the events. Written for the operations that the recorded
histories use; an event of another kind is an error, not a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, ...]
"""`("cell", sku, warehouse, counter)`, `("pool", sku, pool, counter)`, `("line", reservation, line, counter)`,
`("held", reservation, line, warehouse, counter)`, `("known", reservation)`."""

CELL = ("available", "locked", "allocated", "picking", "defective", "in_transit", "returning", "shipped")
LIFETIME = ("returned", "received", "lost", "found", "written_off")
ON_HAND = ("available", "locked", "allocated", "picking", "defective")
LINE = ("requested", "locked", "deducted", "unlocked", "expired", "cancelled", "returned")


class ModelError(Exception):
    """An event that the rules do not allow; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one unit does: counters that fall (`-name`) and rise (`name`)."""

    cell: str = ""
    pool: str = ""
    line: str = ""
    held: str = ""


EFFECTS = {
    "LOCK": Effect("-available locked", "locked", "requested locked", "locked"),
    "UNLOCK": Effect("-locked available", "-locked", "-locked unlocked", "-locked"),
    "EXPIRE": Effect("-locked available", "-locked", "-locked expired", "-locked"),
    "DEDUCT": Effect("-locked allocated", "-locked sold", "-locked deducted", "-locked allocated"),
    "LOCK_AND_DEDUCT": Effect("-available allocated", "sold", "requested deducted", "allocated"),
    "RELOCK": Effect("-available allocated", "sold", "-expired deducted", "allocated"),
    "CANCEL_ALLOCATED": Effect("-allocated available", "-sold", "cancelled", "-allocated"),
    "SHIP_ALLOCATED": Effect("-allocated shipped", "", "", "-allocated shipped"),
    "RETURN_SELLABLE": Effect("returned available", "-sold", "returned", ""),
    "RETURN_DEFECTIVE": Effect("returned defective", "-sold", "returned", ""),
    "INCREASE": Effect("available found"),
    "DECREASE": Effect("-available lost"),
    "OTHER_RECEIPT": Effect("available received"),
    "MARK_DEFECTIVE": Effect("-available defective"),
    "RESTORE": Effect("-defective available"),
    "SET_GAIN": Effect("available found"),
    "SET_LOSS": Effect("-available lost"),
}
WITHOUT_UNITS = {"DOCUMENT", "CHECKPOINT", "HORIZON", "DEADLINE", "REFUND_DUE"}


@dataclass
class Model:
    """The counters after the events applied so far."""

    sequence: int = 0
    numbers: Counter[Key] = field(default_factory=Counter)

    def apply(self, event: dict[str, Any]) -> None:
        """One event of `lockstock journal dump`. Raises ModelError."""
        if event["sequence"] != self.sequence + 1:
            raise ModelError(f"sequence {event['sequence']} follows {self.sequence}")
        touched: set[Key] = set()
        for change in event["changes"]:
            touched |= self._change(change)
        self.sequence += 1
        for key in touched:
            self._check(key)

    def sum(self, keys: Iterable[Key]) -> int:
        """The sum of counters."""
        return sum(self.numbers[key] for key in keys)

    def _change(self, change: dict[str, Any]) -> set[Key]:
        what = change["change"]
        if what == "MOVEMENT":
            return self._move(change)
        if what == "RESERVATION":
            key = ("known", change["reservation"])
            if self.numbers[key]:
                raise ModelError(f"{change['reservation']} is reserved a second time")
            self.numbers[key] = 1
        elif what not in WITHOUT_UNITS:
            raise ModelError(f"this model does not know {what}")
        return set()

    def _move(self, move: dict[str, Any]) -> set[Key]:
        kind = move["kind"]
        if kind not in EFFECTS:
            raise ModelError(f"this model does not know {kind}")
        effect, owner, line = EFFECTS[kind], str(move["owner"]), str(move["line"])
        places: list[tuple[str, Key]] = [
            (effect.cell, ("cell", move["sku"], move["warehouse"])),
            (effect.pool, ("pool", move["sku"], str(move["pool"]))),
            (effect.line, ("line", owner, line)),
            (effect.held, ("held", owner, line, move["warehouse"])),
        ]
        touched = set()
        for words, place in places:
            for word in words.split():
                key = (*place, word.removeprefix("-"))
                self.numbers[key] += -move["quantity"] if word.startswith("-") else move["quantity"]
                touched.add(key)
        return touched

    def _check(self, key: Key) -> None:
        if self.numbers[key] < 0:
            raise ModelError(f"{key} is {self.numbers[key]} at sequence {self.sequence}")
        place = key[:-1]
        if place[0] == "cell":
            on_hand = self.sum((*place, name) for name in ON_HAND)
            came = self.sum((*place, name) for name in ("received", "returned", "found"))
            went = self.sum((*place, name) for name in ("shipped", "lost", "written_off"))
            if on_hand != came - went:
                raise ModelError(f"{place} does not conserve at sequence {self.sequence}")
        if place[0] == "line":
            ends = self.sum((*place, name) for name in ("locked", "deducted", "unlocked", "expired"))
            if self.numbers[*place, "requested"] != ends:
                raise ModelError(f"{place} does not add up at sequence {self.sequence}")
