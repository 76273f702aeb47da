"""Dropping the database's tables: a projector builds them again from the journal."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, Table, Text, text
from sqlalchemy.exc import SQLAlchemyError

from lockstock_server.projection import database, schema
from lockstock_server.projection.migrate import VERSION_TABLE


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
