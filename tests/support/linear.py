"""Whether a recorded history is linearizable: judged by replay in the journal's order together with real time.

The journal claims an order of everything that took effect. That order is the witness, so no search is needed:
it must contain what was acknowledged exactly once, agree with what clients saw of real time, and its replay
must give every number that a read or a refusal has shown. A time is one of the machine's monotonic clock, which
all processes share.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from support.linear_model import Key, Model, ModelError

FAULTS_MAX = 20


@dataclass(frozen=True, slots=True)
class Fact:
    """The sum of these counters was seen to be this."""

    keys: tuple[Key, ...]
    value: int


@dataclass(frozen=True, slots=True)
class Write:
    """A command that took effect, or of which no answer came (`answered` is None then).

    A command that was sent again under its request id is one write: from when it was first sent until it was
    first answered.
    """

    sent: int
    answered: int | None
    request_id: str
    operation: str
    sequence: int = 0
    movements: tuple[tuple[str, str, str, int], ...] = ()
    """What the answer says: kind, SKU, warehouse, units."""
    units: int | None = None
    """What was asked, where the request named a number."""
    stream: str = ""
    """Commands of one stream or batch take effect in the order in which they stand here."""


@dataclass(frozen=True, slots=True)
class Read:
    """A read that was answered, with all it said."""

    sent: int
    answered: int
    sequence: int
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was refused for what stood in the way: it named no sequence, but the facts held at one."""

    sent: int
    answered: int
    request_id: str
    """Empty where an earlier try of the same command may still have taken effect."""
    reason: str
    facts: tuple[Fact, ...] = ()


Call = Write | Read | Refused
Event = dict[str, Any]


@dataclass
class Verdict:
    """What was found. Linearizable exactly when there are no faults."""

    faults: list[str] = field(default_factory=list)
    writes: int = 0
    unknown: int = 0
    unknown_in_journal: int = 0
    reads: int = 0
    refused: int = 0
    facts: int = 0


def check(calls: Iterable[Call], journal: Iterable[Event], ours: Iterable[str] = ()) -> Verdict:
    """Judges a history. `ours`: request ids of commands that prepared the ground and are not part of it."""
    return _Check(list(calls), list(journal), set(ours)).judge()


