"""Judges a sale: what the buyers were answered against what the server says at the end."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import lockstock.v1.stock_pb2 as stock


class Verb(StrEnum):
    """What a buyer had answered."""

    LOCKED = "LOCKED"
    PAID = "PAID"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"
    SOLD_OUT_LATE = "SOLD_OUT_LATE"
    """A payment after the deadline that found the units gone: a refund is due."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One acknowledged answer, as a buyer wrote it down."""

    buyer: int
    verb: Verb
    sequence: int
    seconds: float
    """From the first attempt to the answer, retries over the crash included."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What the server says of a reservation at the end."""

    locked: int
    deducted: int
    unlocked: int
    expired: int
    cancelled: int


@dataclass(slots=True)
class Verdict:
    """The judgement. `faults` is empty exactly when the sale was right."""

    units: int
    sold: int
    oversold: int
    lost: int
    answers: int
    counts: dict[str, int]
    faults: list[str] = field(default_factory=list)


EMPTY = Found(0, 0, 0, 0, 0)


def lost_answer(verbs: set[Verb], found: Found) -> str | None:
    """What an acknowledged answer promised and the server does not have; None if it has everything."""
    if found == EMPTY:
        return "it was acknowledged and is not there" if verbs - {Verb.REFUSED} else None
    if Verb.CANCELLED in verbs:
        undone = found.unlocked + found.cancelled + found.expired
        return None if undone == 1 else "it was cancelled and still stands"
    if Verb.PAID in verbs:
        return None if found.deducted - found.cancelled == 1 else "it was paid and is not deducted"
    if Verb.LOCKED in verbs:
        held = found.locked + found.deducted + found.unlocked + found.expired
        return None if held == 1 else "it was locked and its unit is nowhere"
    return None


def judge(
    units: int, entries: Iterable[Entry], found: Mapping[int, Found], level: stock.StockLevel
) -> Verdict:
    """Decides. `found` holds every reservation the server has, by buyer."""
    answered: dict[int, set[Verb]] = {}
    counts: Counter[str] = Counter()
    answers = 0
    for entry in entries:
        answers += 1
        counts[entry.verb.value] += 1
        answered.setdefault(entry.buyer, set()).add(entry.verb)
    standing = sum(1 for verbs in answered.values() if Verb.PAID in verbs and Verb.CANCELLED not in verbs)
    sold = sum(there.deducted - there.cancelled for there in found.values())
    verdict = Verdict(
        units=units,
        sold=standing,
        oversold=max(0, standing - units),
        lost=0,
        answers=answers,
        counts=dict(counts),
    )
    for buyer, verbs in sorted(answered.items()):
        fault = lost_answer(verbs, found.get(buyer, EMPTY))
        if fault is not None:
            verdict.lost += 1
            verdict.faults.append(f"buyer {buyer} ({', '.join(sorted(verbs))}): {fault}")
    _same(verdict, "units paid by the buyers' log", standing, "units to sell", units)
    _same(verdict, "units sold by the server's reservations", sold, "units paid by the buyers' log", standing)
    _same(verdict, "units allocated by the server's counters", level.allocated, "units to sell", units)
    _same(verdict, "units still available or locked", level.available + level.locked, "nothing", 0)
    return verdict


def _same(verdict: Verdict, what: str, is_: int, name: str, should: int) -> None:
    if is_ != should:
        verdict.faults.append(f"{what}: {is_:,}; {name}: {should:,}")


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p90, p99, p99.9 and the longest, in milliseconds; empty for no measurements."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {
        name: 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        for name, share in marks.items()
    }
