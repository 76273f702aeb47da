"""Writing a batch: all of its rows and the new position in one transaction, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import psycopg
from sqlalchemy import func, insert, select, true, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from lockstock_server.projection import database, schema, upserts
from lockstock_server.projection.database import Position
from lockstock_server.projection.errors import ProjectionError, StalePositionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine, Table

APPEND: Final = "append"
"""New rows, whole: none of their keys stands in the table."""
MERGE: Final = "merge"
"""Changes of rows that may stand in the table; one that does not stand there is whole."""

# How long another writer may hold the position before this one gives up, to come again.
_LOCK_TIMEOUT_MS: Final = 5_000
# Before the projector stops listening: so that the one that gives up first also lets the position go.
_STATEMENT_MS: Final = database.SILENCE_SECONDS * 900


class Rows(Protocol):
    """A batch as the core makes it (`_core.Batch`)."""

    @property
    def first(self) -> int:
        """The first event that was folded."""

    @property
    def last(self) -> int:
        """The last one."""

    @property
    def tables(self) -> Sequence[tuple[str, str, int, bytes]]:
        """`(table, what its rows are to it, rows, formatted rows)`: see `APPEND` and `MERGE`."""


class Writer:
    """Writes the batches of one journal into one database."""

    def __init__(self, engine: Engine, journal_id: str) -> None:
        self._engine = database.for_writing(engine)
        self._journal_id = journal_id
        self.format: Final = "json" if database.is_sqlite(engine) else "copy"
        """What the rows of a batch must be formatted as."""

    def position(self) -> Position:
        """Where the database stands; one that is empty is made ours, at 0.

        Raises ProjectionError when it belongs to another journal, DatabaseAwayError when it cannot be used.
        """
        try:
            with self._engine.begin() as connection:
                self._limit_waiting(connection)
                found = database.position_in(connection, lock=True)
                if found is None:
                    found = Position(self._journal_id, 0, 0)
                    row = {"id": database.ROW, **_values(found)}
                    connection.execute(insert(schema.projection).values(row))
        except SQLAlchemyError as error:
            raise database.away(error) from error
        self._check_journal(found)
        return found

    def write(self, batch: Rows, applied_at: int) -> int:
        """Puts a batch's rows into the database, which then stands at `batch.last`; how many rows they were.

        `applied_at` is now, in microseconds since 1970-01-01 UTC. After DatabaseAwayError it is not known
        whether the batch was written: the position tells. Raises StalePositionError when the database does
        not stand right before the batch, ProjectionError when it belongs to another journal.
        """
        try:
            with self._engine.begin() as connection:
                self._limit_waiting(connection)
                found = database.position_in(connection, lock=True)
                if found is None:
                    raise StalePositionError("the position is gone: the tables were dropped")
                self._check_journal(found)
                if found.sequence != batch.first - 1:
                    raise StalePositionError(
                        f"the database stands at {found.sequence}, the batch begins with {batch.first}"
                    )
                written = 0
                for name, puts, count, rows in batch.tables:
                    put = _PUTS[puts]
                    put(connection, schema.PROJECTED[name], rows)
                    written += count
                position = Position(self._journal_id, batch.last, applied_at)
                statement = update(schema.projection).where(schema.projection.c.id == database.ROW)
                connection.execute(statement.values(_values(position)))
        except SQLAlchemyError as error:
            raise database.away(error) from error
        return written

    def _check_journal(self, found: Position) -> None:
        if found.journal_id != self._journal_id:
            raise ProjectionError(
                f"The database belongs to journal {found.journal_id}, this is {self._journal_id}: give"
                " the server the database of its own journal, or drop the tables with `lockstock rebuild`."
            )

    def _limit_waiting(self, connection: Connection) -> None:
        if not database.is_sqlite(connection):
            limits = select(
                func.set_config("lock_timeout", str(_LOCK_TIMEOUT_MS), true()),
                func.set_config("statement_timeout", str(_STATEMENT_MS), true()),
            )
            connection.execute(limits)


def _append(connection: Connection, table: Table, rows: bytes) -> None:
    if database.is_sqlite(connection):
        connection.execute(upserts.appended_json(table), {upserts.ROWS: rows.decode()})
    else:
        _copy(connection, table, rows)


def _merge(connection: Connection, table: Table, rows: bytes) -> None:
    if database.is_sqlite(connection):
        connection.execute(upserts.merged_json(table), {upserts.ROWS: rows.decode()})
    else:
        connection.execute(CreateTable(upserts.staging(table), if_not_exists=True))
        _copy(connection, upserts.staging(table), rows)
        connection.execute(upserts.merged_staging(table))


_PUTS: Final = {APPEND: _append, MERGE: _merge}


def _values(position: Position) -> dict[str, Any]:
    return {
        "journal_id": position.journal_id,
        "sequence": position.sequence,
        "applied_at": position.applied_at,
    }


def _copy(connection: Connection, table: Table, rows: bytes) -> None:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    statement = f"COPY {quote(table.name)} ({columns}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(rows)
    except psycopg.Error as error:
        # Not through SQLAlchemy, so it does not wrap it; the transaction ends with it all the same.
        raise database.away(error) from error
