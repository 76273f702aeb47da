"""What happens to PostgreSQL is no affair of the sale: the projection is an exact prefix afterwards, no row twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from support.postgresql import PostgreSQL
from support.proxy import Mood, Proxy
from support.victim import Victim
from support.waiting import wait_until

SALES = 150
CANCELLED = 25
PROXY_USER = "postgres"


@pytest.fixture(scope="module")
def proxy(postgresql: PostgreSQL) -> Iterator[Proxy]:
    proxy = Proxy(postgresql.socket)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def selling(
    tmp_path_factory: pytest.TempPathFactory, library: Path, postgresql: PostgreSQL, proxy: Proxy
) -> Iterator[Victim]:
    database = make_url(postgresql.new_database()).database
    url = f"postgresql+psycopg://{PROXY_USER}@127.0.0.1:{proxy.port}/{database}"
    settings = {"LOCKSTOCK_DATABASE_URL": url}
    rerun = "pytest tests/crash/test_database_faults.py"
    victim = Victim(tmp_path_factory.mktemp("selling"), library, seed=3, rerun=rerun, settings=settings)
    victim.begin_selling()
    yield victim
    try:
        victim.end()
    finally:
        victim.put_away()


@pytest.fixture
def under_load(selling: Victim, proxy: Proxy) -> Iterator[Victim]:
    """A server that sells before, during and after; then all is compared, row by row."""
    selling.load()
    selling.crowd.wait_for(SALES)
    yield selling
    proxy.become(Mood.FORWARD)
    selling.crowd.wait_for(SALES)
    selling.crowd.end()
    selling.check()
    selling.check_running()


def away(victim: Victim) -> None:
    wait_until(lambda: not victim.info().projection.connected, "the projector notices")


def test_restarted(under_load: Victim, postgresql: PostgreSQL) -> None:
    postgresql.stop()
    try:
        away(under_load)
        under_load.crowd.wait_for(SALES)
    finally:
        postgresql.start()
    under_load.catch_up_under_load()


def test_cut_off(under_load: Victim, proxy: Proxy) -> None:
    proxy.become(Mood.CUT)
    away(under_load)
    under_load.crowd.wait_for(SALES)
    proxy.become(Mood.FORWARD)
    under_load.catch_up_under_load()


def test_silent_and_then_cut_off(under_load: Victim, proxy: Proxy) -> None:
    proxy.become(Mood.SILENT)
    under_load.crowd.wait_for(SALES)
    proxy.become(Mood.CUT)
    away(under_load)
    proxy.become(Mood.FORWARD)
    under_load.catch_up_under_load()


def test_slowed(under_load: Victim, proxy: Proxy) -> None:
    proxy.become(Mood.SLOW)
    before = under_load.info().projection.sequence
    under_load.crowd.wait_for(SALES)
    wait_until(lambda: under_load.info().projection.sequence > before, "it goes on, slowly")


@pytest.mark.parametrize(
    "function", ["pg_cancel_backend", pytest.param("pg_terminate_backend", marks=pytest.mark.long)]
)
def test_cancelled_in_mid_transaction(under_load: Victim, postgresql: PostgreSQL, function: str) -> None:
    database = make_url(under_load.database_url).database
    assert database is not None
    draw = random.Random(4)
    # Of those who are in the middle of something; and at random moments of it.
    statement = text(
        f"SELECT {function}(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND (state <> 'idle' OR :idle)"
    )
    pause = threading.Event()
    engine = create_engine(postgresql.url(database), isolation_level="AUTOCOMMIT")
    hit = 0
    try:
        with engine.connect() as connection:

            def hit_enough() -> bool:
                nonlocal hit
                hit += len(connection.execute(statement, {"idle": draw.random() < 0.1}).all())
                pause.wait(draw.random() / 50)
                return hit >= CANCELLED

            wait_until(hit_enough, f"{CANCELLED} hit")
    finally:
        engine.dispose()
    under_load.crowd.wait_for(SALES)
