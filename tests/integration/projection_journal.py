"""A journal with memory, in place of the core: what the projector follows and the comparison replays.

It knows nothing of stock: its events are made of changes of rows, drawn at random over the schema, and it
folds and formats them by itself. What it shares with the server is the schema alone.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lockstock_server.projection import schema
from lockstock_server.projection.writer import APPEND, MERGE

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from sqlalchemy import Table

LIVE = [table for table in schema.PROJECTED.values() if not table.info.get(schema.HISTORY)]
NASTY = [
    "tab\there",
    "line\nfeed",
    "back\\slash",
    "\\N",
    "quote\"'",
    "\u00a3 \U0001f4e6 \u2028",
    "\r",
    "",
    "{}",
]


@dataclass(frozen=True)
class Change:
    """One row of one table: None keeps a value, counters are added to."""

    table: Table
    key: tuple[Any, ...]
    set: tuple[Any, ...]
    add: tuple[int, ...]
    creates: bool = False
    """Whether no row of this key stands before it."""


@dataclass
class Folded:
    """What becomes of one row."""

    set: list[Any]
    add: list[int]
    created: bool = False

    def take(self, change: Change) -> None:
        self.set = [old if new is None else new for old, new in zip(self.set, change.set, strict=True)]
        self.add = [old + new for old, new in zip(self.add, change.add, strict=True)]
        self.created |= change.creates


@dataclass
class Batch:
    """Rows of some events."""

    first: int
    last: int
    tables: list[tuple[str, str, int, bytes]]


def fold(events: Sequence[Sequence[Change]]) -> dict[str, dict[tuple[Any, ...], Folded]]:
    tables: dict[str, dict[tuple[Any, ...], Folded]] = {}
    for change in (change for event in events for change in event):
        rows = tables.setdefault(change.table.name, {})
        empty = Folded([None] * len(change.set), [0] * len(change.add))
        rows.setdefault(change.key, empty).take(change)
    return tables


def rows_of(folded: dict[tuple[Any, ...], Folded]) -> list[list[Any]]:
    return [[*key, *folded[key].set, *folded[key].add] for key in sorted(folded)]


def as_json(rows: list[list[Any]]) -> bytes:
    return b"[\n" + b",\n".join(json.dumps(row).encode() for row in rows) + b"\n]" if rows else b"[]"


def as_copy(rows: list[list[Any]]) -> bytes:
    def value(of: Any) -> str:
        if of is None:
            return "\\N"
        if isinstance(of, bool):
            return "t" if of else "f"
        text = str(of).replace("\\", "\\\\")
        return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    return "".join("\t".join(map(value, row)) + "\n" for row in rows).encode()


@dataclass
class Replayed:
    """The journal up to a sequence."""

    journal_id: str
    events: list[list[Change]]

    def summary(self) -> str:
        return json.dumps({"journal_id": self.journal_id, "sequence": len(self.events)})

    def expected_rows(self, table: str) -> bytes:
        return as_json(rows_of(fold(self.events).get(table, {})))


@dataclass
class Journal:
    """The journal: append, follow, replay."""

    random: random.Random
    journal_id: str = "0190a000-0000-4000-8000-000000000001"
    events: list[list[Change]] = field(default_factory=list)
    # When set, rows come out wrong on purpose: (table, bytes).
    spoil: tuple[str, bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: list[tuple[Table, tuple[Any, ...]]] = field(default_factory=list)

    def append(self, count: int) -> None:
        """Makes some events: new rows with all their values, changes of rows that are there, history."""
        for _ in range(count):
            with self._lock:
                self.events.append(self._event(len(self.events) + 1))

    def status(self) -> str:
        with self._lock:
            return json.dumps({"journal_id": self.journal_id, "durable_sequence": len(self.events)})

    def projection_batch(self, after: int, max_events: int, format: str) -> Batch | None:  # noqa: A002
        with self._lock:
            events = self.events[after : after + max_events]
        if not events:
            return None
        write = {"json": as_json, "copy": as_copy}[format]
        sheets = [
            (name, puts, rows_of({key: row for key, row in rows.items() if row.created is (puts == APPEND)}))
            for name, rows in fold(events).items()
            for puts in (APPEND, MERGE)
        ]
        tables = [(name, puts, len(rows), write(rows)) for name, puts, rows in sheets if rows]
        if self.spoil is not None:
            spoiled, wrong = self.spoil
            tables = [(name, puts, n, wrong if name == spoiled else rows) for name, puts, n, rows in tables]
        return Batch(after + 1, after + len(events), tables)

    def replay(self, until: int) -> Replayed:
        with self._lock:
            return Replayed(self.journal_id, self.events[:until])

    def _event(self, sequence: int) -> list[Change]:
        changes = [self._history(schema.operations, (sequence,))]
        ordinals = range(self.random.randrange(3))
        changes += [self._history(schema.movements, (sequence, ordinal)) for ordinal in ordinals]
        ordinals = range(self.random.randrange(2))
        changes += [self._history(schema.document_versions, (sequence, ordinal)) for ordinal in ordinals]
        for _ in range(self.random.randrange(4)):
            table = self.random.choice(LIVE)
            if self._known and self.random.random() < 0.7:
                changes.append(self._touch(*self.random.choice(self._known)))
            else:
                key = tuple(self._value(column) for column in table.primary_key.columns)
                fresh = (table, key) not in self._known
                changes.append(self._create(table, key) if fresh else self._touch(table, key))
        return changes

    def _history(self, table: Table, key: tuple[int, ...]) -> Change:
        values = tuple(self._value(column) for column in schema.columns_of(table, schema.SET))
        return Change(table, key, values, (), creates=True)

    def _create(self, table: Table, key: tuple[Any, ...]) -> Change:
        self._known.append((table, key))
        values = tuple(self._value(column) for column in schema.columns_of(table, schema.SET))
        return Change(table, key, values, self._deltas(table), creates=True)

    def _touch(self, table: Table, key: tuple[Any, ...]) -> Change:
        columns = schema.columns_of(table, schema.SET)
        values = tuple(self._value(column) if self.random.random() < 0.5 else None for column in columns)
        return Change(table, key, values, self._deltas(table))

    def _deltas(self, table: Table) -> tuple[int, ...]:
        return tuple(self.random.randrange(-(10**12), 10**12) for _ in schema.columns_of(table, schema.ADD))

    def _value(self, column: Any) -> Any:
        python = column.type.python_type
        if python is bool:
            return self.random.random() < 0.5
        if python is int:
            return self.random.randrange(10) if self.random.random() < 0.9 else 2**62
        return self.random.choice([*NASTY, "a", "b", "B", "\u00e4", "z", "zz"])
