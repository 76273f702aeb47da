"""`kill -9` at random moments under load on both ports, as often as wanted; after each, everything is as promised.

`LOCKSTOCK_CRASHES` says how often in the long run, `LOCKSTOCK_SEED` which moments.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable

import lockstock
import pytest
from lockstock_server import _core
from support.crowd import lock_command, settle_command
from support.kill_points import ON_POSTGRESQL, ON_SQLITE, RECOVERING, SELLING
from support.postgresql import PostgreSQL
from support.victim import Victim

SEED = int(os.environ.get("LOCKSTOCK_SEED", "1"))
CRASHES = int(os.environ.get("LOCKSTOCK_CRASHES", "200"))
RERUN = f"LOCKSTOCK_SEED={SEED} LOCKSTOCK_CRASHES={CRASHES} pytest -m long tests/crash/test_random_kills.py"
NewVictim = Callable[..., Victim]


def die_at_random(victim: Victim, draw: random.Random, crashes: int) -> None:
    for number in range(crashes):
        victim.rerun = f"crash {number + 1} of {crashes}, {victim.crowd.seed=}: {RERUN}"
        victim.load()
        victim.crowd.wait_for(draw.randint(1, 600))
        recoverable = victim.info().snapshot_sequence > 0
        victim.kill()
        assert victim.died() == -signal.SIGKILL
        victim.check_dead()
        if recoverable and draw.random() < 0.2:
            # And again, while it recovers.
            victim.dies_at_start(draw.choice(RECOVERING).plan)
        victim.begin()
        victim.check()
    victim.end()


@pytest.mark.long
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_hundreds_of_times_it_loses_nothing(
    new_victim: NewVictim, postgresql: PostgreSQL, database: str
) -> None:
    url = {"LOCKSTOCK_DATABASE_URL": postgresql.new_database()} if database == "postgresql" else None
    victim = new_victim(SEED, RERUN, url)
    victim.begin_selling()
    die_at_random(victim, random.Random(f"{SEED} {database}"), CRASHES)


@pytest.mark.long
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_at_every_point_in_a_random_order_it_loses_nothing(
    new_victim: NewVictim, postgresql: PostgreSQL, database: str
) -> None:
    url = {"LOCKSTOCK_DATABASE_URL": postgresql.new_database()} if database == "postgresql" else None
    victim = new_victim(SEED, RERUN, url)
    victim.begin_selling()
    draw = random.Random(f"{SEED} {database} points")
    points = SELLING + (ON_POSTGRESQL if url else ON_SQLITE)
    for _ in range(CRASHES // 4):
        point = draw.choice(points)
        victim.load()
        victim.world.change(point.plan)
        assert victim.died() == -signal.SIGKILL
        assert victim.world.came_about()[-1] == point.name
        victim.check_dead()
        victim.begin()
        victim.check()
    victim.end()


def test_the_state_after_recovery_is_the_state_before_and_that_of_a_straight_replay(
    new_victim: NewVictim,
) -> None:
    victim = new_victim()
    victim.begin_selling()
    with lockstock.connect(victim.fast_lane) as lane:
        for number in range(50):
            lock = lock_command(f"r{number}")
            lane.stock.Lock(lock.lock)
            if number % 2:
                lane.stock.Deduct(settle_command(lock, paid=True).deduct)
    before = victim.info()
    victim.kill()
    victim.begin()
    after = victim.info()
    victim.kill()
    straight = json.loads(_core.Offline.open(str(victim.data_dir)).summary())
    assert (after.sequence, after.state_hash) == (before.sequence, before.state_hash)
    assert (straight["sequence"], straight["state_hash"]) == (before.sequence, before.state_hash)
