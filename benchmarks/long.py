"""What takes long and is run once: the tail, recovery, memory, growth, the projection, buyers beside long work."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import beside
import cases
import tail
from curves import FILL, HOT, Say, Scratch, fill
from harness.facts import Part, fact
from harness.figures import Bound
from harness.load import (
    LOAD_CPU,
    BenchmarkError,
    Duration,
    Shape,
    Target,
    load,
    load_first,
)
from peers.lockstock import Server, info
from peers.postgresql import cpu_seconds, started, url

MILLION = 1_000_000
NO_SNAPSHOTS = {"LOCKSTOCK_SNAPSHOT_EVERY_BYTES": "1TiB"}
# Whoever writes snapshots replays every sealed segment onto a copy of its own: no segment is sealed either.
NO_COPY = {**NO_SNAPSHOTS, "LOCKSTOCK_SEGMENT_BYTES": "2GiB"}
BATCHES = Shape("batch", batch=4_000, in_flight=2, work=cases.BOTH)
SHORT = Duration(seconds=10.0, warm_up_seconds=2.0)
TURNS = 7
TURN = Duration(seconds=4.0, warm_up_seconds=1.0)
CATCH_UP_SECONDS_MAX = 3_600.0
# Longer than whoever writes snapshots takes for a segment and a snapshot.
SNAPSHOT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.5


def run(scratch: Scratch, say: Say, only: list[str]) -> list[Part]:
    """Every part, or those that are named."""
    parts: dict[str, Callable[[Scratch], Part]] = {
        "tail": tail.run,
        "recovery": _recovery,
        "memory": _memory,
        "growth": _growth,
        "projection": _projection,
        "beside": beside.run,
    }
    if unknown := set(only) - set(parts):
        raise BenchmarkError(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}.")
    done = []
    for name, part in parts.items():
        if not only or name in only:
            say(f"long: {name}")
            began = time.monotonic()
            done.append({"key": name, **part(scratch), "minutes": (time.monotonic() - began) / 60})
    return done


def _recovery(scratch: Scratch) -> Part:
    line, facts = [], []
    peer = replace(cases.OURS, settings={**NO_SNAPSHOTS, "LOCKSTOCK_LOG_LEVEL": "info"})
    for events in (MILLION, 3 * MILLION, 10 * MILLION):
        with scratch() as directory, peer.served(directory, 1) as (server, target):
            load(target, BATCHES, commands=events // 2)
            seconds, recovered = _crash(server)
        line.append((events, seconds))
        replayed = recovered["replayed"] / recovered["seconds"]
        facts.append(fact(f"{events:,} events, no snapshot: serving again after", seconds, "s"))
        facts.append(fact("its replay", replayed, "events a second", Bound(3 * MILLION)))
    peer = replace(peer, settings={"LOCKSTOCK_LOG_LEVEL": "info"})
    with scratch() as directory, peer.served(directory, 1) as (server, target):
        load(target, BATCHES, commands=9 * MILLION // 2)
        fill(target, MILLION)
        _snapshotter_rests(server)
        seconds, recovered = _crash(server)
    name = (
        f"10,000,000 events, a million open, snapshots at their default ({recovered['replayed']:,} replayed)"
    )
    facts.append(fact(name, seconds, "s", Bound(5, at_most=True)))
    return {
        "title": "Recovery after kill -9",
        "words": "From the start of the process to serving on both doors, on both cores, for nobody else works then."
        " Where snapshots are written it is killed when none is under way, as on most days: while the core is saturated"
        " they fall behind.",
        "facts": facts,
        "x": "events",
        "y": "seconds",
        "lines": {"no snapshot": line},
    }


def _snapshotter_rests(server: Server) -> None:
    """Waits until no snapshot has been written for a while."""
    newest, since = info(server).snapshot_sequence, time.monotonic()
    while time.monotonic() < since + SNAPSHOT_SECONDS_MAX:
        time.sleep(POLL_SECONDS)
        if (now := info(server).snapshot_sequence) != newest:
            newest, since = now, time.monotonic()


def _crash(server: Server) -> tuple[float, dict[str, Any]]:
    server.kill()
    seconds = server.start()
    records = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return seconds, next(one for one in reversed(records) if one["event"] == "recovered")


def _memory(scratch: Scratch) -> Part:
    line = []
    peer = replace(cases.OURS, settings=NO_COPY)
    with scratch() as directory, peer.running(directory, 1) as target:
        empty = resident = _resident(target.pid)
        line.append((0, empty / (1 << 20)))
        for millions in range(1, 6):
            resident = load(target, FILL, commands=MILLION)[0]["resident_bytes"][1]
            line.append((millions * MILLION, resident / (1 << 20)))
    each = (resident - empty) / (5 * MILLION)
    return {
        "title": "Memory against open reservations",
        "words": "Resident memory of the whole server, request ids of the last 96 hours included, without snapshots:"
        " the snapshotter keeps a copy of its own, which comes on top.",
        "facts": [
            fact("empty", empty / (1 << 20), "MiB"),
            fact("an open reservation of one line", each, "bytes", Bound(200, at_most=True)),
            fact("5,000,000 open, all told", resident / (1 << 30), "GiB", Bound(1.5, at_most=True)),
        ],
        "x": "open reservations",
        "y": "MiB",
        "lines": {"ours": line},
    }


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024
    raise BenchmarkError("The server has ended.")


def _growth(scratch: Scratch) -> Part:
    small, large = [], []
    few, many = replace(cases.OURS, settings=NO_COPY), replace(cases.OURS, warehouses=50, settings=NO_COPY)
    with scratch() as directory, many.running(directory, MILLION) as filled:
        rows = _resident(filled.pid)
        load(filled, replace(FILL, skus=MILLION), commands=5 * MILLION)
        # In turn, for some minutes are faster than others; a new small one each time, or it would grow.
        for _ in range(TURNS):
            with scratch() as elsewhere, few.running(elsewhere, 1) as target:
                small.append(load(target, HOT, TURN)[0]["server_cpu_us"])
            large.append(load(filled, replace(HOT, skus=MILLION), TURN)[0]["server_cpu_us"])
        resident = _resident(filled.pid)
    return {
        "title": "Growth",
        "words": "A unary lock, 50 in flight: one SKU in one warehouse; then a million SKUs in 50 warehouses"
        " (50 million rows, units only in the last warehouse of the plan) beside 5 million open reservations."
        f" Medians of {TURNS} turns each, one after the other.",
        "facts": [
            fact("small, server CPU a lock", median(small), "us"),
            fact("large, server CPU a lock", median(large), "us"),
            fact("large over small", median(large) / median(small), "times", Bound(1.3, at_most=True)),
            fact("memory with the rows", rows / (1 << 30), "GiB"),
            fact("memory with rows and reservations", resident / (1 << 30), "GiB"),
        ],
    }


def _projection(scratch: Scratch) -> Part:
    with scratch() as directory, started(directory / "postgresql", LOAD_CPU) as database:
        peer = replace(cases.OURS, projection=url(database))
        with peer.served(directory, 1) as (server, target):
            before = _caught_up_rate(server, target)
            fill(target, 10 * MILLION)
            began, first = time.monotonic(), info(server)
            during = load_first(target, HOT, SHORT)[0]["rate"]
            alone, second, spent = time.monotonic(), info(server), cpu_seconds(database)
            last = _catch_up(server)
            ended, spent = time.monotonic(), cpu_seconds(database) - spent
    operations, seconds = last - second.projection.sequence, ended - alone
    return {
        "title": "The projection into PostgreSQL",
        "words": "PostgreSQL on the load's core. A burst of ten million locks; while it is caught up, the door is"
        " loaded again as before it, and then left alone.",
        "facts": [
            fact("behind after the burst", first.sequence - first.projection.sequence, "records"),
            fact("sustained", operations / seconds, "operations a second", Bound(50_000)),
            fact("PostgreSQL's part of it, an operation", spent / operations * 1e6, "us of its core"),
            fact("its core, busy", spent / seconds * 100, "%"),
            fact("caught up after", ended - began, "s"),
            fact("the door before the burst", before, "locks a second"),
            fact("the door while it catches up, of that", during / before, "", Bound(0.9)),
        ],
    }


def _caught_up_rate(server: Server, target: Target) -> float:
    rate = load_first(target, HOT, SHORT)[0]["rate"]
    _catch_up(server)
    return float(rate)


def _catch_up(server: Server) -> int:
    gives_up = time.monotonic() + CATCH_UP_SECONDS_MAX
    while time.monotonic() < gives_up:
        stands = info(server)
        if stands.projection.sequence >= stands.durable_sequence:
            return int(stands.projection.sequence)
        time.sleep(POLL_SECONDS)
    raise BenchmarkError("The projection did not catch up within an hour.")
