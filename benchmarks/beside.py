"""Buyers beside long work: what a call takes while others send batches, fill streams, or connect by the hundred."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import cases
from curves import Scratch
from harness.facts import Part, fact
from harness.load import LOAD_CPU, BenchmarkError, Duration, Shape, Target, load, load_first
from tail import SPREAD

RATE = 10_000.0
"""An eighth of the peak: without the others nobody waits for anybody."""
BUYERS = Duration(seconds=10.0, warm_up_seconds=2.0)
# Begins before them and ends after them.
OTHERS = Duration(seconds=14.0, warm_up_seconds=0.5)
WORK = {
    "batches of 8,190, one client": Shape("batch", batch=8_190),
    "batches of 8,190, 4 clients": Shape("batch", connections=4, batch=8_190),
    "batches of 100, 8 clients": Shape("batch", connections=8, batch=100),
    "4 streams, 1,024 in flight each": Shape("stream", streams=4, in_flight=1_024),
}
CONNECTIONS = 500
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""The first bytes of a client of HTTP/2: its preface and empty settings."""


def run(scratch: Scratch) -> Part:
    """The same buyers, alone and beside each kind of work, on a new server each."""
    facts = _buyers(scratch, "alone", lambda _: nullcontext({}))
    for name, shape in WORK.items():
        facts += _buyers(scratch, name, lambda target, shape=shape: _loaded(target, shape))
    facts += _buyers(scratch, f"{CONNECTIONS} connections at once, again and again", _stormed)
    return {
        "title": "Buyers beside long work",
        "words": f"{RATE:,.0f} locks a second, open loop, beside others who send as much as they can, or open"
        f" {CONNECTIONS} connections at once, close them and begin again. The others share the load's core with the"
        " buyers, who go first there. Latency from the planned time.",
        "facts": facts,
    }


def _buyers(scratch: Scratch, name: str, others: Any) -> list[list[str]]:
    with scratch() as directory, cases.OURS.running(directory, 1) as target:
        work: AbstractContextManager[dict[str, float]] = others(target)
        with work as done:
            late = load_first(target, SPREAD, BUYERS, rate=RATE)[0]["latency_us"]
    named = {"p50": "p50", "p99": "p99", "p99.9": "p999"}
    facts = [fact(f"{name}: {words}", late[key] / 1e3, "ms") for words, key in named.items()]
    return facts + [fact(f"{name}: {unit}", rate, "a second") for unit, rate in done.items()]


@contextmanager
def _loaded(target: Target, shape: Shape) -> Iterator[dict[str, float]]:
    done: dict[str, float] = {}
    worker = threading.Thread(
        target=lambda: done.update({"locks of the others": load(target, shape, OTHERS)[0]["rate"]})
    )
    worker.start()
    try:
        yield done
    finally:
        worker.join()


@contextmanager
def _stormed(target: Target) -> Iterator[dict[str, float]]:
    context = multiprocessing.get_context("spawn")
    over, opened = context.Event(), context.Value("q", 0)
    done: dict[str, float] = {}
    storm = context.Process(target=_storm, args=(target.address, over, opened))
    began = time.monotonic()
    storm.start()
    try:
        yield done
    finally:
        over.set()
        storm.join()
    if storm.exitcode:
        raise BenchmarkError("Whoever opened connections has failed.")
    done["connections"] = opened.value / (time.monotonic() - began)


def _storm(address: str, over: Any, opened: Any) -> None:
    os.sched_setaffinity(0, {LOAD_CPU})
    host, _, port = address.rpartition(":")
    while not over.is_set():
        sockets = [socket.create_connection((host, int(port))) for _ in range(CONNECTIONS)]
        for one in sockets:
            one.sendall(GREETING)
        for one in sockets:
            one.close()
        opened.value += len(sockets)
