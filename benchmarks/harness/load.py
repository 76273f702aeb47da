"""The load generator, `lockstock-load`: what it is told and what it answers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

SERVER_CPU, LOAD_CPU = 0, 1
REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "core_rs" / "target" / "release" / "lockstock-load"
_tags = count(1)


class BenchmarkError(Exception):
    """A run that cannot be made, or must not count; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a server under load says of itself."""

    address: str
    pid: int
    with_children: bool = False
    """Whether processes under it (PostgreSQL's) belong to it."""
    more: dict[str, Any] | None = None
    """What else the generator must know: scripts, a database, that it is an echo."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How it is loaded: connections, streams, calls in flight, commands a call, and what they do."""

    carrier: str
    connections: int = 1
    in_flight: int = 1
    streams: int = 1
    batch: int = 1
    work: tuple[str, ...] = ("lock",)
    lines: int = 1
    skus: int = 1

    def words(self) -> str:
        """For a table."""
        ways = {
            "unary": "unary",
            "batch": f"batches of {self.batch:,}",
            "stream": f"{self.streams} streams",
            "redis": f"pipeline of {self.batch}" if self.batch > 1 else "one by one",
            "postgres": "a transaction each",
        }
        plural = "s" if self.connections > 1 else ""
        return f"{ways[self.carrier]}, {self.connections} connection{plural} x {self.in_flight} in flight"


@dataclass(frozen=True, slots=True)
class Duration:
    """For how long."""

    seconds: float
    warm_up_seconds: float


Outcome = dict[str, Any]
"""What the generator says of a phase (`record.rs`)."""


def load_first(target: Target, shape: Shape, duration: Duration, **more: Any) -> tuple[Outcome, bool]:
    """Loads beside others on the generator's core (a database), and whether the generator went first there: it
    stands for callers elsewhere, whom that database does not keep waiting. The system must allow it."""
    allowed = True
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        allowed = False
    try:
        # A child inherits its turn, as it does its core.
        outcome = load(target, shape, duration, shares_core=True, **more)[0]
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return outcome, allowed


def load(
    target: Target,
    shape: Shape,
    duration: Duration | None = None,
    *,
    commands: int | None = None,
    rate: float | None = None,
    **more: Any,
) -> list[Outcome]:
    """Loads a server for so long or with so many commands; an outcome a phase."""
    spec: dict[str, Any] = {
        "address": target.address,
        "pid": target.pid,
        "with_children": target.with_children,
        "cpu": LOAD_CPU,
        "region": "CN",
        # A new one every time: no two runs against a server may use the same reservations.
        "tag": f"t{next(_tags)}",
        "carrier": shape.carrier,
        "connections": shape.connections,
        "streams": shape.streams,
        "in_flight": shape.in_flight,
        "batch": shape.batch,
        "work": shape.work,
        "lines": shape.lines,
        "skus": shape.skus,
        **(target.more or {}),
        **more,
    }
    if duration is not None:
        spec |= {"seconds": duration.seconds, "warm_up_seconds": duration.warm_up_seconds}
    if commands is not None:
        spec["commands"] = commands
    if rate is not None:
        spec["rate"] = rate
    answer: list[Outcome] = ask("run", json.dumps(spec))
    return answer


def ask(*words: str) -> Any:
    """Runs the generator with these words; its JSON."""
    run = subprocess.run([PROGRAM, *words], check=False, capture_output=True, text=True)
    if run.returncode != 0:
        raise BenchmarkError(run.stderr.strip() or f"lockstock-load ended with {run.returncode}")
    return json.loads(run.stdout)


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """Whatever is started in here stays on this core; a child inherits where its parent may run."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
