"""Descriptors and memory run out: nothing acknowledged is lost; the process serves on, or ends and comes back."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import lockstock
import pytest
from lockstock.retry import Retries
from lockstock.v1 import stock_pb2 as stock
from lockstock_server.errors import ExitCode
from support.crowd import AT_ONCE, CALL_SECONDS_MAX, PLENTY, REFUSALS, Asked, Client, lock_command
from support.victim import Victim
from support.waiting import SOON, wait_until

NewVictim = Callable[..., Victim]
SPARE_DESCRIPTORS = 6
CROWDING = 40
BATCHES_MAX = 60


@contextlib.contextmanager
def limited(victim: Victim, what: int, to: int) -> Iterator[None]:
    soft, hard = resource.prlimit(victim.pid, what)
    resource.prlimit(victim.pid, what, (to, hard))
    try:
        yield
    finally:
        if victim.alive:
            resource.prlimit(victim.pid, what, (soft, hard))


def open_descriptors(victim: Victim) -> int:
    return len(list(Path(f"/proc/{victim.pid}/fd").iterdir()))


def dial(address: str) -> socket.socket:
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)), timeout=SOON)


def test_without_descriptors_it_serves_who_is_there_and_everybody_when_there_are_some_again(
    new_victim: NewVictim,
) -> None:
    # No segment is switched and no snapshot written meanwhile: what these do without descriptors is another test's.
    large = {"LOCKSTOCK_SEGMENT_BYTES": "64MiB", "LOCKSTOCK_SNAPSHOT_EVERY_BYTES": "64MiB"}
    victim = new_victim(settings=large)
    victim.begin_selling()
    victim.load()
    victim.crowd.wait_for(50)
    most = open_descriptors(victim) + SPARE_DESCRIPTORS
    with limited(victim, resource.RLIMIT_NOFILE, most), contextlib.ExitStack() as crowding:
        for number in range(CROWDING):
            door = victim.address if number % 2 else victim.fast_lane
            crowding.enter_context(dial(door))
        wait_until(lambda: open_descriptors(victim) >= most - 1, "the descriptors have run out")
        victim.crowd.wait_for(200)
    for door in (victim.address, victim.fast_lane):
        with lockstock.connect(door) as client:
            client.stock.Lock(lock_command(f"again-{door}").lock, timeout=CALL_SECONDS_MAX)
    victim.crowd.wait_for(50)
    victim.crowd.end()
    victim.check()
    victim.end()


@pytest.mark.long
def test_a_segment_that_finds_no_descriptor_ends_the_process_by_a_sentence(new_victim: NewVictim) -> None:
    victim = new_victim()
    victim.begin_selling()
    victim.load()
    victim.crowd.wait_for(50)
    with limited(victim, resource.RLIMIT_NOFILE, 3):
        assert victim.died() == ExitCode.ENGINE_FAILED
    assert "Too many open files" in victim.log_text()
    victim.check_dead()
    victim.begin()
    victim.check()
    victim.end()


def address_space(victim: Victim) -> int:
    pages = Path(f"/proc/{victim.pid}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def hoard(address: str, client: Client) -> None:
    """Large batches, one after the other, until the server is gone or has had enough."""
    with (
        contextlib.suppress(lockstock.LockstockError),
        lockstock.connect(address, Retries(attempts=1)) as lane,
    ):
        for number in range(BATCHES_MAX):
            part = [
                Asked(lock_command(f"{client.name}-{number}-{place}", PLENTY), PLENTY, 1)
                for place in range(AT_ONCE)
            ]
            client.log += part
            request = stock.ExecuteBatchRequest(commands=[asked.command for asked in part])
            results = lane.stock.ExecuteBatch(request, timeout=CALL_SECONDS_MAX).results
            for asked, result in zip(part, results, strict=True):
                if result.WhichOneof("result") == "answer":
                    asked.answer = result.answer
                    client.answers += 1
                    continue
                refusal = lockstock.LockstockError.from_status(result.status)
                asked.refused = refusal.reason if refusal.code in REFUSALS else ""


def test_without_memory_it_may_die_and_loses_nothing(new_victim: NewVictim) -> None:
    # The allocator takes a gigabyte of addresses at once by default; then no limit on addresses would be felt.
    small_steps = {"MIMALLOC_ARENA_RESERVE": "4MiB", "LOCKSTOCK_SEGMENT_BYTES": "8MiB"}
    victim = new_victim(settings=small_steps)
    victim.begin_selling()
    victim.load()
    victim.crowd.wait_for(50)
    hoarder = Client("hoarder", victim.crowd.seed)
    victim.crowd.clients.append(hoarder)
    with limited(victim, resource.RLIMIT_AS, address_space(victim)):
        hoard(victim.fast_lane, hoarder)
    assert len(hoarder.log) < BATCHES_MAX * AT_ONCE, "the memory has not run out"
    victim.kill()
    assert victim.died() in {-signal.SIGKILL, -signal.SIGABRT, ExitCode.ENGINE_FAILED, ExitCode.FAILED}
    victim.check_dead()
    victim.begin()
    victim.check()
    victim.end()
