"""The tail: how late the latest answers are, over minutes, beside snapshots and the projection."""

from __future__ import annotations

import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cases
from curves import HOT, Scratch
from harness import machine
from harness.facts import Part, fact
from harness.figures import Bound
from harness.load import LOAD_CPU, BenchmarkError, Duration, Shape, load_first
from lockstock_server.flash_sale.server_process import free_port
from peers.lockstock import info
from peers.postgresql import started, url

MEMORY = Path("/dev/shm")  # noqa: S108 - memory is what is wanted; the directory in it is made safely
# Less would not hold the database of ten minutes at any rate that says something.
MEMORY_BYTES_MIN = 16 << 30
# Of a lock: rows, indexes and log some 800, the reservation and its request id 350 with the snapshotter's copy of them
# (where the system ended a server for want of memory); the rest is room.
MEMORY_BYTES_A_LOCK = 1_300
OPEN = 1_000_000
SPREAD = Shape("unary", connections=8, in_flight=100)
PEAK = Duration(seconds=10.0, warm_up_seconds=2.0)
SECONDS, BESIDE_SECONDS = 600.0, 60.0
# So few calls that none waits for another: what is late then, the machine has made late.
ALONE_RATE, ALONE = 2_000.0, Duration(seconds=120.0, warm_up_seconds=5.0)
# One of the server's bounds; a call that waits so long for its sync is late.
SLOW_SYNC_SECONDS = 0.005

Where = Callable[[], AbstractContextManager[Path]]


@contextmanager
def _in_memory() -> Iterator[Path]:
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        raise BenchmarkError(
            f"The tail needs {MEMORY_BYTES_MIN >> 30} GiB free in {MEMORY} for the database."
        )
    with tempfile.TemporaryDirectory(prefix="lockstock-", dir=MEMORY) as directory:
        # The database runs as a user of its own where we are root.
        Path(directory).chmod(0o755)
        yield Path(directory)


def run(scratch: Scratch) -> Part:
    """At half the peak rate, as far as memory holds so many.

    Ten minutes beside a database that has its own disk, one beside one on the journal's, two beside none.
    """
    with (
        _in_memory() as elsewhere,
        started(elsewhere / "postgresql", LOAD_CPU) as database,
        scratch() as directory,
        replace(cases.OURS, projection=url(database)).running(directory, 1) as target,
    ):
        peak, first = load_first(target, HOT, PEAK)
    half = peak["rate"] / 2
    rate = planned(half, machine.free_memory())
    # Of fewer calls than are meant less is late: they are shown, not judged.
    within, beyond_sync = (Bound(5, at_most=True), Bound(10, at_most=True)) if rate == half else (None, None)
    # As many open at a time as lapse in the time of a hold.
    hold = OPEN / rate
    turn = (
        ""
        if first
        else " (the system did not let the generator go first there: its own waits are in the figures)"
    )
    return {
        "title": "The tail at half the peak rate",
        "words": f"Open loop, a million open locks that lapse after {hold:.0f} s, snapshots at their default,"
        f" projecting into PostgreSQL on the load's core{turn}. Latency from the planned time. First"
        f" {SECONDS / 60:.0f} minutes with PostgreSQL's files in memory, as if its disk were another's; then a minute"
        " with them on the disk of the journal; then two minutes without a database, at a rate at which the server"
        " has next to nothing to do: what is late there, the machine has made late (and each call wakes processors"
        " that sleep).",
        "facts": [
            fact("half the peak", half, "locks a second"),
            fact("planned, for memory may hold no more", rate, "locks a second"),
            *_tail("", _in_memory, scratch, rate, hold, SECONDS, within, beyond_sync),
            *_tail("on one disk: ", scratch, scratch, rate, hold, BESIDE_SECONDS, None, None),
            *_alone(scratch),
        ],
    }


def planned(rate: float, free_bytes: int) -> float:
    """So many a second, or as many as ten minutes of them leave room for."""
    return min(rate, free_bytes / MEMORY_BYTES_A_LOCK / SECONDS)


