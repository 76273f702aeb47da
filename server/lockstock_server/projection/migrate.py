"""Bringing the schema up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import text

from lockstock_server.projection.database import for_writing, is_sqlite
from lockstock_server.projection.errors import ProjectionError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

VERSION_TABLE: Final = "projection_schema"
"""Where the version of the schema stands; a name of our own, for the database may have other tenants."""

CONNECTION: Final = "connection"
"""In `Config.attributes`: the connection whose transaction the migrations run in."""

# Any number, the same for all who migrate: one at a time.
_ADVISORY_LOCK: Final = 0x10C5_70C4


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes[CONNECTION] = connection
    return config


def migrate(engine: Engine) -> None:
    """Brings the schema to the newest version, in one transaction, one process at a time.

    Raises ProjectionError when the database has a version that this program does not know.
    """
    with for_writing(engine).begin() as connection:
        if not is_sqlite(connection):
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        try:
            command.upgrade(alembic_config(connection), "head")
        except CommandError as error:
            raise ProjectionError(
                "The database has tables of a newer Lockstock than this one: run that version, or drop them"
                f" with `lockstock rebuild` and let them be built again ({error})."
            ) from error
