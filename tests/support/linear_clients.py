"""Clients that write down what they saw: when a call was sent, when it was answered, and with what.

Every choice comes from a seed. Several threads of several processes share few units, so that they meet; a
command of which no answer came is sent again under its request id, at the other door, or left alone for good.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import lockstock
from lockstock.client import CHANNEL_OPTIONS
from lockstock.retry import Retries, fill
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from support.linear import Call, Fact, Read, Refused, Write
from support.linear_facts import facts_of, facts_of_refusal
from support.linear_requests import SKUS, Chooser

PATIENCE_SECONDS = 60.0
TRIES_MAX = 5
ONCE = Retries(attempts=1)
# A server that was killed is back within a second: nobody waits longer before the next try.
OPTIONS = (*CHANNEL_OPTIONS, ("grpc.max_reconnect_backoff_ms", 200))

NAMES = {name: name.upper() for name in op.Command.DESCRIPTOR.fields_by_name}
METHODS = {name: "".join(part.title() for part in name.split("_")) for name in NAMES}


@dataclass(frozen=True, slots=True)
class Script:
    """What one process of clients does."""

    seed: int
    process: int
    doors: tuple[str, str]
    threads: int
    calls: int
    """Of each thread."""


def run(script: Script) -> list[Call]:
    """Runs the clients of one process; everything they saw."""
    made: list[str] = []
    with ThreadPoolExecutor(script.threads) as pool:
        done = [pool.submit(partial(_client, script, thread, made)) for thread in range(script.threads)]
        return [call for client in done for call in client.result()]


def _client(script: Script, thread: int, made: list[str]) -> list[Call]:
    channels = [grpc.insecure_channel(address, options=OPTIONS) for address in script.doors]
    try:
        client = Client(
            name=f"s{script.seed}-p{script.process}-t{thread}",
            choose=Chooser(random.Random(f"{script.seed}/{script.process}/{thread}"), made),
            doors=[lockstock.Client(channel, ONCE) for channel in channels],
        )
        for number in range(script.calls):
            client.call(number)
        return client.seen
    finally:
        for channel in channels:
            channel.close()


@dataclass
class Client:
    """One thread's client, with a connection to each door."""

    name: str
    choose: Chooser
    doors: list[lockstock.Client]
    seen: list[Call] = field(default_factory=list)

    def call(self, number: int) -> None:
        """One call, chosen by chance."""
        what = self.choose.draw.choices(("write", "read", "batch", "stream"), (55, 35, 5, 5))[0]
        door = self.choose.draw.choice(self.doors)
        if what == "write":
            self._write(door, self.choose.command(f"{self.name}-{number}"))
        elif what == "read":
            self._read(door)
        else:
            count = self.choose.draw.randint(2, 8)
            commands = [self.choose.command(f"{self.name}-{number}-{at}") for at in range(count)]
            for command in commands:
                fill(command)
            (self._batch if what == "batch" else self._stream)(door, commands, f"{self.name}-{number}")

    def _write(self, door: lockstock.Client, command: op.Command) -> None:
        """One command: sent again under its id while no answer comes, unless chance leaves it at that."""
        name = str(command.WhichOneof("operation"))
        request = getattr(command, name)
        # So short that some calls end while they are being served.
        timeout = (
            self.choose.draw.uniform(0.001, 0.006) if self.choose.draw.random() < 0.1 else PATIENCE_SECONDS
        )
        first = time.monotonic_ns()
        for attempt in range(TRIES_MAX):
            sent = time.monotonic_ns()
            try:
                answer = getattr(door.stock, METHODS[name])(request, timeout=timeout)
            except lockstock.LockstockError as error:
                if answered(error):
                    self._refused(command, sent, error, again=attempt > 0)
                    if attempt > 0:
                        self._unknown(command, first)
                    return
            else:
                self._granted(command, first, answer)
                return
            if self.choose.draw.random() < 0.4:
                break
            timeout = PATIENCE_SECONDS
            door = self.doors[1 - self.doors.index(door)]
            wait_until_served(door)
        self._unknown(command, first)

    def _batch(self, door: lockstock.Client, commands: list[op.Command], stream: str) -> None:
        sent = time.monotonic_ns()
        try:
            answer = door.stock.ExecuteBatch(
                stock.ExecuteBatchRequest(commands=commands), timeout=PATIENCE_SECONDS
            )
        except lockstock.LockstockError:
            for command in commands:
                self._unknown(command, sent, stream)
            wait_until_served(door)
            return
        for command, result in zip(commands, answer.results, strict=True):
            self._result(command, sent, result, stream)

    def _stream(self, door: lockstock.Client, commands: list[op.Command], stream: str) -> None:
        sent: list[int] = []

        def sending() -> Iterator[op.Command]:
            for command in commands:
                sent.append(time.monotonic_ns())
                yield command

        results = 0
        try:
            for result in door.execute(sending()):
                self._result(commands[results], sent[results], result, stream)
                results += 1
        except lockstock.LockstockError:
            # Those that were not sent will never take effect: unknown says less, and is true.
            now = time.monotonic_ns()
            for at in range(results, len(commands)):
                self._unknown(commands[at], sent[at] if at < len(sent) else now, stream)
            wait_until_served(door)

    def _result(self, command: op.Command, sent: int, result: op.Result, stream: str) -> None:
        if result.HasField("answer"):
            self._granted(command, sent, result.answer, stream)
        else:
            self._refused(command, sent, lockstock.LockstockError.from_status(result.status), again=False)

    def _granted(self, command: op.Command, sent: int, answer: op.Answer, stream: str = "") -> None:
        now = time.monotonic_ns()
        moved = tuple((move.kind, move.sku, move.warehouse, move.quantity) for move in answer.movements)
        self.seen.append(_written(command, sent, stream, now, answer.sequence, moved))
        self._remember(command)

    def _unknown(self, command: op.Command, sent: int, stream: str = "") -> None:
        self.seen.append(_written(command, sent, stream))
        self._remember(command)

    def _remember(self, command: op.Command) -> None:
        if command.WhichOneof("operation") in {"lock", "lock_and_deduct"}:
            self.choose.made.append(_request(command).reservation_id)

    def _refused(
        self, command: op.Command, sent: int, error: lockstock.LockstockError, *, again: bool
    ) -> None:
        request_id = "" if again else _request(command).cause.request_id
        now = time.monotonic_ns()
        self.seen.append(Refused(sent, now, request_id, error.reason, facts_of_refusal(command, error)))

    def _read(self, door: lockstock.Client) -> None:
        method, request = self.choose.question()
        sent = time.monotonic_ns()
        try:
            answer = getattr(door.stock, method)(request, timeout=PATIENCE_SECONDS)
        except lockstock.LockstockError as error:
            now = time.monotonic_ns()
            if error.reason == "RESERVATION_NOT_FOUND":
                known = Fact((("known", error.metadata["reservation"]),), 0)
                self.seen.append(Refused(sent, now, "", error.reason, (known,)))
            elif answered(error):
                raise
            else:
                wait_until_served(door)
        else:
            self.seen.append(Read(sent, time.monotonic_ns(), answer.sequence, facts_of(request, answer)))


def answered(error: lockstock.LockstockError) -> bool:
    """Whether the server has judged the call: a lost connection, a time-out and a stop say nothing of it."""
    return error.reason not in {"", "DRAINING"}


def wait_until_served(door: lockstock.Client) -> None:
    """Waits until the server takes calls again, if it was killed."""
    try:
        door.stock.GetStock(stock.GetStockRequest(sku=SKUS[0]), timeout=PATIENCE_SECONDS, wait_for_ready=True)
    except lockstock.LockstockError as error:
        if answered(error):
            raise


def _request(command: op.Command) -> Any:
    return getattr(command, str(command.WhichOneof("operation")))


def _written(
    command: op.Command,
    sent: int,
    stream: str,
    now: int | None = None,
    sequence: int = 0,
    moved: tuple[tuple[str, str, str, int], ...] = (),
) -> Write:
    name = str(command.WhichOneof("operation"))
    request = _request(command)
    units = None
    # What names no number takes what there is; a set's units depend on what it finds; a deadline moves none.
    if name not in {"deduct", "ship", "cancel", "set", "extend"} and request.lines:
        units = sum(line.quantity for line in request.lines)
    request_id = request.cause.request_id
    return Write(sent, now, request_id, NAMES[name], sequence, moved, units, stream)