def _alone(scratch: Scratch) -> list[list[str]]:
    with scratch() as directory, cases.OURS.running(directory, 1) as target:
        late = load_first(target, SPREAD, ALONE, rate=ALONE_RATE)[0]["latency_us"]
    named = {"p50": "p50", "p99": "p99", "p99.9": "p999", "latest": "max"}
    return [
        fact(f"alone at {ALONE_RATE:,.0f} a second: {name}", late[key] / 1e3, "ms")
        for name, key in named.items()
    ]


def _tail(
    prefix: str,
    where: Where,
    scratch: Scratch,
    rate: float,
    hold: float,
    seconds: float,
    within: Bound | None,
    beyond_sync: Bound | None,
) -> list[list[str]]:
    metrics = f"127.0.0.1:{free_port()}"
    settings = {"LOCKSTOCK_METRICS_ADDRESS": metrics, "LOCKSTOCK_HOLD_DEFAULT": f"{hold:.3f}"}
    with (
        where() as elsewhere,
        # In memory its log takes room that its rows need.
        started(elsewhere / "postgresql", LOAD_CPU, max_wal_size="1GB") as database,
        scratch() as directory,
        replace(cases.OURS, settings=settings, projection=url(database)).served(directory, 1) as (
            server,
            target,
        ),
    ):
        before, stalled = machine.ticks(), machine.stalled_for_memory()
        outcome, _ = load_first(target, SPREAD, Duration(seconds, hold + 5.0), rate=rate)
        taken, stalled = machine.taken_by_the_host(before), machine.stalled_for_memory() - stalled
        syncs, stands = syncs_of(metrics), info(server)
    late, longest = outcome["latency_us"], slowest(syncs)
    slow, slow_seconds = longer(syncs, SLOW_SYNC_SECONDS)
    facts = [
        fact("rate", outcome["rate"], "locks a second"),
        fact("p50", late["p50"] / 1e3, "ms"),
        fact("p99", late["p99"] / 1e3, "ms"),
        fact("p99.9", late["p999"] / 1e3, "ms", within),
        fact("latest", late["max"] / 1e3, "ms"),
        fact("slowest sync (the bound of its bucket)", longest * 1e3, "ms"),
        fact(
            "latest beyond the slowest sync", max(0.0, late["max"] / 1e3 - longest * 1e3), "ms", beyond_sync
        ),
        fact(f"syncs of more than {SLOW_SYNC_SECONDS * 1e3:.0f} ms", slow, ""),
        fact("those syncs in all, at least", slow_seconds, "s"),
        fact(
            "calls that left late for want of a free place, p99.9",
            outcome["sent_late_us"]["p999"] / 1e3,
            "ms",
        ),
        fact("of both cores, taken by the host", taken * 100, "%"),
        fact("waited until memory was free, in all", stalled, "s"),
        fact("behind in the database at the end", stands.sequence - stands.projection.sequence, "records"),
        fact("newest snapshot at", stands.snapshot_sequence, "(its sequence)"),
    ]
    return [[prefix + name, *rest] for name, *rest in facts]


def syncs_of(address: str) -> list[tuple[float, float]]:
    """How many syncs took up to a bound, in seconds, by bound."""
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    buckets = []
    for line in lines:
        if line.startswith("lockstock_sync_seconds_bucket"):
            bound = line.partition('le="')[2].partition('"')[0]
            buckets.append((float(bound), float(line.rpartition(" ")[2])))
    return sorted(buckets)


def slowest(syncs: list[tuple[float, float]]) -> float:
    """The bound of the last bucket that has any, in seconds."""
    return min(bound for bound, count in syncs if count == syncs[-1][1])


def longer(syncs: list[tuple[float, float]], than: float) -> tuple[float, float]:
    """How many syncs took longer than a bucket's bound, and the seconds that they took together at least."""
    beyond = [(below, more - fewer) for (below, fewer), (_, more) in pairwise(syncs) if below >= than]
    return sum(count for _, count in beyond), sum(below * count for below, count in beyond)
