"""Dropping the database's tables, and building them again from the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, MetaData, Table, Text, text
from sqlalchemy.exc import SQLAlchemyError

from lockstock_server.progress import Watch, unwatched
from lockstock_server.projection import database, schema
from lockstock_server.projection.errors import DatabaseAwayError, ProjectionError
from lockstock_server.projection.migrate import VERSION_TABLE
from lockstock_server.projection.projector import Projector, ProjectorState

if TYPE_CHECKING:
    from lockstock_server.projection.ahead import Feed

_TELL_EVERY: Final = 0.05
_STOP_DEADLINE: Final = 60.0


def drop(url: str) -> None:
    """Drops Lockstock's tables, and nothing else, in one transaction.

    They are built again from the journal when a projector next looks, even if one is running. Raises
    DatabaseAwayError when the database cannot be used, ProjectionError when the URL makes no sense.
    """
    engine = database.open_database(url)
    version = Table(VERSION_TABLE, MetaData(), Column("version_num", Text))
    try:
        with database.for_writing(engine).begin() as connection:
            if not database.is_sqlite(connection):
                connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            schema.metadata.drop_all(connection)
            version.drop(connection, checkfirst=True)
    except SQLAlchemyError as error:
        raise database.away(error) from error
    finally:
        engine.dispose()


def build(feed: Feed, url: str, watch: Watch = unwatched) -> int:
    """Builds the tables up to what is durable in the feed now; the sequence that the database stands at.

    Raises DatabaseAwayError when the database cannot be used, ProjectionError when it belongs to another journal
    or the rows cannot be made.
    """
    step = watch("building the database")
    durable = int(json.loads(feed.status())["durable_sequence"])
    projector = Projector(feed, url)
    projector.start()
    try:
        step(projector.status.sequence, durable)
        while not projector.wait_until(
            lambda status: status.sequence >= durable or status.state is not ProjectorState.FOLLOWING,
            _TELL_EVERY,
        ):
            step(projector.status.sequence, durable)
        reached = projector.status
    finally:
        projector.stop(_STOP_DEADLINE)
    if reached.state is ProjectorState.REFUSED:
        raise ProjectionError(str(reached.last_error))
    if reached.sequence < durable:
        raise DatabaseAwayError(str(reached.last_error))
    step(reached.sequence, durable)
    return projector.status.sequence
