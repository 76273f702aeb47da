"""Three times what the server can carry, open loop: `make overload`. Exits non-zero where a bound is missed.

The peak is measured first, closed loop, then three times that is planned, whatever comes back. The lane takes
commands as it can carry them and flow control keeps the rest at the callers, so goodput is what is answered, and
what was really sent is stated. A queue that is full refuses at once: that is measured with a queue made small.
At the end the load is light again, and the tail right after the overload is that of an idle server.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event
from typing import Any

import cases
import grpc
import lockstock
import run
from harness.figures import Bound
from harness.load import BenchmarkError, Duration, Shape, Target, load
from lockstock.retry import Retries
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

FACTOR = 3.0
# Closed loops with enough in flight that more of it brings no more: what the server can carry.
STREAMS = Shape("stream", streams=16, in_flight=64)
# As many commands may wait as an open loop needs that is three times too fast.
STREAMS_OPEN = replace(STREAMS, in_flight=512)
UNARY = Shape("unary", in_flight=200)
UNARY_OPEN = replace(UNARY, in_flight=900)
LONG = Duration(seconds=8.0, warm_up_seconds=2.0)
SHORT = Duration(seconds=5.0, warm_up_seconds=0.0)
"""So long that one pause of the machine's of some milliseconds is not its 99th percentile."""
LIGHT_SHARE = 0.05
"""What the light load is of the peak."""
GOODPUT = Bound(0.8)
REFUSED_MS = Bound(5.0, at_most=True)
RECOVERY = Bound(3.0, at_most=True)
"""How many times the tail of an idle server the tail right after the overload may be."""
SMALL_QUEUE = {"LOCKSTOCK_IN_FLIGHT_RECORDS_MAX": "100"}
REFUSED_BATCHES = 200
REFUSED_BATCH = 200
BATCH = "/lockstock.v1.StockService/ExecuteBatch"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it must reach."""

    name: str
    value: float
    unit: str
    bound: Bound | None = None

    @property
    def holds(self) -> bool:
        return self.bound is None or self.bound.holds(self.value)

    def words(self) -> str:
        bound = "" if self.bound is None else f"  (must be {self.bound.words('')})"
        return f"{'' if self.holds else 'MISSED '}{self.name}: {self.value:,.3f} {self.unit}{bound}"


def overloaded(name: str, closed: Shape, open_: Shape) -> list[Figure]:
    """Peak, overload, recovery, on one server."""
    with run.scratch() as directory, cases.OURS.running(directory, 1) as target:
        peak = load(target, closed, LONG)[0]["rate"]
        light = peak * LIGHT_SHARE
        idle = load(target, closed, SHORT, rate=light)[0]["latency_us"]["p99"]
        over = load(target, open_, LONG, rate=FACTOR * peak)[0]
        after = load(target, closed, SHORT, rate=light)[0]["latency_us"]["p99"]
    return [
        Figure(f"{name}: peak, closed loop", peak, "locks/s"),
        Figure(f"{name}: planned", FACTOR, "times the peak"),
        # What finds no room stays planned: the callers' side of flow control.
        Figure(f"{name}: sent", over["sent"] / over["seconds"] / peak, "times the peak"),
        Figure(f"{name}: goodput under it, of the peak", over["rate"] / peak, "", GOODPUT),
        Figure(f"{name}: idle, p99", idle / 1e3, "ms"),
        Figure(f"{name}: right after it, p99 of that of an idle server", after / idle, "times", RECOVERY),
    ]


@contextmanager
def flooded(target: Target) -> Iterator[None]:
    """Others keep the small queue full meanwhile: in a process of their own, or the prober would wait for itself."""
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    flooding = context.Process(target=_flood, args=(target.address, over))
    flooding.start()
    try:
        yield
    finally:
        over.set()
        flooding.join()


def _flood(address: str, over: Event) -> None:
    with grpc.insecure_channel(address) as channel:
        ask: Any = channel.unary_unary(BATCH)
        for number in itertools.count():
            if over.is_set():
                return
            ask(_batch(f"flood-{number}").SerializeToString())


def _batch(tag: str) -> stock.ExecuteBatchRequest:
    lines = [op.OrderLine(sku="SKU-0000000", quantity=1)]
    commands = [
        op.Command(lock=op.LockRequest(reservation_id=f"{tag}-{at}", lines=lines, region="CN"))
        for at in range(REFUSED_BATCH)
    ]
    return stock.ExecuteBatchRequest(commands=commands)


def refusals() -> list[Figure]:
    """How soon the refused know, and whether payments pass meanwhile."""
    peer = replace(cases.OURS, settings=SMALL_QUEUE)
    seconds, hints, refused = [], 0, 0
    paid = [f"paid-{at}" for at in range(REFUSED_BATCHES)]
    with (
        run.scratch() as directory,
        peer.running(directory, 1) as target,
        lockstock.connect(target.address, Retries(attempts=1)) as client,
        grpc.insecure_channel(target.address) as channel,
    ):
        ask: Any = channel.unary_unary(BATCH)
        for name in paid:
            line = op.OrderLine(sku="SKU-0000000", quantity=1)
            client.stock.Lock(op.LockRequest(reservation_id=name, lines=[line], region="CN"))
        with flooded(target):
            for at, name in enumerate(paid):
                # Bytes in, bytes out: what Python makes of them is not the server's time.
                request = _batch(f"asked-{at}").SerializeToString()
                began = time.perf_counter()
                answer = ask(request)
                seconds.append(time.perf_counter() - began)
                results = stock.ExecuteBatchResponse.FromString(answer).results
                errors = [lockstock.LockstockError(one.status) for one in results if one.HasField("status")]
                refused += len(errors)
                hints += sum(error.reason == "OVERLOADED" and bool(error.retry_after) for error in errors)
                client.stock.Deduct(op.DeductRequest(reservation_id=name))
    seconds.sort()
    return [
        Figure("a full queue: refused", refused, "locks", Bound(1)),
        Figure("a full queue: refusals with reason and hint", hints / max(1, refused), "", Bound(1)),
        Figure(
            f"a full queue: answer to {REFUSED_BATCH} locks of which most are refused, median",
            seconds[len(seconds) // 2] * 1e3,
            "ms",
            REFUSED_MS,
        ),
        Figure("a full queue: payments that passed meanwhile", len(paid), "of all", Bound(len(paid))),
    ]


def main() -> None:
    """Runs it; the exit code says whether every bound was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    try:
        run.SCRATCH.mkdir(parents=True, exist_ok=True)
        run.build()
        figures = overloaded("streams", STREAMS, STREAMS_OPEN)
        figures += overloaded("unary", UNARY, UNARY_OPEN)
        figures += refusals()
    except BenchmarkError as error:
        run.say(str(error))
        sys.exit(1)
    if given.json:
        print(json.dumps({figure.name: figure.value for figure in figures}, indent=1))
    for figure in figures:
        run.say(figure.words())
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


if __name__ == "__main__":
    main()
