# The face has its words here: there is no other source that Python's tools could read them from, and
# `format` is the name the projection's callers use.
# ruff: noqa: PYI021, A002
"""The Rust core: the engine, the fast lane, the projection's rows, offline reading.

Everything here hands bytes over and gets bytes back. No call holds the GIL while it waits. Errors of the
core are `CoreError`s with a sentence; refusals of a call are `Status` bytes, never exceptions.
"""

from collections.abc import Callable
from typing import Final, final

BUILD_PROFILE: Final[str]
"""`"release"` or `"debug"`."""

class CoreError(Exception):
    """The core cannot start or go on. The sentence says why; `code` is the process's exit code for it."""

    code: int

@final
class Engine:
    """The engine of one data directory. Safe to use from several threads; refuses use after a fork."""

    @staticmethod
    def open(settings: str) -> Engine:
        """Opens or creates the data directory and recovers.

        `settings` is JSON with the fields of `engine::Config` (see `compose.py`) and `retry_hint_ms`, what
        refusals under overload propose to wait (100). Raises CoreError when a setting is wrong, the directory
        is locked, the journal is damaged, or the database is ahead of it.
        """

    def recovery(self) -> str:
        """What recovery found, as JSON: sequence, snapshot_sequence, replayed, torn_bytes, seconds, notes."""

    def completions_fd(self) -> int:
        """An eventfd, readable when completions wait to be taken."""

    def call(self, method: str, request: bytes, token: int) -> tuple[bool, bytes] | None:
        """Runs one unary call, or one command of a stream (`.../Execute`: a `Command`, a `Result`).

        Returns `(ok, payload)` if the answer may leave at once, else None: it then comes out of
        `take_completions` with this token. `payload` is the response message, or a serialised
        `google.rpc.Status` when `ok` is false. `method` is the full name, `/lockstock.v1.StockService/Lock`.
        `journal` is to be called when nothing more is at hand.
        """

    def journal(self) -> None:
        """Has the journal begin with what `call` left: calls that come together share one sync."""

    def call_blocking(self, method: str, request: bytes) -> tuple[bool, bytes]:
        """Like `call`, waiting for durability without the GIL. For start-up, imports and tests."""

    def take_completions(self) -> list[tuple[int, bool, bytes]]:
        """All calls whose answers may leave: `(token, ok, payload)`. Resets the eventfd."""

    def status(self) -> str:
        """The fields of `engine::Status`, as JSON.

        state, ready, failure, sequence, durable_sequence, snapshot_sequence, state_hash, journal_id, durability,
        reservations, skus, open_locks, known_keys, in_flight, journal_bytes, disk_free_bytes and others.
        """

    def metrics(self) -> str:
        """Counters and histograms as JSON: a list of `[name, kind, help, [[labels, value], ...]]`.

        A value of a histogram says in the label `__series` which it is: `bucket` (cumulative, its upper bound in
        `le`), `sum` or `count`.
        """

    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def drain(self) -> None:
        """Refuses new calls (DRAINING); those in flight are answered."""

    def snapshot(self) -> tuple[int, int]:
        """Seals the segment, writes a snapshot; blocks. `(sequence, size in bytes)`."""

    def wait_failed(self, timeout: float) -> str | None:
        """Waits, without the GIL, until the engine has failed; the sentence, or None after `timeout` s."""

    def serve_fast_lane(
        self,
        address: str,
        settings: str,
        authorize: Callable[[dict[str, str | bytes], str], bool] | None = None,
    ) -> FastLane:
        """Starts the fast lane on `host:port` (port 0: any).

        `settings` is JSON, all of it optional: threads, message_bytes_max, connections_max,
        streams_per_connection_max, keepalive_interval_ms, keepalive_timeout_ms, header_list_bytes_max,
        stream_window. `authorize` is asked before every call with the caller's metadata and the full name of
        the method; None lets everybody call everything and keeps Python off the lane. Raises CoreError when a
        setting is wrong or the address cannot be bound.
        """

    def buyer_hash(self, buyer: str) -> str:
        """The keyed hash of a buyer as the projection has it: 32 hexadecimal digits; empty for nobody."""

    def projection_batch(self, after: int, max_events: int, format: str) -> Batch | None:
        """The next rows after sequence `after`, at most to the durable sequence; None when there are none.

        `format` is `"copy"` (PostgreSQL's COPY text) or `"json"` (one JSON array of arrays a table).
        """

    def close(self) -> None:
        """Syncs, stops every thread, releases the directory."""

@final
class FastLane:
    """The running fast lane."""

    @property
    def address(self) -> str: ...
    def shutdown(self, deadline: float) -> bool:
        """Stops accepting, sends GOAWAY, waits up to `deadline` seconds; whether all calls were answered."""

@final
class Batch:
    """Rows for one transaction of the projection."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def tables(self) -> list[tuple[str, str, int, bytes]]:
        """`(table, what the rows are to it, rows, formatted rows)`, in the order in which they must be written.

        Rows are to `append` (new ones, whole) or to `merge`.
        """

@final
class Offline:
    """A data directory opened for reading only, no engine running."""

    @staticmethod
    def open(
        data_dir: str, until: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Offline:
        """Replays the journal from its first record up to `until`, checking every invariant after every event.

        `progress` is told how many events are done, and how many there are in all: at the start, some 20 times a
        second at most, at the end. What it raises ends the replay and is raised here. Raises CoreError on damage,
        with segment and offset.
        """

    def summary(self) -> str:
        """What was found, as JSON.

        journal_id, sequence, state_hash, events, checkpoints, segments, torn_bytes, reservations, skus, totals of
        every counter, snapshots (each with sequence, state_hash, equal to the replay's, problem).
        """

    def expected_rows(self, table: str) -> bytes:
        """Every row a table must have, as one JSON array of arrays ordered by key.

        From the replayed state or, for the tables of history, from the journal.
        """

    @staticmethod
    def dump(data_dir: str, first: int, limit: int) -> list[str]:
        """Events as JSON, with names for indexes."""

def reasons() -> str:
    """The closed list of reasons, as JSON: number, name, code, retry (never, later, soon), metadata, words."""

def movements() -> str:
    """The table of movements, as JSON.

    number, name, owner, and `[[counter, sign], ...]` for each of cell, pool, sku, line, allocation, transfer,
    receipt.
    """

def columns() -> str:
    """The column table of the projection, as JSON: table -> key columns, delta columns, last-value columns."""

def refuse_huge_pages() -> None:
    """From now on take memory in small pages, on Linux: the zeroing of a huge one would hold buyers up."""

def route(
    asks: list[tuple[int, int]],
    offers: list[list[tuple[int, int]]],
    free: list[int],
    max_parcels: int,
    allow_partial: bool,
) -> str:
    """Who gives what to an order, by the engine's own chooser, as JSON.

    `asks` has `(index of the SKU, units)` for each line; `offers`, for each SKU, `(position, units above zero)` by
    position in the plan; `free`, for each SKU, what may be taken of it at most. `max_parcels` 0: no limit.

    `{"takes": [[line, position, units], ...], "refused": [[line, units], ...], "split_exact": true}`, lines from
    1; or `{"short": [index of the SKU, ...]}`; or `{"parcels_needed": n}`. Raises CoreError where the numbers make
    no order.
    """

def limits() -> str:
    """The limits of the contract and the defaults of the settable ones, as JSON: name -> whole number."""

__all__ = [
    "BUILD_PROFILE",
    "Batch",
    "CoreError",
    "Engine",
    "FastLane",
    "Offline",
    "columns",
    "limits",
    "movements",
    "reasons",
    "refuse_huge_pages",
    "route",
]
