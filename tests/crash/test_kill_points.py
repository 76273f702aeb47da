"""`kill -9` at every named point, under load on both ports: nothing acknowledged is lost, nothing is oversold.

The points are the rows of `support/kill_points.py`. One server a kind of database dies at all of them in turn, so each
recovery also meets what the deaths before it left.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet
from support.crowd import Fates
from support.kill_points import ON_POSTGRESQL, ON_SQLITE, RECOVERING, SELLING, Point
from support.postgresql import PostgreSQL
from support.victim import Victim
from support.waiting import wait_until

RERUN = "pytest tests/crash/test_kill_points.py"
TRIES = 3


def rows(points: list[Point]) -> list[ParameterSet]:
    return [
        pytest.param(point, id=point.name, marks=[pytest.mark.long] if point.is_long else [])
        for point in points
    ]


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("sqlite"), library, seed=1, rerun=RERUN)
    victim.begin_selling()
    yield victim
    victim.put_away()


@pytest.fixture(scope="module")
def on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, library: Path, postgresql: PostgreSQL
) -> Iterator[Victim]:
    settings = {"LOCKSTOCK_DATABASE_URL": postgresql.new_database()}
    victim = Victim(tmp_path_factory.mktemp("postgresql"), library, seed=2, rerun=RERUN, settings=settings)
    victim.begin_selling()
    yield victim
    victim.put_away()


def comes_back(victim: Victim, point: Point) -> Fates:
    """It died where it should, and everything is as it was promised."""
    assert victim.world.came_about()[-1] == point.name
    victim.check_dead()
    victim.begin()
    fates = victim.check()
    victim.catch_up()
    return fates


def load(victim: Victim) -> None:
    if not victim.alive:
        # The test before this one broke off.
        victim.begin()
    victim.load()


def dies_selling(victim: Victim, point: Point) -> None:
    # A batch may hold the engine's own records only, and then nobody's request was in flight in it: once more.
    for _ in range(TRIES):
        load(victim)
        victim.world.change(point.plan)
        assert victim.died() == -signal.SIGKILL
        if point.fate.is_seen(comes_back(victim, point)):
            return
    raise AssertionError(f"{point.fate.value}: not so in {TRIES} deaths; {victim.rerun}")


@pytest.mark.parametrize("point", rows(SELLING + ON_SQLITE))
def test_killed_there_while_selling_it_loses_nothing(sqlite: Victim, point: Point) -> None:
    dies_selling(sqlite, point)


@pytest.mark.parametrize("point", rows(ON_POSTGRESQL))
def test_killed_there_while_it_projects_into_postgresql_it_loses_nothing(
    on_postgresql: Victim, point: Point
) -> None:
    dies_selling(on_postgresql, point)


@pytest.mark.parametrize("point", rows(RECOVERING))
def test_killed_there_while_it_recovers_it_loses_nothing(sqlite: Victim, point: Point) -> None:
    load(sqlite)
    sqlite.crowd.wait_for(50)
    wait_until(lambda: sqlite.info().snapshot_sequence > 0, "there is a snapshot to recover from")
    sqlite.kill()
    sqlite.died()
    assert sqlite.dies_at_start(point.plan) == -signal.SIGKILL
    comes_back(sqlite, point)


def test_after_all_these_deaths_everything_agrees_to_the_last_row(sqlite: Victim) -> None:
    sqlite.end()
    sqlite.begin()
    sqlite.check()
