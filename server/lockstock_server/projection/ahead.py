"""Batches, the next one made while one is being written: the database waits for nothing but its rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from lockstock_server.projection.writer import Rows


class Feed(Protocol):
    """The engine as the projector sees it (`_core.Engine`)."""

    def projection_batch(self, after: int, max_events: int, format: str) -> Rows | None:  # noqa: A002 - its name
        """Give the next rows after a sequence, or None when there are none.

        Raises CoreError; with the code `ExitCode.DATA` it may be over when the same is asked again.
        """

    def status(self) -> str:
        """Tell how the engine stands, as JSON: `journal_id` and `durable_sequence` are read."""


class Ahead:
    """Makes batches for one caller. One at most is made ahead, so that memory holds two."""

    def __init__(self, feed: Feed, max_events: int, of_format: str, prepare: Callable[[], None]) -> None:
        """Takes nothing into use yet; `prepare` is called first on the thread that works ahead."""
        self._feed = feed
        self._max_events = max_events
        self._format = of_format
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="projector-ahead", initializer=prepare)
        self._made: dict[int, Future[Rows | None]] = {}

    def after(self, sequence: int) -> Rows | None:
        """Gives the next rows after a sequence, or None; raises what the feed raises.

        A batch that is full is hardly the last one: the one behind it is begun at once.
        """
        made = self._made.pop(sequence, None)
        # What was made for another place is of no use any more.
        self._made.clear()
        batch = made.result() if made is not None else self._make(sequence)
        if batch is not None and batch.last - sequence >= self._max_events:
            self._made[batch.last] = self._worker.submit(self._make, batch.last)
        return batch

    def close(self) -> None:
        """Waits for what is being made, and ends the thread."""
        self._worker.shutdown()

    def _make(self, sequence: int) -> Rows | None:
        return self._feed.projection_batch(sequence, self._max_events, self._format)
