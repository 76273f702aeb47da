"""Pieces on their way: some calls at once, in the order of the file, and again what only came too early."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import lockstock
from google.rpc import status_pb2

P = TypeVar("P")
A = TypeVar("A")

TRIES = 30
"""How often rows are sent again that the server was too busy for, each time after its own hint."""


class Lane(Generic[P, A]):
    """Up to `depth` pieces under way, each on a thread of its own; answers come in the order of the pieces."""

    def __init__(self, pool: ThreadPoolExecutor, depth: int, work: Callable[[P], A]) -> None:
        self._pool = pool
        self._depth = depth
        self._work = work
        self._under_way: deque[tuple[P, Future[A]]] = deque()

    def send(self, piece: P) -> Iterator[tuple[P, A]]:
        """Sends a piece when there is room; gives what was answered until then."""
        while len(self._under_way) >= self._depth:
            yield self._next()
        self._under_way.append((piece, self._pool.submit(self._work, piece)))

    def rest(self) -> Iterator[tuple[P, A]]:
        """Waits for all that is under way."""
        while self._under_way:
            yield self._next()

    def _next(self) -> tuple[P, A]:
        piece, answer = self._under_way.popleft()
        return piece, answer.result()


def until_judged(
    rows: list[P],
    send: Callable[[list[P]], list[A]],
    status_of: Callable[[A], status_pb2.Status | None],
    sleep: Callable[[float], Any] = time.sleep,
) -> list[A]:
    """The answer to every row, in order: rows refused with a retry hint are sent again, the others are not."""
    answers: dict[int, A] = {}
    waiting = list(range(len(rows)))
    for _ in range(TRIES):
        hint = 0.0
        early = []
        for number, answer in zip(waiting, send([rows[at] for at in waiting]), strict=True):
            answers[number] = answer
            status = status_of(answer)
            if status is not None and (wait := lockstock.LockstockError.from_status(status).retry_after):
                early.append(number)
                hint = max(hint, wait)
        if not early:
            break
        waiting = early
        sleep(hint)
    return [answers[number] for number in range(len(rows))]
