"""The sale from the first buyer to the verdict."""

import multiprocessing
import queue
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import grpc
import lockstock
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from lockstock_server.flash_sale.buyers import HOLD_SECONDS, REGION, SKU
from lockstock_server.flash_sale.judge import Entry, Found, Verb, Verdict, judge, percentiles
from lockstock_server.flash_sale.server_process import ServerProcess
from lockstock_server.flash_sale.workers import Task, work

WAREHOUSE = "DEPOT"
KILL_AFTER_SHARE = 0.4
"""The server is killed when so much of the stock has been locked, amid the calls of the rest."""


class SaleError(Exception):
    """The sale could not be held or judged; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to hold."""

    buyers: int = 100_000
    units: int = 10_000
    workers: int = 2
    connections: int = 64
    seed: int = 1
    kill: bool = True


@dataclass(slots=True)
class Progress:
    """How the sale goes, for whoever watches."""

    plan: Plan
    stage: str = "starting the server"
    server_up: bool = False
    seen: set[int] = field(default_factory=set)
    locked: int = 0
    paid: int = 0
    refused: int = 0
    cancelled: int = 0
    seconds: list[float] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    restart_seconds: float | None = None

    def note(self, entry: Entry) -> None:
        """One more answer."""
        self.seen.add(entry.buyer)
        self.seconds.append(entry.seconds)
        self.locked += entry.verb is Verb.LOCKED
        self.paid += entry.verb is Verb.PAID
        self.refused += entry.verb is Verb.REFUSED
        self.cancelled += entry.verb is Verb.CANCELLED

    @property
    def rate(self) -> float:
        """Answers a second so far."""
        return len(self.seconds) / max(0.001, (self.ended or time.monotonic()) - self.began)


@dataclass(slots=True)
class Result:
    """What the sale came to."""

    verdict: Verdict
    seconds: float
    answers_per_second: float
    latency_ms: dict[str, float]
    restart_seconds: float | None


Watch = Callable[[Progress], None]


def hold(plan: Plan, watch: Watch = lambda _progress: None) -> Result:
    """Holds a sale on a server of its own, in a directory of its own, and judges it."""
    with tempfile.TemporaryDirectory(prefix="lockstock-sale-") as directory:
        server = ServerProcess(Path(directory))
        progress = Progress(plan)
        watch(progress)
        try:
            server.start()
            progress.server_up = True
            _stock_up(server, plan)
            entries = _let_loose(server, plan, progress, watch)
            entries += _waiting_list(server, plan, progress, watch)
            progress.stage = "judging"
            watch(progress)
            verdict = _judge(server, plan, entries)
        finally:
            server.stop()
    return Result(
        verdict=verdict,
        seconds=progress.ended - progress.began,
        answers_per_second=progress.rate,
        latency_ms=percentiles(progress.seconds),
        restart_seconds=progress.restart_seconds,
    )


def _stock_up(server: ServerProcess, plan: Plan) -> None:
    with lockstock.connect(server.address) as shop:
        shop.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=REGION)))
        shop.catalog.CreateWarehouse(
            catalog.CreateWarehouseRequest(
                warehouse=catalog.Warehouse(warehouse=WAREHOUSE, tier=catalog.TIER_CENTRAL)
            )
        )
        shop.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=SKU)))
        line = op.StockLine(sku=SKU, warehouse=WAREHOUSE, quantity=plan.units)
        shop.stock.OtherReceipt(op.OtherReceiptRequest(cause=op.Cause(reason="opening stock"), lines=[line]))


