"""Power is cut: what no sync has made durable may be gone, torn or out of order, and nothing acknowledged is lost.

After each death the disk is made what it may be then (`support/lost_power.py`): journal, snapshots, names and the
SQLite database. The database may lag behind, as an exact prefix; it is never ahead of the journal.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable

import pytest
from lockstock_server import _core
from support.kill_points import ON_SQLITE, SELLING, Point
from support.lost_power import TakenBack, cut_power
from support.victim import Victim
from support.world import Plan, Rule

SEED = int(os.environ.get("LOCKSTOCK_SEED", "1"))
CRASHES = int(os.environ.get("LOCKSTOCK_CRASHES", "200"))
POINTS = {point.name: point for point in SELLING + ON_SQLITE}
# One after the other on one disk, and how much is lost of what was not synced: between them everything that a power cut
# can find half done.
A_FEW = {
    "amid-the-write": 0.5,
    "snapshot-after-its-name": 1.0,
    "projection-before-its-checkpoint-is-synced": 0.5,
}

NewVictim = Callable[..., Victim]


def dies(victim: Victim, point: Point, draw: random.Random, share: float | None = None) -> TakenBack:
    """Killed at the point, then without power."""
    victim.load()
    victim.world.change(Plan(rules=point.rules, track=victim.roots))
    assert victim.died() == -signal.SIGKILL
    return cut_power(victim.world, victim.roots, draw, share)


def comes_back(victim: Victim) -> None:
    victim.check_dead()
    victim.begin(Plan(track=victim.roots))
    victim.check()
    victim.catch_up()


def test_what_was_acknowledged_survives_lost_power(new_victim: NewVictim) -> None:
    draw = random.Random(SEED)
    victim = new_victim(SEED)
    victim.begin_selling(Plan(track=victim.roots))
    taken = [0, 0]
    for name, share in A_FEW.items():
        cut = dies(victim, POINTS[name], draw, share)
        taken = [taken[0] + cut.sectors, taken[1] + cut.names]
        comes_back(victim)
    # Else the cuts took nothing, and this has shown nothing.
    assert all(taken), taken
    victim.end()


def test_a_journal_that_does_not_wait_for_its_syncs_is_seen_to_lose_what_it_acknowledged(
    new_victim: NewVictim,
) -> None:
    """The instrument itself: where answers leave before the sync, it does take what was acknowledged."""
    victim = new_victim(SEED, settings={"LOCKSTOCK_DURABILITY": "async"})
    victim.begin_selling(Plan(track=victim.roots))
    victim.load()
    victim.crowd.wait_for(100)
    victim.kill()
    victim.died()
    before = json.loads(_core.Offline.open(str(victim.data_dir)).summary())["sequence"]
    cut_power(victim.world, victim.roots, random.Random(SEED), share=1.0)
    after = json.loads(_core.Offline.open(str(victim.data_dir)).summary())["sequence"]
    assert after < before


@pytest.mark.long
@pytest.mark.timeout(36_000)
def test_power_is_lost_hundreds_of_times_and_nothing_acknowledged_is(new_victim: NewVictim) -> None:
    draw = random.Random(SEED)
    rerun = f"LOCKSTOCK_SEED={SEED} LOCKSTOCK_CRASHES={CRASHES} pytest -m long tests/crash/test_lost_power.py"
    victim = new_victim(SEED, rerun)
    victim.begin_selling(Plan(track=victim.roots))
    for number in range(CRASHES):
        if draw.random() < 0.5:
            dies(victim, draw.choice(list(POINTS.values())), draw)
        else:
            victim.load()
            at = Rule(
                "anywhere", "kill-before", draw.choice(["write", "sync", "send"]), "*", draw.randint(1, 300)
            )
            victim.world.change(Plan(rules=[at], track=victim.roots))
            victim.died()
            cut_power(victim.world, victim.roots, draw)
        victim.rerun = f"crash {number + 1} of: {rerun}"
        comes_back(victim)
    victim.end()
