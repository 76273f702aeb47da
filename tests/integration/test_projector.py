"""The projector: it follows, survives what databases do, and never leaves the journal's path."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from lockstock_server._core import CoreError
from lockstock_server.errors import ExitCode
from lockstock_server.projection import rebuild
from lockstock_server.projection.database import open_database
from lockstock_server.projection.difference import Comparison, compare_database
from lockstock_server.projection.errors import DatabaseAwayError, ProjectionError
from lockstock_server.projection.projector import Projector, ProjectorState, ProjectorStatus
from projection_journal import Batch, Journal
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockstock_server.progress import Step
    from support.postgresql import PostgreSQL

SOON = 60.0


@contextmanager
def following(journal: Journal, url: str, most: int = 50) -> Iterator[Projector]:
    projector = Projector(journal, url, max_events=most, poll_interval=0.001, backoff_max=0.05)
    projector.start()
    try:
        yield projector
    finally:
        projector.stop(SOON)


@contextmanager
def growing(journal: Journal, *projectors: Projector) -> Iterator[None]:
    """Appends for as long as the block runs, a little ahead of the projectors."""
    enough = threading.Event()

    def grow() -> None:
        while not enough.wait(0.001):
            if len(journal.events) < min(projector.status.sequence for projector in projectors) + 40:
                journal.append(1)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def compared(url: str, journal: Journal) -> Comparison:
    engine = open_database(url)
    try:
        return compare_database(engine, journal.replay)
    finally:
        engine.dispose()


def assert_exact(url: str, journal: Journal) -> None:
    found = compared(url, journal)
    assert (found.sequence, found.differences) == (len(journal.events), [])


def failed_again(after: int) -> Callable[[ProjectorStatus], bool]:
    return lambda status: status.state is ProjectorState.AWAY and status.failures > after


def test_it_follows_and_stops_with_everything_written(url: str) -> None:
    journal = Journal(random.Random(1))
    journal.append(100)
    with following(journal, url) as projector:
        assert projector.wait_for(100, SOON)
        journal.append(3)
        projector.wake()
        assert projector.wait_for(103, SOON)
        assert projector.status.connected
        journal.append(200)
        assert projector.stop(SOON)
        assert projector.status.state is ProjectorState.STOPPED
        assert projector.status.batches >= 7
    assert_exact(url, journal)


def test_the_database_is_an_exact_prefix_whenever_it_is_read_under_load(url: str) -> None:
    journal = Journal(random.Random(2))
    sequences = []
    with following(journal, url, most=7) as projector, growing(journal, projector):
        for _ in range(15):
            assert projector.wait_for(projector.status.sequence + 1, SOON)
            found = compared(url, journal)
            assert found.differences == []
            sequences.append(found.sequence or 0)
    assert sequences == sorted(sequences)
    assert sequences[-1] > sequences[0]
    assert_exact(url, journal)


def test_after_a_restart_it_goes_on_where_the_database_stands(url: str) -> None:
    journal = Journal(random.Random(3))
    for run in range(1, 6):
        journal.append(30)
        with following(journal, url, most=11) as projector:
            assert projector.status.sequence == (run - 1) * 30 or projector.status.batches > 0
            assert projector.wait_for(run * 30, SOON)
            assert projector.status.batches <= 3 + run
        assert_exact(url, journal)


class RefusedFiles(Journal):
    """A journal whose files cannot be opened a few times, as where a process has too many of them open."""

    refusals = 3
    code = ExitCode.DATA

    def projection_batch(self, after: int, max_events: int, format: str) -> Batch | None:  # noqa: A002
        if self.refusals:
            self.refusals -= 1
            error = CoreError("cannot open a segment: Too many open files (os error 24)")
            error.code = self.code
            raise error
        return super().projection_batch(after, max_events, format)


def test_a_journal_that_cannot_be_read_for_a_while_is_tried_again(url: str) -> None:
    journal = RefusedFiles(random.Random(8))
    journal.append(30)
    with following(journal, url) as projector:
        assert projector.wait_for(30, SOON)
        assert projector.status.failures == 3
        assert "Too many open files" in str(projector.status.last_error)
    assert_exact(url, journal)


def test_a_journal_that_cannot_be_read_for_good_is_given_up(url: str) -> None:
    journal = RefusedFiles(random.Random(8))
    journal.code = ExitCode.DATABASE
    journal.append(30)
    with following(journal, url) as projector:
        assert projector.wait_until(lambda status: status.state is ProjectorState.REFUSED, SOON)


class CrashingJournal(Journal):
    """The n-th batch is cut off in the middle, as if the process had died while it was sent."""

    crash_at = 3

    def projection_batch(self, after: int, max_events: int, format: str) -> Batch | None:  # noqa: A002
        batch = super().projection_batch(after, max_events, format)
        if batch is not None:
            self.crash_at -= 1
            if self.crash_at == 0:
                name, puts, count, rows = batch.tables[-1]
                batch.tables[-1] = (name, puts, count, rows[: len(rows) // 2] + b'"')
        return batch


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread's priority is its process's")
def test_it_gives_way_to_the_threads_that_sell(url: str) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    journal = NiceJournal(random.Random(9))
    journal.append(1)
    with following(journal, url) as projector:
        assert projector.wait_for(1, SOON)
    assert journal.seen == 19
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@dataclass
class JournalAskedAhead(Journal):
    """Its first batch is written for as long as nobody asks for the second."""

    asked: threading.Event = field(default_factory=threading.Event)

    def projection_batch(self, after: int, max_events: int, format: str) -> Batch | None:  # noqa: A002
        batch = super().projection_batch(after, max_events, format)
        if after:
            self.asked.set()
        elif batch is not None:
            batch.tables = WaitingSheets(batch.tables)
            batch.tables.until = self.asked
        return batch


class WaitingSheets(list[tuple[str, str, int, bytes]]):
    """The sheets of a batch, which are not there before their time."""

    until: threading.Event

    def __iter__(self) -> Iterator[tuple[str, str, int, bytes]]:
        assert self.until.wait(SOON)
        return super().__iter__()


def test_the_next_batch_is_made_while_one_is_written(url: str) -> None:
    journal = JournalAskedAhead(random.Random(10))
    journal.append(60)
    with following(journal, url, most=20) as projector:
        assert projector.wait_for(60, SOON)
        assert (projector.status.failures, projector.status.batches) == (0, 3)
    assert_exact(url, journal)


class NiceJournal(Journal):
    """A journal that notes how nice the thread is that reads it."""

    seen: int | None = None

    def projection_batch(self, after: int, max_events: int, format: str) -> Batch | None:  # noqa: A002
        self.seen = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return super().projection_batch(after, max_events, format)


def test_a_batch_that_breaks_off_in_the_middle_is_written_again_as_a_whole(url: str) -> None:
    journal = CrashingJournal(random.Random(4))
    journal.append(120)
    with following(journal, url, most=20) as projector:
        assert projector.wait_for(120, SOON)
        assert projector.status.failures == 1
        assert projector.status.last_error
    assert_exact(url, journal)


def test_two_projectors_at_once_write_every_event_once(url: str) -> None:
    journal = Journal(random.Random(5))
    with following(journal, url, most=5) as first, following(journal, url, most=3) as second:
        with growing(journal, first, second):
            assert first.wait_for(60, SOON)
            assert second.wait_for(60, SOON)
        wanted = len(journal.events)
        assert first.wait_for(wanted, SOON)
        assert second.wait_for(wanted, SOON)
    assert_exact(url, journal)


def test_dropped_while_it_runs_it_is_built_again_the_same_to_the_row(url: str) -> None:
    journal = Journal(random.Random(6))
    journal.append(150)
    with following(journal, url) as projector:
        assert projector.wait_for(150, SOON)
        rebuild.drop(url)
        journal.append(1)
        assert projector.wait_until(lambda status: status.failures > 0, SOON)
        assert projector.wait_until(lambda status: status.connected and status.sequence == 151, SOON)
    assert_exact(url, journal)


def test_dropped_while_it_is_stopped_it_is_built_again_the_same_to_the_row(
    new_url: Callable[[], str],
) -> None:
    journal = Journal(random.Random(7))
    journal.append(200)
    urls = [new_url(), new_url()]
    for url in urls:
        with following(journal, url, most=31) as projector:
            assert projector.wait_for(200, SOON)
    rebuild.drop(urls[0])
    with following(journal, urls[0], most=200) as projector:
        assert projector.wait_for(200, SOON)
    for url in urls:
        assert_exact(url, journal)


def test_it_is_built_offline_and_tells_how_far_it_is(url: str) -> None:
    journal = Journal(random.Random(17))
    journal.append(120)
    told: list[tuple[int, int]] = []

    def watch(_work: str) -> Step:
        return lambda done, in_all: told.append((done, in_all))

    assert rebuild.build(journal, url, watch) == 120
    assert (told[0], told[-1]) == ((0, 120), (120, 120))
    assert told == sorted(told)
    assert_exact(url, journal)
    journal.append(5)
    rebuild.drop(url)
    assert rebuild.build(journal, url) == 125
    assert_exact(url, journal)


def test_a_build_that_cannot_go_on_says_why(url: str) -> None:
    journal = Journal(random.Random(18))
    journal.append(20)
    with following(journal, url) as projector:
        assert projector.wait_for(20, SOON)
    other = Journal(random.Random(19), journal_id="0190a000-0000-4000-8000-000000000002")
    with pytest.raises(ProjectionError, match="belongs to journal"):
        rebuild.build(other, url)
    with pytest.raises(DatabaseAwayError):
        rebuild.build(journal, "sqlite:////nowhere/at/all.sqlite3")


def test_the_database_of_another_journal_refuses_the_start(url: str) -> None:
    journal = Journal(random.Random(8))
    journal.append(10)
    with following(journal, url) as projector:
        assert projector.wait_for(10, SOON)
    stranger = Journal(random.Random(8), journal_id="0190a000-0000-4000-8000-00000000dddd")
    stranger.append(10)
    projector = Projector(stranger, url)
    with pytest.raises(ProjectionError, match="belongs to journal 0190a000-0000-4000-8000-000000000001"):
        projector.start()
    assert projector.status.state is ProjectorState.REFUSED
    assert_exact(url, journal)


def test_a_database_that_is_ahead_of_the_journal_refuses_the_start(url: str) -> None:
    journal = Journal(random.Random(9))
    journal.append(10)
    with following(journal, url) as projector:
        assert projector.wait_for(10, SOON)
    lost = Journal(random.Random(9), events=journal.events[:9])
    with pytest.raises(ProjectionError, match="stands at sequence 10, but the journal ends at 9"):
        Projector(lost, url).start()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/name", "mongodb://x"])
def test_a_url_that_makes_no_sense_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ProjectionError, match=r"\.$"):
        Projector(Journal(random.Random(10)), url)


def test_a_database_locked_by_another_is_away_and_comes_back(
    new_sqlite: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockstock_server.projection.database._BUSY_SECONDS", 0.01)
    url = new_sqlite()
    journal = Journal(random.Random(11))
    journal.append(10)
    with following(journal, url) as projector:
        assert projector.wait_for(10, SOON)
        other = sqlite3.connect(str(make_url(url).database), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        journal.append(10)
        assert projector.wait_until(failed_again(1), SOON)
        assert "locked" in (projector.status.last_error or "")
        assert projector.status.sequence == 10
        other.execute("ROLLBACK")
        other.close()
        assert projector.wait_for(20, SOON)
    assert_exact(url, journal)


def test_a_server_that_goes_away_under_load_is_caught_up_with_when_it_is_back(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    journal = Journal(random.Random(12))
    with following(journal, url) as projector:
        with growing(journal, projector):
            assert projector.wait_for(50, SOON)
            postgresql.stop()
            try:
                assert projector.wait_until(failed_again(2), SOON)
                reached = projector.status.sequence
                assert not projector.status.connected
                assert projector.status.last_error
            finally:
                postgresql.start()
            assert projector.wait_for(reached + 50, SOON)
            assert compared(url, journal).differences == []
        assert projector.wait_for(len(journal.events), SOON)
    assert_exact(url, journal)


def test_a_database_that_is_away_does_not_stop_the_start(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    journal = Journal(random.Random(13))
    journal.append(30)
    postgresql.stop()
    try:
        projector = Projector(journal, url, poll_interval=0.001, backoff_max=0.05)
        projector.start()
        assert projector.status.state is ProjectorState.AWAY
        assert projector.wait_until(failed_again(1), SOON)
    finally:
        postgresql.start()
    assert projector.wait_for(30, SOON)
    assert projector.stop(SOON)
    assert_exact(url, journal)


def test_a_stop_does_not_wait_for_a_database_that_is_away(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    journal = Journal(random.Random(14))
    projector = Projector(journal, url, poll_interval=0.001, backoff_max=0.05)
    projector.start()
    postgresql.stop()
    try:
        journal.append(5)
        assert projector.wait_until(failed_again(0), SOON)
        an_hour = 3_600.0
        assert not projector.stop(an_hour)
        assert projector.status.state is ProjectorState.STOPPED
    finally:
        postgresql.start()
    with following(journal, url) as again:
        assert again.wait_for(5, SOON)
    assert_exact(url, journal)


def test_connections_cut_in_the_middle_of_everything_lose_nothing(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    journal = Journal(random.Random(15))
    knife = create_engine(url, isolation_level="AUTOCOMMIT")
    cut = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with following(journal, url, most=3) as projector, growing(journal, projector):
        for _ in range(20):
            with knife.connect() as connection:
                while not connection.execute(cut).scalar_one():
                    projector.wake()
            assert projector.wait_for(projector.status.sequence + 4, SOON)
    knife.dispose()
    assert projector.status.sequence == len(journal.events)
    assert_exact(url, journal)
