"""Opening the database, and where it stands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import psycopg
from psycopg.waiting import Ready
from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from lockstock_server.masking import masked, masked_url
from lockstock_server.projection import schema
from lockstock_server.projection.errors import DatabaseAwayError, ProjectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from sqlalchemy.pool import ConnectionPoolEntry

_T = TypeVar("_T")

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
ROW: Final = 1
"""The id of the one row of the table `projection`."""

SILENCE_SECONDS: Final = 300
"""How long PostgreSQL may leave us without a word in the middle of something. No statement of a batch takes near as
long; one that is slow for any other reason is tried again."""

_BUSY_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 5
_SILENCE_MS: Final = 15_000
# What a transaction begins with; SQLite's default would take the lock too late and fail in the middle.
_BEGIN: Final = "lockstock_begin"


@dataclass(frozen=True, slots=True)
class Position:
    """Where the database stands."""

    journal_id: str
    """The UUID of the journal it belongs to."""
    sequence: int
    """The last event that is in it."""
    applied_at: int
    """When it got there, in microseconds since 1970-01-01 UTC."""


def parse_url(url: str) -> URL:
    """Reads a database URL: `sqlite:///path`, `postgresql://...` or `postgresql+psycopg://...`.

    Raises ProjectionError with a sentence for any other.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # A port that is no number is a ValueError of its own.
        raise ProjectionError(
            f"{masked_url(url)!r} is no database URL: write sqlite:///path or postgresql+psycopg://user@host/name."
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise ProjectionError(f"Lockstock projects into SQLite or PostgreSQL, not into {other!r}.")


def open_database(url: str, silence_seconds: float = SILENCE_SECONDS) -> Engine:
    """Makes the engine of SQLAlchemy for a URL; connects to nothing yet.

    A PostgreSQL that says nothing for `silence_seconds` when it should has failed.

    Raises ProjectionError when the URL makes no sense.
    """
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == SQLITE:
            engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        # A peer that has gone silent must be noticed, or the projection would hang instead of coming back.
        alive = {"connect_timeout": _CONNECT_SECONDS, "keepalives_idle": 5, "tcp_user_timeout": _SILENCE_MS}
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=alive)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ProjectionError(
            f"{masked_url(url)!r} cannot be used as a database URL: {masked(str(error))}."
        ) from error
    event.listen(engine, "do_connect", _listening(silence_seconds))
    return engine


class _SilentError(psycopg.OperationalError):
    """The server took what it was sent, and said nothing."""


def _listening(silence_seconds: float) -> Callable[..., psycopg.Connection[Any]]:
    """Makes connections that a silent peer does not hold for ever, even one that takes what it is sent."""

    class Listening(psycopg.Connection[Any]):
        _gave_up: _SilentError | None = None

        def wait(self, gen: Generator[Any, Any, _T], *args: Any, **kwargs: Any) -> _T:
            if self._gave_up is not None:
                # Nothing more is asked of it, the end of the transaction neither: that would wait as long.
                raise self._gave_up
            try:
                return super().wait(_heard(gen, silence_seconds), *args, **kwargs)
            except _SilentError as error:
                self._gave_up = error
                raise

    def connect(_dialect: object, _record: object, args: Sequence[Any], options: dict[str, Any]) -> Listening:
        return Listening.connect(*args, **options)

    return connect


def _heard(gen: Generator[Any, Any, _T], silence_seconds: float) -> Generator[Any, Any, _T]:
    """The same steps of the driver; an error where nothing comes of one of them for too long."""
    ends = time.monotonic() + silence_seconds
    try:
        wanted = next(gen)
        while True:
            # The driver looks up from its waiting a few times a second.
            ready = yield wanted
            if ready != Ready.NONE:
                ends = time.monotonic() + silence_seconds
            elif time.monotonic() > ends:
                raise _SilentError(f"the server has said nothing for {silence_seconds:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as ended:
        return cast("_T", ended.value)


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # A power cut may take the last transactions, never a part of one: the sequence says which are there.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def for_writing(engine: Engine) -> Engine:
    """The same database; its transactions take the write lock at their beginning."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}) if is_sqlite(engine) else engine


def for_one_snapshot(engine: Engine) -> Engine:
    """The same database; all that a transaction reads is of one moment."""
    return engine if is_sqlite(engine) else engine.execution_options(isolation_level="REPEATABLE READ")


def is_sqlite(bind: Engine | Connection) -> bool:
    """Whether it is SQLite, or else PostgreSQL."""
    return bind.dialect.name == SQLITE


def away(error: Exception) -> DatabaseAwayError:
    """What a driver's error is to us: the database cannot be used now, in one line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return DatabaseAwayError(masked(" ".join(str(cause).split())) or type(cause).__name__)


def position_in(connection: Connection, *, lock: bool = False) -> Position | None:
    """Reads the position in a transaction that is open; None where nothing was ever written.

    With `lock` nobody else can write until the transaction ends.
    """
    table = schema.projection
    query = select(table.c.journal_id, table.c.sequence, table.c.applied_at).where(table.c.id == ROW)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Position(*row)


def read_position(url: str) -> Position | None:
    """Where the database stands; None where it is empty, or is not there yet.

    For the start, before the engine is opened: what the database has is durable, so the journal must have it.
    Raises DatabaseAwayError when it cannot be reached, ProjectionError when the URL makes no sense.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == SQLITE and not Path(parsed.database or "").is_file():
        return None
    engine = open_database(url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(schema.projection.name):
                return None
            return position_in(connection)
    except SQLAlchemyError as error:
        raise away(error) from error
    finally:
        engine.dispose()