@contextmanager
def _crowd(server: ServerProcess, plan: Plan) -> Iterator[tuple[list[BaseProcess], Any]]:
    # A fresh interpreter each: gRPC does not survive a fork.
    context = multiprocessing.get_context("spawn")
    log = context.Queue()
    connections = max(1, plan.connections // plan.workers)
    workers = [
        context.Process(
            target=work,
            args=(Task(server.fast_lane, connections, plan.seed, plan.buyers, plan.workers, number), log),
            daemon=True,
        )
        for number in range(plan.workers)
    ]
    for worker in workers:
        worker.start()
    try:
        yield list(workers), log
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _let_loose(server: ServerProcess, plan: Plan, progress: Progress, watch: Watch) -> list[Entry]:
    entries: list[Entry] = []
    progress.stage = "selling"
    progress.began = time.monotonic()
    killed = not plan.kill
    with _crowd(server, plan) as (workers, log):
        ended = 0
        while ended < len(workers):
            try:
                piece = log.get(timeout=0.2)
            except queue.Empty:
                if any(worker.exitcode not in {None, 0} for worker in workers):
                    raise SaleError("A worker ended with an error; its words are above.") from None
                watch(progress)
                continue
            if piece is None:
                ended += 1
                continue
            entries += piece
            for entry in piece:
                progress.note(entry)
            if not killed and progress.locked >= plan.units * KILL_AFTER_SHARE:
                killed = True
                _crash(server, progress, watch)
            watch(progress)
    progress.ended = time.monotonic()
    if not killed:
        raise SaleError("The sale was over before the server could be killed.")
    return entries


def _crash(server: ServerProcess, progress: Progress, watch: Watch) -> None:
    progress.stage, progress.server_up = "killed with kill -9", False
    watch(progress)
    server.kill()
    began = time.monotonic()
    server.start()
    progress.restart_seconds = time.monotonic() - began
    progress.stage, progress.server_up = "selling", True


def _waiting_list(server: ServerProcess, plan: Plan, progress: Progress, watch: Watch) -> list[Entry]:
    """Locks that are not paid lapse; their units go to buyers who were refused, until all are sold."""
    entries: list[Entry] = []
    waiting = iter(range(plan.buyers, plan.buyers + plan.units))
    progress.stage = "selling what has lapsed"
    gives_up = time.monotonic() + 10 * HOLD_SECONDS + 30
    with lockstock.connect(server.fast_lane) as lane:
        while True:
            level = _level(lane)
            if level.available + level.locked == 0:
                return entries
            if time.monotonic() > gives_up:
                raise SaleError(
                    f"{level.available} units stay available and {level.locked} locked: a lock has leaked."
                )
            for _ in range(level.available):
                entry = _buy_now(lane, next(waiting))
                entries.append(entry)
                progress.paid += entry.verb is Verb.PAID
            watch(progress)


def _buy_now(lane: lockstock.Client, buyer: int) -> Entry:
    began = time.monotonic()
    request = op.LockAndDeductRequest(
        reservation_id=f"buyer-{buyer}", lines=[op.OrderLine(sku=SKU, quantity=1)], region=REGION
    )
    try:
        answer = lane.stock.LockAndDeduct(request)
    except lockstock.LockstockError as refused:
        return Entry(buyer, Verb.REFUSED, 0, time.monotonic() - began, refused.reason)
    return Entry(buyer, Verb.PAID, answer.sequence, time.monotonic() - began)


def _level(lane: lockstock.Client) -> stock.StockLevel:
    return lane.stock.GetStock(stock.GetStockRequest(sku=SKU)).levels[0]


def _judge(server: ServerProcess, plan: Plan, entries: list[Entry]) -> Verdict:
    known = {entry.buyer for entry in entries if entry.verb is not Verb.REFUSED}
    found: dict[int, Found] = {}
    with lockstock.connect(server.fast_lane) as lane:
        for buyer in sorted(known):
            reservation = _reservation(lane, buyer)
            if reservation is not None:
                line = reservation.lines[0]
                found[buyer] = Found(line.locked, line.deducted, line.unlocked, line.expired, line.cancelled)
        return judge(plan.units, entries, found, _level(lane))


def _reservation(lane: lockstock.Client, buyer: int) -> stock.Reservation | None:
    try:
        return lane.stock.GetReservation(stock.GetReservationRequest(reservation_id=f"buyer-{buyer}"))
    except lockstock.LockstockError as missing:
        if missing.code is grpc.StatusCode.NOT_FOUND:
            return None
        raise
