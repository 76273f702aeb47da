"""Lets buyers loose on the server, from processes of their own, each buyer with patience over a crash."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any

import grpc
import grpc.aio
import lockstock
from google.protobuf.duration_pb2 import Duration
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2_grpc

from lockstock_server.flash_sale.buyers import HOLD_SECONDS, REGION, SKU, Behaviour, Buyer, crowd
from lockstock_server.flash_sale.judge import Entry, Verb

IN_FLIGHT_PER_WORKER = 512
ENTRIES_A_REPORT = 200
GIVES_UP_AFTER_SECONDS = 120.0
TRANSPORT_FAILURES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
    }
)


Report = list[Entry] | None
"""Some of a worker's entries, in order; None is its end mark (a list may be empty)."""


class Reporter:
    """Writes down a worker's entries and sends them off some at a time."""

    def __init__(self, send: Callable[[Report], None]) -> None:
        self._send = send
        self._written: list[Entry] = []

    def note(self, entry: Entry) -> None:
        """One more answer."""
        self._written.append(entry)
        if len(self._written) >= ENTRIES_A_REPORT:
            self._flush()

    def end(self) -> None:
        """Sends what is left, then the end mark."""
        self._flush()
        self._send(None)

    def _flush(self) -> None:
        # A list of its own each time: the queue may look at it later.
        self._send(self._written)
        self._written = []


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker is told."""

    address: str
    connections: int
    seed: int
    buyers: int
    workers: int
    worker: int


class UnansweredError(Exception):
    """A buyer lost patience: the server was away for too long."""


async def answered(call: Callable[[Any], Awaitable[op.Answer]], request: Any) -> op.Answer | str:
    """The answer, or the reason of the refusal.

    What is only the transport's failure (the crash), or can be sent again soon, is sent again with the same
    request id: it then counts once, whether or not the first attempt did.
    """
    gives_up = time.monotonic() + GIVES_UP_AFTER_SECONDS
    pause = 0.05
    while time.monotonic() < gives_up:
        try:
            return await call(request)
        except grpc.aio.AioRpcError as failed:
            error = lockstock.LockstockError.from_rpc(failed)
            if error.reason and error.retry_after is None:
                return error.reason
            if not error.reason and failed.code() not in TRANSPORT_FAILURES:
                raise
            await asyncio.sleep(error.retry_after or pause)
            pause = min(1.0, pause * 2)
    raise UnansweredError


class Customer:
    """One buyer at work. Every answer is written down with `note`."""

    def __init__(self, stub: Any, buyer: Buyer, note: Callable[[Entry], None]) -> None:
        self._stub = stub
        self._buyer = buyer
        self._note = note

    async def _ask(self, method: str, request: Any, verb: Verb) -> op.Answer | None:
        request.cause.request_id = lockstock.new_request_id()
        began = time.monotonic()
        answer = await answered(getattr(self._stub, method), request)
        took = time.monotonic() - began
        if isinstance(answer, str):
            self._note(Entry(self._buyer.number, Verb.REFUSED, 0, took, answer))
            return None
        if answer.outcome == op.OUTCOME_EXPIRED_SOLD_OUT:
            verb = Verb.SOLD_OUT_LATE
        self._note(Entry(self._buyer.number, verb, answer.sequence, took))
        if self._buyer.behaviour is Behaviour.RETRIES:
            again = await answered(getattr(self._stub, method), request)
            if isinstance(again, str) or not again.replayed or again.sequence != answer.sequence:
                raise AssertionError(f"a repeated {method} was not given its first answer: {again}")
        return answer if verb is not Verb.SOLD_OUT_LATE else None

    async def buy(self) -> bool:
        """Locks, then does what this buyer does. Whether a unit was locked."""
        buyer = self._buyer
        lock = op.LockRequest(
            reservation_id=buyer.reservation,
            lines=[op.OrderLine(sku=SKU, quantity=1)],
            region=REGION,
            hold=Duration(nanos=int(HOLD_SECONDS * 1e9) % 10**9, seconds=int(HOLD_SECONDS)),
            buyer=buyer.reservation,
        )
        if await self._ask("Lock", lock, Verb.LOCKED) is None:
            return False
        if buyer.behaviour is Behaviour.CANCELS:
            await self._ask("Unlock", op.UnlockRequest(reservation_id=buyer.reservation), Verb.CANCELLED)
        elif buyer.behaviour is not Behaviour.NEVER_PAYS:
            paid = await self._ask("Deduct", op.DeductRequest(reservation_id=buyer.reservation), Verb.PAID)
            if buyer.behaviour is Behaviour.PAYS_TWICE:
                await self._ask("Deduct", op.DeductRequest(reservation_id=buyer.reservation), Verb.PAID)
            if buyer.behaviour is Behaviour.CANCELS_LATE and paid is not None:
                await self._ask("Cancel", op.CancelRequest(reservation_id=buyer.reservation), Verb.CANCELLED)
        return True


async def _work(task: Task, note: Callable[[Entry], None]) -> None:
    channels = [
        grpc.aio.insecure_channel(
            task.address,
            options=[
                # Channels to one address share a connection unless their options differ.
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_reconnect_backoff_ms", 200),
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.enable_retries", 0),
            ],
        )
        for _ in range(task.connections)
    ]
    stubs = [stock_pb2_grpc.StockServiceStub(channel) for channel in channels]
    gate = asyncio.Semaphore(IN_FLIGHT_PER_WORKER)

    async def one(buyer: Buyer) -> None:
        async with gate:
            await Customer(stubs[buyer.number % len(stubs)], buyer, note).buy()

    async with asyncio.TaskGroup() as group:
        for buyer in crowd(task.seed, task.buyers, task.workers, task.worker):
            group.create_task(one(buyer))
    for channel in channels:
        await channel.close()


def work(task: Task, log: "Queue[Report]") -> None:
    """The body of a worker process: its share of the crowd, reported to `log`, then the end mark."""
    reporter = Reporter(log.put)
    asyncio.run(_work(task, reporter.note))
    reporter.end()
