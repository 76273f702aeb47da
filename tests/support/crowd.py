"""Clients on both ports, several at once, each with a log of its own, and what must be true of their server."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import lockstock
from lockstock.retry import Retries
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from support.waiting import wait_until

WAREHOUSE, REGION = "DEPOT", "CN"
PLENTY, SCARCE = "PLENTY", "SCARCE"
UNITS = {PLENTY: 1_000_000, SCARCE: 60}
ASIDE = "ASIDE"
"""For what a test does by hand: the crowd neither sells nor counts it."""
NEVER_AGAIN = Retries(attempts=1)
METHODS = {"lock": "Lock", "deduct": "Deduct", "unlock": "Unlock"}
REFUSALS = {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED}
"""A refusal with one of these changed nothing. After any other the client does not know."""
CALL_SECONDS_MAX = 30.0
AT_ONCE = 500


def stock_up(address: str) -> None:
    with lockstock.connect(address) as shop:
        shop.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=REGION)))
        central = catalog.Warehouse(warehouse=WAREHOUSE, tier=catalog.TIER_CENTRAL)
        shop.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=central))
        for sku, units in {**UNITS, ASIDE: 1_000_000}.items():
            shop.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=sku)))
            line = op.StockLine(sku=sku, warehouse=WAREHOUSE, quantity=units)
            shop.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))


def lock_command(reservation: str, sku: str = ASIDE, quantity: int = 1) -> op.Command:
    lock = op.LockRequest(
        cause=op.Cause(request_id=lockstock.new_request_id()),
        reservation_id=reservation,
        lines=[op.OrderLine(sku=sku, quantity=quantity)],
        region=REGION,
    )
    return op.Command(lock=lock)


def settle_command(lock: op.Command, *, paid: bool) -> op.Command:
    """Pays what a lock holds, or gives it back."""
    cause = op.Cause(request_id=lockstock.new_request_id())
    reservation = lock.lock.reservation_id
    if paid:
        return op.Command(deduct=op.DeductRequest(cause=cause, reservation_id=reservation))
    return op.Command(unlock=op.UnlockRequest(cause=cause, reservation_id=reservation))


@dataclass
class Asked:
    """One request, and what became of it as far as its client knows."""

    command: op.Command
    sku: str
    quantity: int
    answer: op.Answer | None = None
    refused: str = ""

    @property
    def verb(self) -> str:
        return str(self.command.WhichOneof("operation"))

    @property
    def is_open(self) -> bool:
        return self.answer is None and not self.refused


@dataclass
class Fates:
    """What a check found had become of the requests that were never answered."""

    executed: int = 0
    not_executed: int = 0


class Client:
    """Locks, pays and gives back what it locked, one request after the other; writes down each."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.log: list[Asked] = []
        self.settled = 0
        """So many of the log were checked after a crash."""
        self.answers = 0
        self._held: list[Asked] = []
        self._draw = random.Random(f"{seed} {name}")

    def run(self, address: str, stop: threading.Event) -> None:
        """Until it is stopped, or its server is gone."""
        with lockstock.connect(address, NEVER_AGAIN) as lane:
            while not stop.is_set():
                asked = self._next()
                self.log.append(asked)
                try:
                    call = getattr(lane.stock, METHODS[asked.verb])
                    asked.answer = call(getattr(asked.command, asked.verb), timeout=CALL_SECONDS_MAX)
                except lockstock.LockstockError as error:
                    if error.code not in REFUSALS:
                        return
                    asked.refused = error.reason
                self.note(asked)

    def note(self, asked: Asked) -> None:
        """Counts an answer; a lock that was answered is held, and may be paid or given back."""
        if asked.answer is None:
            return
        self.answers += 1
        if asked.verb == "lock":
            self._held.append(asked)

    def _next(self) -> Asked:
        if self._held and self._draw.random() < 0.45:
            lock = self._held.pop(self._draw.randrange(len(self._held)))
            command = settle_command(lock.command, paid=self._draw.random() < 0.3)
            return Asked(command, lock.sku, lock.quantity)
        sku = self._draw.choice([PLENTY, PLENTY, PLENTY, SCARCE])
        quantity = self._draw.randint(1, 3)
        return Asked(lock_command(f"{self.name}-{len(self.log)}", sku, quantity), sku, quantity)


