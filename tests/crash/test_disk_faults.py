"""A disk that fails and a disk that is full: the server says why, nothing acknowledged is lost, it comes back."""

from __future__ import annotations

import errno
from collections.abc import Callable

import grpc
import lockstock
import pytest
from lockstock.retry import Retries
from lockstock_server.errors import ExitCode
from support.crowd import CALL_SECONDS_MAX, lock_command, settle_command
from support.kill_points import NEXT_SEGMENT, NEXT_SNAPSHOT, SEGMENT, SQLITE_LOG
from support.victim import Victim
from support.waiting import wait_until
from support.world import Plan, Rule

NewVictim = Callable[..., Victim]
EIO, ENOSPC = f"fail={errno.EIO}", f"fail={errno.ENOSPC}"
FULL = [
    Rule("no-room-for-a-segment", ENOSPC, "allocate", "*/journal/*", onwards=True),
    Rule("no-room-in-a-file", ENOSPC, "grow", "*/victim-*", onwards=True),
]


@pytest.mark.parametrize(
    ("call", "action", "pattern", "doing"),
    [
        ("sync", EIO, SEGMENT, "sync"),
        ("write", EIO, SEGMENT, "write"),
        pytest.param("allocate", ENOSPC, NEXT_SEGMENT, "allocate", marks=pytest.mark.long),
        pytest.param("syncdir", EIO, "*/journal", "sync", marks=pytest.mark.long),
        pytest.param("rename", EIO, SEGMENT, "rename", marks=pytest.mark.long),
    ],
)
def test_a_journal_that_cannot_be_written_ends_the_process_which_says_why_and_recovers(
    new_victim: NewVictim, call: str, action: str, pattern: str, doing: str
) -> None:
    victim = new_victim()
    victim.begin_selling()
    victim.load()
    victim.crowd.wait_for(50)
    victim.world.change(Plan(rules=[Rule("broken", action, call, pattern, onwards=True)]))
    assert victim.died() == ExitCode.ENGINE_FAILED
    assert "broken" in victim.world.came_about()
    said = [line for line in victim.log_text().splitlines() if '"engine_failed"' in line]
    assert said, victim.log_text()
    assert f"cannot {doing}" in said[-1]
    assert "segment-" in said[-1] or "journal" in said[-1]
    victim.check_dead()
    victim.begin()
    victim.check()
    victim.end()


def test_snapshots_and_a_database_that_cannot_be_written_stop_no_sale(new_victim: NewVictim) -> None:
    victim = new_victim()
    broken = [
        Rule("snapshot", EIO, "write", NEXT_SNAPSHOT),
        Rule("database", EIO, "write", SQLITE_LOG, nth=20, onwards=True),
    ]
    victim.begin_selling()
    victim.load()
    victim.world.change(Plan(rules=broken))
    wait_until(lambda: {"snapshot", "database"} <= set(victim.world.came_about()), "both failed")
    wait_until(lambda: not victim.info().projection.connected, "the projector notices")
    victim.crowd.wait_for(100)
    victim.world.change(Plan())
    wait_until(lambda: victim.info().snapshot_sequence > 0, "a later snapshot is written")
    victim.crowd.end()
    victim.check()
    victim.end()


def test_on_a_full_disk_promises_are_refused_and_kept_and_made_again_when_there_is_room(
    new_victim: NewVictim,
) -> None:
    victim = new_victim(settings={"LOCKSTOCK_SEGMENT_BYTES": "8MiB"})
    victim.begin_selling()
    never_again = Retries(attempts=1)
    with (
        lockstock.connect(victim.address, never_again) as shop,
        lockstock.connect(victim.fast_lane, never_again) as lane,
    ):
        held = [lock_command(f"held-{number}") for number in range(40)]
        for command in held:
            lane.stock.Lock(command.lock)
        victim.world.change(Plan(rules=FULL, free_bytes=0))

        def refused(client: lockstock.Client, name: str) -> lockstock.LockstockError | None:
            try:
                client.stock.Lock(lock_command(name).lock, timeout=CALL_SECONDS_MAX)
            except lockstock.LockstockError as error:
                return error
            return None

        tried = iter(range(1_000_000))
        wait_until(lambda: refused(lane, f"early-{next(tried)}") is not None, "the disk is seen to be full")
        for client in (shop, lane):
            error = refused(client, "late")
            assert error is not None
            assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_LOW")
            assert error.retry_after
        # What is promised is kept: paid on one door, given back on the other.
        for number, command in enumerate(held):
            settled = settle_command(command, paid=bool(number % 2))
            if number % 2:
                shop.stock.Deduct(settled.deduct)
            else:
                lane.stock.Unlock(settled.unlock)
        wait_until(lambda: "no-room-in-a-file" in victim.world.came_about(), "the database has no room")
        assert victim.alive
        victim.world.change(Plan())
        wait_until(lambda: refused(lane, "again") is None, "there is room again")
    victim.end()
