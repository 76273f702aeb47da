"""What a batch does to the database, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from lockstock_server.projection import database, rebuild, schema
from lockstock_server.projection.database import Position, open_database, read_position
from lockstock_server.projection.difference import compare_database
from lockstock_server.projection.errors import DatabaseAwayError, ProjectionError, StalePositionError
from lockstock_server.projection.migrate import VERSION_TABLE, migrate
from lockstock_server.projection.writer import Writer
from projection_journal import LIVE, Journal
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.engine import make_url
from support.proxy import Mood, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgresql import PostgreSQL


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    migrate(engine)
    yield engine
    engine.dispose()


def write_some(journal: Journal, writer: Writer, most: int) -> int:
    after = writer.position().sequence
    batch = journal.projection_batch(after, most, writer.format)
    assert batch is not None
    writer.write(batch, applied_at=after + 1)
    return batch.last


def exact(engine: Engine, journal: Journal, sequence: int) -> None:
    found = compare_database(engine, journal.replay)
    assert (found.sequence, found.differences) == (sequence, [])
    assert sum(found.rows.values()) > 0 or sequence == 0


def test_migrations_make_the_tables_of_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, schema.metadata) == []


def test_rows_that_change_have_room_beside_them(postgresql: PostgreSQL) -> None:
    engine = open_database(postgresql.new_database())
    migrate(engine)
    roomy = text("SELECT relname FROM pg_class WHERE 'fillfactor=50' = ANY (reloptions)")
    try:
        with engine.connect() as connection:
            assert set(connection.scalars(roomy)) == {
                table.name
                for table in schema.PROJECTED.values()
                if table.dialect_options["postgresql"]["with"]
            }
    finally:
        engine.dispose()


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)


def test_names_are_ordered_by_their_bytes(engine: Engine) -> None:
    names = ["a", "B", "\u00e4", "Z", "b", "aa", "_"]
    with engine.begin() as connection:
        connection.execute(insert(schema.warehouses), [{"warehouse": name, "state": ""} for name in names])
        ordered = select(schema.warehouses.c.warehouse).order_by(schema.warehouses.c.warehouse)
        assert list(connection.scalars(ordered)) == sorted(names)


@pytest.mark.parametrize("seed", range(8))
def test_batches_of_any_size_give_what_the_journal_says(engine: Engine, seed: int) -> None:
    sizes = random.Random(seed)
    journal = Journal(random.Random(seed))
    journal.append(120)
    writer = Writer(engine, journal.journal_id)
    while (sequence := write_some(journal, writer, sizes.choice([1, 2, 7, 40]))) < 120:
        exact(engine, journal, sequence)
    exact(engine, journal, 120)


def test_a_database_says_where_it_stands(url: str) -> None:
    assert read_position(url) is None
    engine = open_database(url)
    migrate(engine)
    assert read_position(url) is None
    journal = Journal(random.Random(1))
    journal.append(5)
    writer = Writer(engine, journal.journal_id)
    assert writer.position() == Position(journal.journal_id, 0, 0)
    write_some(journal, writer, 3)
    assert read_position(url) == Position(journal.journal_id, 3, 1)
    engine.dispose()


def test_a_batch_that_fails_in_the_middle_leaves_nothing_of_itself(engine: Engine) -> None:
    journal = Journal(random.Random(2))
    journal.append(80)
    writer = Writer(engine, journal.journal_id)
    write_some(journal, writer, 40)
    following = journal.projection_batch(40, 40, "json")
    assert following is not None
    touched = {name for name, _puts, _rows, _bytes in following.tables}
    live = max(table.name for table in LIVE if table.name in touched)
    for name in ("movements", "operations", live):
        journal.spoil = (name, b'[["not","a","row' if writer.format == "json" else b"not\ta\trow\n")
        with pytest.raises(DatabaseAwayError):
            write_some(journal, writer, 40)
        exact(engine, journal, 40)
    journal.spoil = None
    write_some(journal, writer, 40)
    exact(engine, journal, 80)


def test_of_two_writers_of_the_same_events_the_second_is_told_to_look_again(engine: Engine) -> None:
    journal = Journal(random.Random(3))
    journal.append(20)
    first, second = (Writer(engine, journal.journal_id) for _ in range(2))
    first.position()
    batch = journal.projection_batch(0, 10, first.format)
    assert batch is not None
    first.write(batch, 1)
    with pytest.raises(StalePositionError, match="stands at 10"):
        second.write(batch, 1)
    exact(engine, journal, 10)
    write_some(journal, second, 10)
    with pytest.raises(StalePositionError, match="stands at 20"):
        first.write(batch, 1)
    exact(engine, journal, 20)


class Silencing(list[tuple[str, str, int, bytes]]):
    """The sheets of a batch; when they are asked for, which is amid the transaction, PostgreSQL falls silent."""

    proxy: Proxy

    def __iter__(self) -> Iterator[tuple[str, str, int, bytes]]:
        self.proxy.become(Mood.SILENT)
        return super().__iter__()


def test_a_postgresql_that_keeps_its_connection_and_says_nothing_is_away(postgresql: PostgreSQL) -> None:
    proxy = Proxy(postgresql.socket)
    name = make_url(postgresql.new_database()).database
    url = f"postgresql+psycopg://postgres@127.0.0.1:{proxy.port}/{name}"
    engine = open_database(url, silence_seconds=0.2)
    try:
        migrate(engine)
        journal = Journal(random.Random(7))
        journal.append(40)
        writer = Writer(engine, journal.journal_id)
        write_some(journal, writer, 20)
        batch = journal.projection_batch(20, 20, writer.format)
        assert batch is not None
        batch.tables = Silencing(batch.tables)
        batch.tables.proxy = proxy
        with pytest.raises(DatabaseAwayError, match="said nothing"):
            writer.write(batch, 1)
        proxy.become(Mood.CUT)
        proxy.become(Mood.FORWARD)
        engine.dispose()
        write_some(journal, writer, 20)
        exact(engine, journal, 40)
    finally:
        engine.dispose()
        proxy.close()


def test_the_database_of_another_journal_is_refused(engine: Engine) -> None:
    journal = Journal(random.Random(4))
    journal.append(4)
    write_some(journal, Writer(engine, journal.journal_id), 4)
    stranger = Writer(engine, "0190a000-0000-4000-8000-00000000ffff")
    with pytest.raises(ProjectionError, match="belongs to journal 0190a000"):
        stranger.position()
    journal.append(4)
    batch = journal.projection_batch(4, 4, stranger.format)
    assert batch is not None
    with pytest.raises(ProjectionError, match="belongs to journal 0190a000"):
        stranger.write(batch, 1)
    exact(engine, journal, 4)


def test_tables_of_a_newer_version_are_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(ProjectionError, match="newer Lockstock"):
        migrate(engine)


def test_dropping_leaves_other_tenants_alone(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE somebody_elses (x INTEGER)"))
    rebuild.drop(url)
    rebuild.drop(url)
    assert read_position(url) is None
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM somebody_elses")).scalar_one() == 0
        with pytest.raises(Exception, match=VERSION_TABLE):
            connection.execute(text(f"SELECT * FROM {VERSION_TABLE}"))


def test_a_comparison_finds_what_is_wrong_missing_and_too_much(engine: Engine) -> None:
    journal = Journal(random.Random(5))
    journal.append(100)
    writer = Writer(engine, journal.journal_id)
    write_some(journal, writer, 100)
    movements, operations = schema.movements, schema.operations
    with database.for_writing(engine).begin() as connection:
        connection.execute(update(operations).where(operations.c.sequence == 7).values(at=-1))
        connection.execute(operations.delete().where(operations.c.sequence == 8))
        connection.execute(insert(movements).values(sequence=999, ordinal=0, kind="LOCK"))
    found = compare_database(engine, journal.replay)
    assert len(found.differences) == 3
    wrong, missing, more = found.differences
    assert wrong.startswith("operations (sequence 7): at is -1 in the database, ")
    assert missing == "operations (sequence 8): is missing in the database"
    assert more.startswith("movements (sequence 999, ordinal 0): stands in the database, and the journal")


def test_a_comparison_finds_a_database_of_another_journal(engine: Engine) -> None:
    journal = Journal(random.Random(6))
    journal.append(10)
    write_some(journal, Writer(engine, journal.journal_id), 10)
    journal.journal_id = "0190a000-0000-4000-8000-00000000eeee"
    (difference,) = compare_database(engine, journal.replay).differences
    assert difference.startswith("the database belongs to journal 0190a000-0000-4000-8000-000000000001, not")
