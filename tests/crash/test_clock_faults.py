"""A wall clock that steps, and a process that is stopped for a while: locks end when they should, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import lockstock
import pytest
from google.protobuf.duration_pb2 import Duration
from lockstock.retry import Retries
from lockstock.v1 import stock_pb2 as stock
from support.crowd import lock_command, settle_command
from support.victim import Victim
from support.waiting import wait_until
from support.world import Plan

HOUR = 3_600
SHORT_HOLD = 2


@pytest.fixture(scope="module")
def selling(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[Victim]:
    rerun = "pytest tests/crash/test_clock_faults.py"
    victim = Victim(tmp_path_factory.mktemp("selling"), library, seed=5, rerun=rerun)
    victim.begin_selling()
    yield victim
    try:
        victim.end()
    finally:
        victim.put_away()


def state(lane: lockstock.Client, reservation: str) -> str:
    found = lane.stock.GetReservation(stock.GetReservationRequest(reservation_id=reservation))
    return stock.ReservationState.Name(found.state)


class Locks:
    """One that stands for ten minutes, one that stands for two seconds."""

    def __init__(self, lane: lockstock.Client, name: str) -> None:
        self.long, self.short = f"{name}-long", f"{name}-short"
        self._long = lock_command(self.long)
        for command, seconds in ((self._long, HOUR // 6), (lock_command(self.short), SHORT_HOLD)):
            command.lock.hold.CopyFrom(Duration(seconds=seconds))
            lane.stock.Lock(command.lock)

    def end_when_they_should(self, lane: lockstock.Client) -> None:
        """The short one ends by itself; the long one stands and can be paid."""
        wait_until(lambda: state(lane, self.short) == "RESERVATION_STATE_EXPIRED", "the short lock ends")
        assert state(lane, self.long) == "RESERVATION_STATE_LOCKED"
        lane.stock.Deduct(settle_command(self._long, paid=True).deduct)


def clock_steps(victim: Victim) -> int:
    for line in victim.metrics().splitlines():
        if line.startswith("lockstock_clock_steps_total "):
            return round(float(line.split()[1]))
    raise AssertionError(victim.metrics())


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_step_of_the_clock_moves_no_deadline_and_is_counted(selling: Victim, seconds: int) -> None:
    selling.load()
    with lockstock.connect(selling.fast_lane) as lane:
        locks = Locks(lane, f"step{seconds}")
        before = clock_steps(selling)
        selling.world.change(Plan(clock_seconds=seconds))
        wait_until(lambda: clock_steps(selling) > before, "the step is counted")
        assert state(lane, locks.long) == "RESERVATION_STATE_LOCKED"
        selling.crowd.wait_for(100)
        locks.end_when_they_should(lane)
    selling.crowd.end()
    selling.check()


def test_a_restart_with_the_clock_an_hour_behind_lets_no_lock_live_on(selling: Victim) -> None:
    with lockstock.connect(selling.fast_lane) as lane:
        before = Locks(lane, "before")
    selling.kill()
    selling.begin(Plan(clock_seconds=-HOUR))
    with lockstock.connect(selling.fast_lane) as lane:
        before.end_when_they_should(lane)
        Locks(lane, "after").end_when_they_should(lane)
    selling.check()


def test_stopped_and_continued_it_answers_who_waited_and_ends_what_is_due(selling: Victim) -> None:
    selling.load()
    selling.crowd.wait_for(50)
    with lockstock.connect(selling.fast_lane, Retries(attempts=1)) as lane:
        locks = Locks(lane, "stopped")
        before = clock_steps(selling)
        request = lock_command("while-it-stood").lock
        with selling.stopped(), pytest.raises(lockstock.LockstockError) as late:
            lane.stock.Lock(request, timeout=SHORT_HOLD + 1)
        assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        first = lane.stock.Lock(request)
        assert lane.stock.Lock(request).sequence == first.sequence
        assert state(lane, locks.short) == "RESERVATION_STATE_EXPIRED"
        locks.end_when_they_should(lane)
        assert clock_steps(selling) == before
    selling.crowd.wait_for(50)
    selling.crowd.end()
    selling.check()