class _Check:
    def __init__(self, calls: list[Call], journal: list[Event], ours: set[str]) -> None:
        self.writes = [call for call in calls if isinstance(call, Write)]
        self.reads = [call for call in calls if isinstance(call, Read)]
        self.refused = [call for call in calls if isinstance(call, Refused)]
        self.journal = journal
        self.ours = ours
        self.verdict = Verdict(reads=len(self.reads), refused=len(self.refused))
        self.at: dict[str, list[Event]] = defaultdict(list)
        for event in journal:
            if event["request_id"]:
                self.at[event["request_id"]].append(event)

    def fault(self, sentence: str) -> None:
        if len(self.verdict.faults) < FAULTS_MAX:
            self.verdict.faults.append(sentence)

    def judge(self) -> Verdict:
        self._writes_stand_in_the_journal()
        self._nothing_else_does()
        self._streams_are_in_order()
        self._real_time_is_kept()
        self._every_number_is_the_models()
        return self.verdict

    # --- the journal has what was acknowledged, once ---

    def _writes_stand_in_the_journal(self) -> None:
        for write in self.writes:
            events = self.at[write.request_id]
            if len(events) > 1:
                self.fault(f"{write} stands in the journal {len(events)} times")
            if write.answered is None:
                self.verdict.unknown += 1
                self.verdict.unknown_in_journal += bool(events)
            else:
                self.verdict.writes += 1
                if not events:
                    self.fault(f"{write} was acknowledged and is not in the journal")
            for event in events:
                self._agree(write, event)

    def _agree(self, write: Write, event: Event) -> None:
        moved = tuple(
            (change["kind"], change["sku"], change["warehouse"], change["quantity"])
            for change in event["changes"]
            if change["change"] == "MOVEMENT"
        )
        if event["operation"] != write.operation:
            self.fault(f"{write} is a {event['operation']} in the journal")
        if write.units is not None and sum(move[3] for move in moved) != write.units:
            self.fault(f"{write} moves {moved} in the journal")
        if write.answered is not None and (write.sequence, write.movements) != (event["sequence"], moved):
            self.fault(f"{write} has sequence {event['sequence']} and moves {moved} in the journal")

    def _nothing_else_does(self) -> None:
        known = {write.request_id for write in self.writes} | self.ours
        for request_id in self.at.keys() - known:
            self.fault(f"nobody sent {self.at[request_id][0]}")
        for refused in self.refused:
            if refused.request_id and self.at.get(refused.request_id):
                self.fault(f"{refused} stands in the journal")

    def _streams_are_in_order(self) -> None:
        newest: dict[str, int] = {}
        for write in self.writes:
            if write.stream and (sequence := self._sequence(write)) is not None:
                if sequence <= newest.get(write.stream, 0):
                    self.fault(f"{write} took effect before a command ahead of it in its stream")
                newest[write.stream] = sequence

    def _sequence(self, write: Write) -> int | None:
        events = self.at[write.request_id]
        return int(events[0]["sequence"]) if events else None

    # --- real time ---

    def _real_time_is_kept(self) -> None:
        """Whatever was answered before a call was sent, that call comes after it."""
        before = self._seen_before()
        for write in self.writes:
            sequence = self._sequence(write)
            if sequence is not None and sequence <= (least := before(write.sent)):
                self.fault(f"{write} took effect at {sequence}, when {least} had been answered already")
        for read in self.reads:
            if read.sequence < (least := before(read.sent)):
                self.fault(f"{read} is stale: {least} had been answered before it was sent")

    def _seen_before(self) -> _Newest:
        """The newest sequence that any answer before a time has named."""
        named = [(write.answered, write.sequence) for write in self.writes if write.answered is not None]
        named += [(read.answered, read.sequence) for read in self.reads]
        return _Newest(named)

    # --- numbers ---

    def _every_number_is_the_models(self) -> None:
        reads = defaultdict(list)
        for read in self.reads:
            reads[read.sequence].append(read)
        refusals = self._refusals_by_their_first_sequence()
        model = Model()
        waiting: list[tuple[int, Refused]] = []
        for event in self.journal:
            try:
                model.apply(event)
            except ModelError as error:
                self.fault(str(error))
                return
            for read in reads.pop(model.sequence, ()):
                self._compare(read, model)
            waiting += refusals.pop(model.sequence, ())
            waiting = [(last, refused) for last, refused in waiting if not self._held(last, refused, model)]
        for late in [read for some in reads.values() for read in some]:
            self.fault(f"{late} names a sequence that the journal does not have")
        for _, refused in [each for some in refusals.values() for each in some]:
            self.fault(f"{refused} came after more than the journal has")

    def _refusals_by_their_first_sequence(self) -> dict[int, list[tuple[int, Refused]]]:
        """Each with the first sequence it may have been judged at, and the last: before anything sent later."""
        before = self._seen_before()
        sent = sorted(
            (write.sent, sequence) for write in self.writes if (sequence := self._sequence(write)) is not None
        )
        # The least sequence of what was sent from here on.
        least = list(_running_least(sequence for _, sequence in reversed(sent)))[::-1]
        found = defaultdict(list)
        newest = len(self.journal)
        for refused in self.refused:
            after = bisect_left(sent, (refused.answered + 1, 0))
            last = least[after] - 1 if after < len(least) else newest
            found[max(1, before(refused.sent))].append((last, refused))
        return found

    def _held(self, last: int, refused: Refused, model: Model) -> bool:
        """Whether the facts of a refusal are explained; a fault where they cannot be any more."""
        if model.sequence <= last and all(model.sum(fact.keys) == fact.value for fact in refused.facts):
            self.verdict.facts += len(refused.facts)
            return True
        if model.sequence >= last:
            self.fault(f"{refused}: these facts never held while it was being answered")
            return True
        return False

    def _compare(self, read: Read, model: Model) -> None:
        self.verdict.facts += len(read.facts)
        for fact in read.facts:
            if (expected := model.sum(fact.keys)) != fact.value:
                self.fault(f"at sequence {read.sequence} {fact} was read, and it was {expected}")


class _Newest:
    """The newest sequence named by an answer before a time."""

    def __init__(self, named: list[tuple[int, int]]) -> None:
        named.sort()
        self.times = [time for time, _ in named]
        self.newest = list(_running_most(sequence for _, sequence in named))

    def __call__(self, time: int) -> int:
        place = bisect_left(self.times, time)
        return self.newest[place - 1] if place else 0


def _running_most(numbers: Iterable[int]) -> Iterator[int]:
    most = 0
    for number in numbers:
        most = max(most, number)
        yield most


def _running_least(numbers: Iterable[int]) -> Iterator[int]:
    least: int | None = None
    for number in numbers:
        least = number if least is None else min(least, number)
        yield least
