"""The checker of histories finds what a stock core must not do: each doctored history is caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.linear import Call, Fact, Read, Refused, Write, check
from support.linear_model import Model, ModelError

AVAILABLE = (("cell", "BOOK", "SH", "available"),)


def movement(kind: str, owner: str | None, quantity: int) -> dict[str, Any]:
    return {
        "change": "MOVEMENT",
        "kind": kind,
        "sku": "BOOK",
        "warehouse": "SH",
        "pool": "SHARED" if owner else None,
        "owner": owner,
        "line": 1 if owner else 0,
        "quantity": quantity,
    }


def event(sequence: int, operation: str, owner: str | None, quantity: int) -> dict[str, Any]:
    changes: list[dict[str, Any]] = [movement(operation, owner, quantity)]
    if operation == "LOCK":
        changes.insert(0, {"change": "RESERVATION", "reservation": owner})
    return {"sequence": sequence, "operation": operation, "request_id": f"id-{sequence}", "changes": changes}


JOURNAL = [
    event(1, "OTHER_RECEIPT", None, 10),
    event(2, "LOCK", "a", 4),
    event(3, "LOCK", "b", 6),
    event(4, "UNLOCK", "a", 4),
    event(5, "DEDUCT", "b", 6),
]
OURS = ["id-1"]


def write(sequence: int, sent: int, answered: int | None, *, stream: str = "") -> Write:
    """A write as its client saw it; the journal above has it."""
    entry = JOURNAL[sequence - 1]
    change = entry["changes"][-1]
    moved = ((change["kind"], "BOOK", "SH", change["quantity"]),) if answered is not None else ()
    named = sequence if answered is not None else 0
    units = change["quantity"]
    return Write(
        sent, answered, entry["request_id"], entry["operation"], named, moved, units=units, stream=stream
    )


def read(sequence: int, sent: int, answered: int, available: int) -> Read:
    return Read(sent, answered, sequence, (Fact(AVAILABLE, available),))


LOCK_A = write(2, 10, 20)
LOCK_B = write(3, 12, 30)
UNLOCK_A = write(4, 40, 50)
DEDUCT_B = write(5, 45, 60)
SOLD_OUT = Refused(31, 39, "id-x", "INSUFFICIENT_STOCK", (Fact(AVAILABLE, 0),))
HISTORY: list[Call] = [
    LOCK_A,
    LOCK_B,
    UNLOCK_A,
    DEDUCT_B,
    read(2, 15, 25, 6),
    read(3, 32, 36, 0),
    read(5, 61, 65, 4),
    SOLD_OUT,
]


def doctored(old: Call, new: Call | None) -> list[Call]:
    assert old in HISTORY
    return [one for one in [new if call == old else call for call in HISTORY] if one is not None]


def test_a_history_as_it_should_be_has_no_faults() -> None:
    verdict = check(HISTORY, JOURNAL, OURS)
    assert verdict.faults == []
    assert (verdict.writes, verdict.reads, verdict.refused, verdict.facts) == (4, 3, 1, 4)


def test_a_write_without_an_answer_is_in_the_journal_once_or_never() -> None:
    there = replace(UNLOCK_A, answered=None, sequence=0, movements=())
    verdict = check(doctored(UNLOCK_A, there), JOURNAL, OURS)
    assert (verdict.faults, verdict.unknown, verdict.unknown_in_journal) == ([], 1, 1)
    never = replace(there, request_id="id-never")
    verdict = check([*HISTORY, never], JOURNAL, OURS)
    assert (verdict.faults, verdict.unknown, verdict.unknown_in_journal) == ([], 1, 0)


DOCTORED: list[tuple[str, list[Call], list[dict[str, Any]], str]] = [
    (
        "a lost write",
        [*HISTORY, replace(LOCK_A, request_id="id-lost", sequence=6)],
        JOURNAL,
        "not in the journal",
    ),
    (
        "a write that took effect twice",
        HISTORY,
        [*JOURNAL, {**event(6, "UNLOCK", "b", 0), "request_id": "id-4"}],
        "2 times",
    ),
    ("a write that nobody sent", doctored(UNLOCK_A, None), JOURNAL, "nobody sent"),
    ("a stale read", [*HISTORY, read(2, 40, 44, 6)], JOURNAL, "is stale"),
    ("a read behind another read", [*HISTORY, read(3, 37, 38, 0), read(2, 39, 44, 6)], JOURNAL, "is stale"),
    ("a read of another number", [*HISTORY, read(4, 51, 55, 5)], JOURNAL, "it was 4"),
    ("a read of the future", [*HISTORY, read(6, 61, 66, 4)], JOURNAL, "does not have"),
    (
        "two writes in the other order than real time",
        doctored(UNLOCK_A, replace(UNLOCK_A, sent=61, answered=70)),
        JOURNAL,
        "had been answered already",
    ),
    (
        "a write without an answer behind what came after it",
        doctored(UNLOCK_A, replace(UNLOCK_A, sent=61, answered=None, sequence=0, movements=(), units=None)),
        JOURNAL,
        "had been answered already",
    ),
    (
        "two commands of one stream in the other order",
        [replace(LOCK_B, stream="s"), replace(LOCK_A, stream="s"), UNLOCK_A, DEDUCT_B],
        JOURNAL,
        "ahead of it in its stream",
    ),
    (
        "an answer with another sequence",
        doctored(LOCK_B, replace(LOCK_B, sequence=5)),
        JOURNAL,
        "has sequence",
    ),
    (
        "an answer with other units",
        doctored(LOCK_B, replace(LOCK_B, movements=(("LOCK", "BOOK", "SH", 5),))),
        JOURNAL,
        "has sequence 3 and moves",
    ),
    ("fewer units than asked", doctored(LOCK_B, replace(LOCK_B, units=7)), JOURNAL, "moves"),
    (
        "another operation than asked",
        doctored(UNLOCK_A, replace(UNLOCK_A, operation="DEDUCT")),
        JOURNAL,
        "is a UNLOCK",
    ),
    (
        "a refusal that took effect",
        [*HISTORY, replace(SOLD_OUT, request_id="id-3")],
        JOURNAL,
        "stands in the journal",
    ),
    (
        "a false sold-out",
        doctored(SOLD_OUT, replace(SOLD_OUT, sent=61, answered=70)),
        JOURNAL,
        "these facts never held",
    ),
    (
        "a sold-out that was over before it was asked",
        doctored(SOLD_OUT, replace(SOLD_OUT, sent=51, answered=55)),
        JOURNAL,
        "these facts never held",
    ),
    (
        "a sold-out before there was one",
        doctored(SOLD_OUT, replace(SOLD_OUT, sent=1, answered=9)),
        JOURNAL,
        "these facts never held",
    ),
    ("a gap in the journal", HISTORY, [*JOURNAL[:2], *JOURNAL[3:]], "follows"),
    (
        "more sold than there was",
        [],
        [event(1, "OTHER_RECEIPT", None, 10), event(2, "LOCK", "a", 11)],
        "is -1",
    ),
]


@pytest.mark.parametrize(
    ("calls", "journal", "words"), [row[1:] for row in DOCTORED], ids=[row[0] for row in DOCTORED]
)
def test_a_doctored_history_is_caught(calls: list[Call], journal: list[dict[str, Any]], words: str) -> None:
    faults = check(calls, journal, OURS).faults
    assert any(words in fault for fault in faults), faults


def test_the_model_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ModelError, match="does not know TELEPORT"):
        Model().apply(event(1, "TELEPORT", None, 1))


def test_the_model_refuses_a_reservation_made_twice() -> None:
    model = Model()
    model.apply(event(1, "OTHER_RECEIPT", None, 10))
    model.apply(event(2, "LOCK", "a", 1))
    with pytest.raises(ModelError, match="a second time"):
        model.apply(event(3, "LOCK", "a", 1))
