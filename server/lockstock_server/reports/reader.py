"""Reading the database: in one transaction, at a sequence, never in the way of selling."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from lockstock_server import logs
from lockstock_server.projection import database
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sqlalchemy import Connection, Engine

_T = TypeVar("_T")

log = logs.get(__name__)

THREADS: Final = 4
READS_MAX: Final = 256
"""Reads under way or waiting; more are refused, so that a slow database never piles up callers."""
WAIT_SECONDS: Final = 2.0
"""How long a caller waits for the database to reach a sequence."""
LOOK_SECONDS: Final = 0.003
"""How often it is looked whether it has."""


class Standing(Protocol):
    """How far the database is."""

    @property
    def sequence(self) -> int:
        """The last event known to be in it."""


class Follower(Protocol):
    """Who writes the database: the projector."""

    @property
    def status(self) -> Standing:
        """How far it is."""

    def wake(self) -> None:
        """Have it look for new events at once."""


class Reports:
    """The database of one journal, for reading. All methods belong to one event loop's thread."""

    def __init__(self, url: str, *, journal_id: str, follower: Follower, newest: Callable[[], int]) -> None:
        """Connects to nothing yet; `newest` gives the engine's sequence.

        Raises ProjectionError when the URL makes no sense.
        """
        self._engine = for_reading(database.open_database(url))
        self._journal_id = journal_id
        self._follower = follower
        self._newest = newest
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reports")
        self._reads = 0

    async def read(self, query: Callable[[Connection], _T], *, min_sequence: int = 0) -> tuple[_T, int]:
        """Run a query in one transaction: its result, and the sequence that the database stood at.

        Waits up to two seconds for `min_sequence`. Raises Refused: DATABASE_AWAY where the database is away,
        behind or another journal's; NUMBER_OUT_OF_RANGE for a sequence that there is not yet; OVERLOADED.
        """
        newest = self._newest()
        if not 0 <= min_sequence <= newest:
            raise Refused(
                "NUMBER_OUT_OF_RANGE", field="min_sequence", value=min_sequence, limit=f"0 to {newest}"
            )
        if self._reads >= READS_MAX:
            raise Refused("OVERLOADED", limit="reports")
        self._reads += 1
        try:
            return await self._read(query, min_sequence)
        finally:
            self._reads -= 1

    def close(self) -> None:
        """Wait for what is being read, then let the connections go."""
        self._threads.shutdown()
        self._engine.dispose()

    async def _read(self, query: Callable[[Connection], _T], wanted: int) -> tuple[_T, int]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + WAIT_SECONDS
        while True:
            if self._follower.status.sequence >= wanted:
                found, stands_at = await loop.run_in_executor(self._threads, self._run, query, wanted)
                if found is not None:
                    return found[0], stands_at
            # The projector may know more than the database has: another hand may have built it anew.
            if loop.time() >= ends:
                raise Refused("DATABASE_AWAY", wanted=wanted, as_of=self._follower.status.sequence)
            self._follower.wake()
            await asyncio.sleep(LOOK_SECONDS)

    def _run(self, query: Callable[[Connection], _T], wanted: int) -> tuple[tuple[_T] | None, int]:
        """Read on a thread; None in place of a result where the database is behind."""
        try:
            with self._engine.connect() as connection, connection.begin():
                position = database.position_in(connection)
                if position is None or position.journal_id != self._journal_id:
                    raise Refused("DATABASE_AWAY", wanted=wanted, as_of=0)
                if position.sequence < wanted:
                    return None, position.sequence
                return (query(connection),), position.sequence
        except SQLAlchemyError as error:
            log.warning("database_away", sentence=str(database.away(error)))
            raise Refused("DATABASE_AWAY", wanted=wanted, as_of=self._follower.status.sequence) from error


def for_reading(engine: Engine) -> Engine:
    """The same database; what a transaction reads is of one moment, and it can write nothing."""
    if database.is_sqlite(engine):
        event.listen(engine, "connect", _forbid_writing)
        return engine
    return database.for_one_snapshot(engine).execution_options(postgresql_readonly=True)


def _forbid_writing(connection: Any, _entry: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()
