"""Comparing the tables with what the journal says they must hold, row by row."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from sqlalchemy import inspect, select
from sqlalchemy.exc import SQLAlchemyError

from lockstock_server.progress import Watch, unwatched
from lockstock_server.projection import database, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine, Table

_AT_ONCE: Final = 5_000
_SHOWN: Final = 20

Row: TypeAlias = "Sequence[Any]"


class Expected(Protocol):
    """A journal replayed up to a sequence (`_core.Offline`)."""

    def summary(self) -> str:
        """Tell what was replayed, as JSON: `journal_id` and `sequence` are read."""

    def expected_rows(self, table: str) -> bytes:
        """Give every row of a table, as one JSON array of arrays, a row a line, ordered by key."""


@dataclass(slots=True)
class Comparison:
    """What a comparison found: without `differences` the database is an exact prefix of the journal."""

    sequence: int | None = None
    """Where the database stands; None where it is empty or is not there."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table: how many rows were compared and are equal."""
    differences: list[str] = field(default_factory=list)
    """A sentence each; of each table the first few, then how many more."""

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare_database(
    engine: Engine, replay: Callable[[int], Expected], watch: Watch = unwatched
) -> Comparison:
    """Compares every row of every table with the journal replayed up to where the database stands.

    The tables are read in one transaction, so it may be done while they are written. `replay` gets the
    sequence; what it raises passes through. Raises DatabaseAwayError when the database cannot be used.
    """
    found = Comparison()
    try:
        with database.for_one_snapshot(engine).connect() as connection, connection.begin():
            if not inspect(connection).has_table(schema.projection.name):
                return found
            position = database.position_in(connection)
            if position is None:
                return found
            found.sequence = position.sequence
            expected = replay(position.sequence)
            summary = json.loads(expected.summary())
            if summary["journal_id"] != position.journal_id:
                found.differences.append(
                    f"the database belongs to journal {position.journal_id}, not to {summary['journal_id']}"
                )
            step = watch("comparing the tables")
            for done, table in enumerate(schema.PROJECTED.values(), 1):
                differences = Differences(table)
                differences.merge(_stored(connection, table), parse_rows(expected.expected_rows(table.name)))
                found.rows[table.name] = differences.equal
                found.differences += differences.sentences()
                step(done, len(schema.PROJECTED))
    except SQLAlchemyError as error:
        raise database.away(error) from error
    return found


def parse_rows(rows: bytes) -> Iterator[Row]:
    """The rows of a JSON array of arrays in which each stands on a line of its own, one after the other."""
    # Line by line: there may be millions of them.
    for line in BytesIO(rows):
        text = line.strip().rstrip(b",")
        if text not in {b"[", b"]", b"[]", b""}:
            yield json.loads(text)


def _stored(connection: Connection, table: Table) -> Iterator[Row]:
    query = select(table).order_by(*table.primary_key.columns)
    yield from connection.execution_options(yield_per=_AT_ONCE).execute(query)


class Differences:
    """The differences of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = list(table.columns.keys())
        self._keys = len(table.primary_key.columns)
        self._shown: list[str] = []
        self._count = 0
        self.equal = 0

    def merge(self, stored: Iterator[Row], expected: Iterator[Row]) -> None:
        """Walks through both, ordered by key."""
        have, want = next(stored, None), next(expected, None)
        while have is not None or want is not None:
            if want is None or (have is not None and self._key(have) < self._key(want)):
                self._note(have or (), "stands in the database, and the journal does not know it")
                have = next(stored, None)
            elif have is None or self._key(want) < self._key(have):
                self._note(want, "is missing in the database")
                want = next(expected, None)
            else:
                self._compare(have, want)
                have, want = next(stored, None), next(expected, None)

    def sentences(self) -> list[str]:
        """The first few differences, then how many more."""
        more = self._count - len(self._shown)
        return self._shown + ([f"{self._table.name}: {more:,} more rows differ"] if more else [])

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[: self._keys])

    def _compare(self, have: Row, want: Row) -> None:
        if len(have) != len(want):
            self._note(want, f"has {len(have)} columns in the database, {len(want)} by the journal")
            return
        pairs = zip(self._columns, have, want, strict=True)
        wrong = [
            f"{name} is {stored!r} in the database, {expected!r} by the journal"
            for name, stored, expected in pairs
            if stored != expected
        ]
        if wrong:
            self._note(want, "; ".join(wrong))
        else:
            self.equal += 1

    def _note(self, row: Row, what: str) -> None:
        self._count += 1
        if self._count <= _SHOWN:
            names = self._columns[: self._keys]
            key = ", ".join(f"{name} {value!r}" for name, value in zip(names, self._key(row), strict=False))
            self._shown.append(f"{self._table.name} ({key}): {what}")