@dataclass
class Crowd:
    """All clients of one server, over all of its lives."""

    seed: int
    clients: list[Client] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def begin(self, *addresses: str, each: int = 4) -> None:
        """Sets `each` clients on each address, in threads."""
        while len(self.clients) < each * len(addresses):
            self.clients.append(Client(f"c{len(self.clients)}", self.seed))
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=client.run, args=(addresses[number % len(addresses)], self._stop))
            for number, client in enumerate(self.clients)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stops them (those whose server is gone have stopped), and waits."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * CALL_SECONDS_MAX)
            assert not thread.is_alive()

    def answered(self) -> int:
        return sum(client.answers for client in self.clients)

    def wait_for(self, more: int) -> None:
        """Waits until so many more requests are answered."""
        wanted = self.answered() + more
        wait_until(lambda: self.answered() >= wanted, f"{wanted} answers")

    def check(self, address: str, *, from_the_beginning: bool = False) -> Fates:
        """Asks everything again that was answered or is open since the last check, and counts all units.

        The same request has the same answer where it was answered; where it was not, it took effect once, before
        or now, or is refused now. A refusal is not remembered, so what was refused is not asked again.
        """
        fates = Fates()
        with lockstock.connect(address) as lane:
            for client in self.clients:
                since = 0 if from_the_beginning else client.settled
                again = [asked for asked in client.log[since:] if not asked.refused]
                client.settled = len(client.log)
                for first in range(0, len(again), AT_ONCE):
                    part = again[first : first + AT_ONCE]
                    request = stock.ExecuteBatchRequest(commands=[asked.command for asked in part])
                    for asked, result in zip(part, lane.stock.ExecuteBatch(request).results, strict=True):
                        self._judge(client, asked, result, fates)
            for sku, units in UNITS.items():
                level = lane.stock.GetStock(stock.GetStockRequest(sku=sku)).levels[0]
                promised = self._promised(sku)
                found = (level.available, level.locked, level.allocated)
                expected = (units - promised.total(), promised["locked"], promised["allocated"])
                assert found == expected, (sku, found, expected)
                assert level.available >= 0, f"{sku} is oversold: {level}"
        return fates

    def _judge(self, client: Client, asked: Asked, result: op.Result, fates: Fates) -> None:
        if not asked.is_open:
            assert asked.answer is not None
            assert result.WhichOneof("result") == "answer", (
                f"an acknowledged request is gone: {asked} {result}"
            )
            assert result.answer.replayed, f"an acknowledged request was executed again: {asked}"
            assert result.answer.sequence == asked.answer.sequence, asked
            assert list(result.answer.movements) == list(asked.answer.movements), asked
            return
        if result.WhichOneof("result") == "answer":
            asked.answer = result.answer
            client.note(asked)
        else:
            refusal = lockstock.LockstockError.from_status(result.status)
            assert refusal.reason == "INSUFFICIENT_STOCK", refusal
            asked.refused = refusal.reason
        if result.answer.replayed:
            fates.executed += 1
        else:
            fates.not_executed += 1

    def _promised(self, sku: str) -> Counter[str]:
        """What this SKU's answers add up to."""
        promised: Counter[str] = Counter()
        for asked in self._answered(sku):
            promised["locked"] += asked.quantity if asked.verb == "lock" else -asked.quantity
            promised["allocated"] += asked.quantity if asked.verb == "deduct" else 0
        return promised

    def _answered(self, sku: str) -> Iterator[Asked]:
        for client in self.clients:
            yield from (asked for asked in client.log if asked.answer is not None and asked.sku == sku)
