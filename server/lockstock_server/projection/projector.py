"""The projector: a thread that follows the engine and writes what it says into the database."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from lockstock_server._core import CoreError
from lockstock_server.errors import ExitCode
from lockstock_server.projection import database
from lockstock_server.projection.ahead import Ahead, Feed
from lockstock_server.projection.errors import (
    DatabaseAwayError,
    JournalAwayError,
    ProjectionError,
    StalePositionError,
)
from lockstock_server.projection.migrate import migrate
from lockstock_server.projection.writer import Rows, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKOFF_FIRST: Final = 0.1
# Beyond the deadline of a stop: a transaction that is under way may end.
_LAST_WRITE: Final = 1.0
# As nice as a thread can be: at 10 its two threads took a third of the sales from a core that was busy selling, at 19
# next to nothing, and followed nearly as fast.
_NICE: Final = 19


class ProjectorState(enum.Enum):
    """How the projector stands."""

    STARTING = "STARTING"
    """It has not reached the database yet."""
    FOLLOWING = "FOLLOWING"
    """It writes what the engine says."""
    AWAY = "AWAY"
    """The database cannot be used, or the journal not be read; it is tried again and again."""
    REFUSED = "REFUSED"
    """Journal and database do not belong together, or the rows cannot be made: it has given up."""
    STOPPED = "STOPPED"
    """It was stopped."""


@dataclass(frozen=True, slots=True)
class ProjectorStatus:
    """How the projector stands, at one moment."""

    state: ProjectorState
    sequence: int
    """The last event known to be in the database."""
    batches: int = 0
    """Transactions written since the start."""
    rows: int = 0
    """Rows written since the start."""
    failures: int = 0
    """How often the database could not be used, or the journal not be read, since the start."""
    last_error: str | None = None
    """What was said when it last was so, or why it was refused."""

    @property
    def connected(self) -> bool:
        """Whether the database takes what is written."""
        return self.state is ProjectorState.FOLLOWING


class Projector:
    """Follows an engine into a database until it is stopped. Owns two threads and one connection."""

    def __init__(
        self,
        feed: Feed,
        url: str,
        *,
        max_events: int = 10_000,
        poll_interval: float = 0.02,
        backoff_max: float = 5.0,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """Takes nothing into use yet.

        `max_events` are folded into one transaction at most; `poll_interval` seconds pass between looking for
        new events when there are none; `backoff_max` seconds at most between tries while the database is
        away; `now` gives microseconds since 1970-01-01 UTC.

        Raises ProjectionError when the URL makes no sense.
        """
        self._feed = feed
        self._engine = database.open_database(url)
        self._writer = Writer(self._engine, journal_id=_text(feed, "journal_id"))
        self._batches = Ahead(feed, max_events, self._writer.format, prepare=_give_way)
        self._poll_interval = poll_interval
        self._backoff_max = backoff_max
        self._now = now
        self._changed = threading.Condition()
        self._status = ProjectorStatus(ProjectorState.STARTING, sequence=0)
        self._wake = threading.Event()
        self._finishing = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)

    @property
    def status(self) -> ProjectorStatus:
        """How it stands now."""
        with self._changed:
            return self._status

    def start(self) -> None:
        """Brings the schema up to date, checks that journal and database belong together, begins to follow.

        A database that is away does not stop the start: it is tried again in the background. Raises
        ProjectionError when journal and database do not belong together.
        """
        try:
            self._connect()
        except DatabaseAwayError as error:
            self._note_away(error)
        except ProjectionError as error:
            self._set(state=ProjectorState.REFUSED, last_error=str(error))
            self._engine.dispose()
            raise
        self._thread.start()

    def wake(self) -> None:
        """Makes it look for new events, or try the database again, at once."""
        self._wake.set()

    def wait_for(self, sequence: int, timeout: float) -> bool:
        """Waits until the database stands at `sequence` or later; whether it did in `timeout` seconds."""
        return self.wait_until(lambda status: status.sequence >= sequence, timeout)

    def wait_until(self, condition: Callable[[ProjectorStatus], bool], timeout: float) -> bool:
        """Waits until the status is as wanted, or will not change any more; whether it is as wanted."""
        ended = {ProjectorState.REFUSED, ProjectorState.STOPPED}
        with self._changed:
            self._changed.wait_for(lambda: condition(self._status) or self._status.state in ended, timeout)
            return condition(self._status)

    def stop(self, deadline: float) -> bool:
        """Writes what is durable, for at most `deadline` seconds, and ends the thread.

        Whether the database stands at the durable sequence. One that is away is asked once more and not waited for.
        What is missing is written after the next start.
        """
        durable = _number(self._feed, "durable_sequence")
        self._finishing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline)
            self._stopping.set()
            self._wake.set()
            self._thread.join(_LAST_WRITE)
        self._batches.close()
        self._engine.dispose()
        if self.status.state is not ProjectorState.REFUSED:
            self._set(state=ProjectorState.STOPPED)
        return self.status.sequence >= durable

    def _run(self) -> None:
        _give_way()
        backoff = _BACKOFF_FIRST
        while not self._stopping.is_set():
            try:
                if not self.status.connected:
                    self._connect()
                    backoff = _BACKOFF_FIRST
                if not self._step():
                    if self._finishing.is_set():
                        return
                    self._pause(self._poll_interval)
            except (DatabaseAwayError, JournalAwayError) as error:
                self._note_away(error)
                if self._finishing.is_set():
                    return
                self._pause(backoff)
                backoff = min(2 * backoff, self._backoff_max)
            except StalePositionError as error:
                # Another projector was here: what it wrote is as good as ours. Go on from where it stands.
                self._note_away(DatabaseAwayError(str(error)))
            except Exception as error:  # noqa: BLE001 - whatever ends this thread must be seen in the status
                self._set(state=ProjectorState.REFUSED, last_error=str(error) or type(error).__name__)
                return

    def _connect(self) -> None:
        try:
            migrate(self._engine)
        except SQLAlchemyError as error:
            raise database.away(error) from error
        found = self._writer.position()
        durable = _number(self._feed, "durable_sequence")
        if found.sequence > durable:
            raise ProjectionError(
                f"The database stands at sequence {found.sequence}, but the journal ends at {durable}: the"
                " journal has lost its end, or is an older copy. Bring the right one back, or drop the tables"
                " with `lockstock rebuild`."
            )
        self._set(state=ProjectorState.FOLLOWING, sequence=found.sequence)

    def _step(self) -> bool:
        """Writes one batch; whether there was one."""
        self._wake.clear()
        after = self.status.sequence
        batch = self._next(after)
        if batch is None:
            return False
        rows = self._writer.write(batch, self._now())
        before = self.status
        self._set(sequence=batch.last, batches=before.batches + 1, rows=before.rows + rows)
        return True

    def _next(self, after: int) -> Rows | None:
        try:
            return self._batches.after(after)
        except CoreError as error:
            if error.code == ExitCode.DATA:
                raise JournalAwayError(str(error)) from error
            raise

    def _note_away(self, error: DatabaseAwayError | JournalAwayError) -> None:
        # A connection that failed is not trusted again.
        self._engine.dispose()
        failures = self.status.failures + 1
        self._set(state=ProjectorState.AWAY, last_error=str(error), failures=failures)

    def _pause(self, seconds: float) -> None:
        # A stop wakes it once; after that, only the last call interrupts a pause.
        (self._stopping if self._finishing.is_set() else self._wake).wait(seconds)

    def _set(self, **changes: Any) -> None:
        with self._changed:
            self._status = replace(self._status, **changes)
            self._changed.notify_all()


def _give_way() -> None:
    """Selling comes before catching up: on Linux, where it is a thread's own affair how nice it is."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, _NICE)


def _text(feed: Feed, field: str) -> str:
    return str(json.loads(feed.status())[field])


def _number(feed: Feed, field: str) -> int:
    return int(json.loads(feed.status())[field])
