"""What takes long and is run once: the tail, recovery, memory, growth, the projection into PostgreSQL."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cases
import lockstock
from curves import FILL, HOT, Say, Scratch, fill
from harness.figures import Bound, number
from harness.load import LOAD_CPU, SERVER_CPU, BenchmarkError, Duration, Shape, Target, load, on_cpu
from lockstock.v1 import admin_pb2 as admin
from lockstock_server.flash_sale.server_process import free_port
from peers.lockstock import Server
from peers.postgresql import started

MILLION = 1_000_000
NO_SNAPSHOTS = {"LOCKSTOCK_SNAPSHOT_EVERY_BYTES": "1TiB"}
# Whoever writes snapshots replays every sealed segment onto a copy of its own: no segment is sealed either.
NO_COPY = {**NO_SNAPSHOTS, "LOCKSTOCK_SEGMENT_BYTES": "2GiB"}
BATCHES = Shape("batch", batch=4_000, in_flight=2, work=cases.BOTH)
TAIL_SECONDS = 600.0
SHORT = Duration(seconds=10.0, warm_up_seconds=2.0)
CATCH_UP_SECONDS_MAX = 3_600.0
# Longer than whoever writes snapshots takes for a segment and a snapshot.
SNAPSHOT_SECONDS_MAX = 30.0
POLL_SECONDS = 0.5

Part = dict[str, Any]


def run(scratch: Scratch, say: Say, only: list[str]) -> list[Part]:
    """Every part, or those that are named."""
    parts: dict[str, Callable[[Scratch], Part]] = {
        "tail": _tail,
        "recovery": _recovery,
        "memory": _memory,
        "growth": _growth,
        "projection": _projection,
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


def _fact(name: str, value: float, unit: str, bound: Bound | None = None) -> list[str]:
    if bound is None:
        return [name, f"{number(value)} {unit}", "", ""]
    verdict = "reached" if bound.holds(value) else f"missed by {bound.missed_by(value):.0%}"
    return [name, f"{number(value)} {unit}", bound.words(f" {unit}"), verdict]


def _info(server: Server) -> admin.GetServerInfoResponse:
    with lockstock.connect(server.address) as shop:
        info: admin.GetServerInfoResponse = shop.admin.GetServerInfo(admin.GetServerInfoRequest())
    return info


def _tail(scratch: Scratch) -> Part:
    metrics = f"127.0.0.1:{free_port()}"
    settings = {"LOCKSTOCK_METRICS_ADDRESS": metrics}
    spread = Shape("unary", connections=8, in_flight=100)
    with scratch() as directory, started(directory / "postgresql", LOAD_CPU) as database:
        peer = replace(cases.OURS, settings=settings, projection=_url(database))
        (directory / "peak").mkdir()
        with peer.running(directory / "peak", 1) as target:
            peak = load(target, HOT, SHORT)[0]["rate"]
        rate = peak / 2
        # As many open at a time as lapse in the time of a hold.
        hold = MILLION / rate
        peer = replace(peer, settings={**settings, "LOCKSTOCK_HOLD_DEFAULT": f"{hold:.3f}"})
    with (
        scratch() as directory,
        started(directory / "postgresql", LOAD_CPU) as database,
        replace(peer, projection=_url(database)).served(directory, 1) as (server, target),
    ):
        outcome = load(target, spread, Duration(TAIL_SECONDS, hold + 5.0), rate=rate)[0]
        slowest, info = _slowest_sync(metrics), _info(server)
    late = outcome["latency_us"]
    beyond = late["max"] / 1e3 - slowest * 1e3
    return {
        "title": "The tail at half the peak rate",
        "words": f"Open loop, {TAIL_SECONDS / 60:.0f} minutes, a million open locks that lapse after {hold:.0f} s,"
        " snapshots at their default, projecting into PostgreSQL on the load's core. Latency from the planned time.",
        "facts": [
            _fact("planned rate", rate, "locks a second"),
            _fact("rate", outcome["rate"], "locks a second"),
            _fact("p50", late["p50"] / 1e3, "ms"),
            _fact("p99", late["p99"] / 1e3, "ms"),
            _fact("p99.9", late["p999"] / 1e3, "ms", Bound(5, at_most=True)),
            _fact("latest", late["max"] / 1e3, "ms"),
            _fact("slowest sync (the bound of its bucket)", slowest * 1e3, "ms"),
            _fact("latest beyond the slowest sync", max(0.0, beyond), "ms", Bound(10, at_most=True)),
            _fact("calls that left late, p99.9", outcome["sent_late_us"]["p999"] / 1e3, "ms"),
            _fact("behind in the database at the end", info.sequence - info.projection.sequence, "records"),
            _fact("newest snapshot at", info.snapshot_sequence, "(its sequence)"),
        ],
    }


def _url(database: Any) -> str:
    return str(database.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)


def _slowest_sync(address: str) -> float:
    """The bound of the last bucket that has any, in seconds."""
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    buckets = []
    for line in lines:
        if line.startswith("lockstock_sync_seconds_bucket"):
            bound = line.partition('le="')[2].partition('"')[0]
            buckets.append((float(bound), float(line.rpartition(" ")[2])))
    every = max(count for _, count in buckets)
    return min(bound for bound, count in buckets if count == every)


def _recovery(scratch: Scratch) -> Part:
    line, facts = [], []
    peer = replace(cases.OURS, settings={**NO_SNAPSHOTS, "LOCKSTOCK_LOG_LEVEL": "info"})
    for events in (MILLION, 3 * MILLION, 10 * MILLION):
        with scratch() as directory, peer.served(directory, 1) as (server, target):
            load(target, BATCHES, commands=events // 2)
            seconds, recovered = _crash(server)
        line.append((events, seconds))
        replayed = recovered["replayed"] / recovered["seconds"]
        facts.append(_fact(f"{events:,} events, no snapshot: serving again after", seconds, "s"))
        facts.append(_fact("its replay", replayed, "events a second", Bound(3 * MILLION)))
    peer = replace(peer, settings={"LOCKSTOCK_LOG_LEVEL": "info"})
    with scratch() as directory, peer.served(directory, 1) as (server, target):
        load(target, BATCHES, commands=9 * MILLION // 2)
        fill(target, MILLION)
        _snapshotter_rests(server)
        seconds, recovered = _crash(server)
    name = (
        f"10,000,000 events, a million open, snapshots at their default ({recovered['replayed']:,} replayed)"
    )
    facts.append(_fact(name, seconds, "s", Bound(5, at_most=True)))
    return {
        "title": "Recovery after kill -9",
        "words": "From the start of the process to serving on both doors. Where snapshots are written it is killed when"
        " none is under way, as on most days: while the core is saturated they fall behind.",
        "facts": facts,
        "x": "events",
        "y": "seconds",
        "lines": {"no snapshot": line},
    }


def _snapshotter_rests(server: Server) -> None:
    """Waits until no snapshot has been written for a while."""
    newest, since = _info(server).snapshot_sequence, time.monotonic()
    while time.monotonic() < since + SNAPSHOT_SECONDS_MAX:
        time.sleep(POLL_SECONDS)
        if (now := _info(server).snapshot_sequence) != newest:
            newest, since = now, time.monotonic()


def _crash(server: Server) -> tuple[float, dict[str, Any]]:
    server.kill()
    with on_cpu(SERVER_CPU):
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
            _fact("empty", empty / (1 << 20), "MiB"),
            _fact("an open reservation of one line", each, "bytes", Bound(200, at_most=True)),
            _fact("5,000,000 open, all told", resident / (1 << 30), "GiB", Bound(1.5, at_most=True)),
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
    with scratch() as directory, cases.OURS.running(directory, 1) as target:
        small = load(target, HOT, SHORT)[0]
    peer = replace(cases.OURS, warehouses=50, settings=NO_COPY)
    with scratch() as directory, peer.running(directory, MILLION) as target:
        rows = _resident(target.pid)
        load(target, replace(FILL, skus=MILLION), commands=5 * MILLION)
        large = load(target, replace(HOT, skus=MILLION), SHORT)[0]
    return {
        "title": "Growth",
        "words": "A unary lock, 50 in flight: one SKU in one warehouse; then a million SKUs in 50 warehouses"
        " (50 million rows, units only in the last warehouse of the plan) beside 5 million open reservations.",
        "facts": [
            _fact("small, server CPU a lock", small["server_cpu_us"], "us"),
            _fact("large, server CPU a lock", large["server_cpu_us"], "us"),
            _fact(
                "large over small",
                large["server_cpu_us"] / small["server_cpu_us"],
                "times",
                Bound(1.3, at_most=True),
            ),
            _fact("memory with the rows", rows / (1 << 30), "GiB"),
            _fact("memory with rows and reservations", large["resident_bytes"][1] / (1 << 30), "GiB"),
        ],
    }


def _projection(scratch: Scratch) -> Part:
    with scratch() as directory, started(directory / "postgresql", LOAD_CPU) as database:
        peer = replace(cases.OURS, projection=_url(database))
        with peer.served(directory, 1) as (server, target):
            before = _caught_up_rate(server, target)
            fill(target, 10 * MILLION)
            began, first = time.monotonic(), _info(server)
            during = load(target, HOT, SHORT)[0]["rate"]
            alone, second = time.monotonic(), _info(server)
            last = _catch_up(server)
            ended = time.monotonic()
    sustained = (last - second.projection.sequence) / (ended - alone)
    return {
        "title": "The projection into PostgreSQL",
        "words": "PostgreSQL on the load's core. A burst of ten million locks; while it is caught up, the door is"
        " loaded again as before it, and then left alone.",
        "facts": [
            _fact("behind after the burst", first.sequence - first.projection.sequence, "records"),
            _fact("sustained", sustained, "operations a second", Bound(50_000)),
            _fact("caught up after", ended - began, "s"),
            _fact("the door before the burst", before, "locks a second"),
            _fact("the door while it catches up, of that", during / before, "", Bound(0.9)),
        ],
    }


def _caught_up_rate(server: Server, target: Target) -> float:
    rate = load(target, HOT, SHORT)[0]["rate"]
    _catch_up(server)
    return float(rate)


def _catch_up(server: Server) -> int:
    gives_up = time.monotonic() + CATCH_UP_SECONDS_MAX
    while time.monotonic() < gives_up:
        info = _info(server)
        if info.projection.sequence >= info.durable_sequence:
            return int(info.projection.sequence)
        time.sleep(POLL_SECONDS)
    raise BenchmarkError("The projection did not catch up within an hour.")
