"""What is run, and what is compared with what. The table of issue and page is `YARDSTICKS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.figures import Bound
from harness.load import Duration, Outcome, Shape, load
from peers import Peer, floor
from peers.echo import Echo
from peers.lockstock import Lockstock
from peers.postgresql import PostgreSQL
from peers.redis import Redis

ASYNC = {"LOCKSTOCK_DURABILITY": "async"}
BOTH = ("lock", "deduct")

OURS = Lockstock("ours")
OURS_ASYNC = Lockstock("ours, durability=async", settings=ASYNC)
OURS_SQLITE = Lockstock("ours, projecting into SQLite", projection="sqlite")
PYTHON = Lockstock("ours, Python door", door="Python door")
REDIS = Redis("Redis always", durable=True)
REDIS_MEMORY = Redis("Redis without persistence", durable=False)
POSTGRESQL = PostgreSQL()
TONIC = Echo("tonic echo")
AIO = Echo("grpc.aio echo")

ALL: tuple[Peer, ...] = (OURS, OURS_ASYNC, OURS_SQLITE, PYTHON, REDIS, REDIS_MEMORY, POSTGRESQL, TONIC, AIO)


@dataclass(frozen=True, slots=True)
class Case:
    """A peer under one load."""

    key: str
    peer: Peer
    shape: Shape

    @property
    def name(self) -> str:
        return self.peer.name

    @property
    def words(self) -> str:
        return self.shape.words() + (f", {self.shape.skus:,} rows" if self.shape.skus > 1 else "")

    def missing(self) -> str:
        return self.peer.missing()

    def run(self, directory: Path, duration: Duration) -> list[Outcome]:
        with self.peer.running(directory, self.shape.skus) as target:
            return load(target, self.shape, duration)


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor: nothing is served."""

    key: str
    name: str
    words: str
    measure: Callable[[Path, Duration], list[Outcome]]

    def missing(self) -> str:
        return ""

    def run(self, directory: Path, duration: Duration) -> list[Outcome]:
        return self.measure(directory, duration)


def _redis(connections: int, pipeline: int) -> Shape:
    return Shape("redis", connections=connections, batch=pipeline, work=BOTH)


CASES: tuple[Case | Floor, ...] = (
    Case("ours", OURS, Shape("unary", in_flight=50, work=BOTH)),
    Case("redis", REDIS, _redis(50, 1)),
    Case("redis-memory", REDIS_MEMORY, _redis(50, 1)),
    Case("ours-8", OURS, Shape("unary", connections=8, in_flight=6)),
    Case("ours-50", OURS, Shape("unary", connections=50)),
    Case("ours-sqlite", OURS_SQLITE, Shape("unary", in_flight=50)),
    Case("ours-async", OURS_ASYNC, Shape("unary", in_flight=50)),
    Case("echo", TONIC, Shape("unary", in_flight=50)),
    Case("ours-streams", OURS, Shape("stream", streams=16, in_flight=16)),
    Case("redis-16", REDIS, _redis(50, 16)),
    Case("redis-100", REDIS, _redis(50, 100)),
    Case("redis-memory-16", REDIS_MEMORY, _redis(50, 16)),
    Case("redis-memory-100", REDIS_MEMORY, _redis(50, 100)),
    Case("ours-8190", OURS, Shape("batch", batch=8_190, work=BOTH)),
    Floor("floor-lock", "floor: the stock rule", "in memory, in a loop", floor.locks),
    Case("ours-100", OURS, Shape("batch", connections=8, batch=100, work=BOTH)),
    Case("ours-8x1", OURS, Shape("unary", connections=8)),
    Case("postgresql", POSTGRESQL, Shape("postgres", connections=8, work=BOTH)),
    Case("postgresql-rows", POSTGRESQL, Shape("postgres", connections=8, work=BOTH, skus=10_000)),
    Case("ours-rows", OURS, Shape("unary", in_flight=50, skus=10_000)),
    Case("ours-1", OURS, Shape("unary")),
    Case("redis-1", REDIS, _redis(1, 1)),
    Case("echo-1", TONIC, Shape("unary")),
    Floor("floor-sync", "floor: the sync", "append to a preallocated segment", floor.sync),
    Case("python", PYTHON, Shape("unary", in_flight=64)),
    Case("aio", AIO, Shape("unary", in_flight=64)),
    Case("python-order", PYTHON, Shape("unary", in_flight=64, work=("place",), lines=3, skus=1_000)),
    Case("aio-order", AIO, Shape("unary", in_flight=64, work=("place",), lines=3, skus=1_000)),
)

RATE, CPU, P50 = "rate", "server_cpu_us", "p50"
MEASURES = {RATE: "commands a second", CPU: "us of server CPU a command", P50: "us at the median"}

Place = tuple[str, str]
"""A case and a phase of it."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A figure of ours, what it is measured against, and what it must reach."""

    work: str
    measure: str
    ours: Place
    theirs: tuple[Place, ...] = ()
    """Summed; none: the figure stands by itself."""
    bound: Bound | None = None
    inverse: bool = False
    """Theirs over ours: how many times less."""
    why: str = ""
    """Where it is missed, what stands in the way, as far as the profile shows it."""


def _rate(work: str, ours: Place, theirs: Place, least: float | None, why: str = "") -> Yardstick:
    return Yardstick(work, RATE, ours, (theirs,), None if least is None else Bound(least), why=why)


def _less_cpu(work: str, ours: Place, theirs: Place, least: float, why: str = "") -> Yardstick:
    return Yardstick(work, CPU, ours, (theirs,), Bound(least), inverse=True, why=why)


def _cpu_at_most(work: str, ours: Place, theirs: Place, most: float, why: str = "") -> Yardstick:
    return Yardstick(work, CPU, ours, (theirs,), Bound(most, at_most=True), why=why)


def _batches(work: str, ours: Place, least: float) -> Yardstick:
    return Yardstick(work, RATE, ours, bound=Bound(least), why=_BATCHES_WHY)


_HOT = "unary lock, durable, hot SKU, 50 in flight on one connection"
_STREAMS = "single locks over 16 streams, 16 in flight"
_REDIS, _MEMORY = ("redis", "lock"), ("redis-memory", "lock")
_BATCHES_WHY = (
    "A command takes some 11,000 instructions from its bytes to its answer's: 5,900 are the state machine, which"
    " decides, applies and asserts every identity it touches, and alone is the floor above; the others read the"
    " message, tell it from a reused request id, and write record and answer."
)

YARDSTICKS: tuple[Yardstick, ...] = (
    _rate(_HOT, ("ours", "lock"), _REDIS, 1.8),
    _less_cpu(_HOT, ("ours", "lock"), _REDIS, 2.3),
    _less_cpu(_HOT, ("ours", "lock"), _MEMORY, 1.4),
    _less_cpu("the same, 8 connections", ("ours-8", "lock"), _REDIS, 1.7),
    _rate("the same, 50 connections with one call each", ("ours-50", "lock"), _REDIS, 1.4),
    _less_cpu("the same, 50 connections with one call each", ("ours-50", "lock"), _REDIS, 1.2),
    _cpu_at_most(
        "the same, durability=async",
        ("ours-async", "lock"),
        ("echo", "lock"),
        1.25,
        "Less than half of it is HTTP/2 and the socket, all that an echo has; a quarter is the engine.",
    ),
    _rate(_STREAMS, ("ours-streams", "lock"), ("redis-100", "lock"), 2.5),
    _less_cpu(
        _STREAMS,
        ("ours-streams", "lock"),
        ("redis-100", "lock"),
        4.5,
        "Each lock is a message of its own, read and answered alone; a ninth is the journal's thread.",
    ),
    _batches("batches of 8,190, one client: lock", ("ours-8190", "lock"), 1_200_000),
    _batches("batches of 8,190, one client: deduct", ("ours-8190", "deduct"), 3_000_000),
    _rate("batches of 8,190, one client: lock", ("ours-8190", "lock"), ("floor-lock", "lock"), None),
    _rate("batches of 8,190, one client: deduct", ("ours-8190", "deduct"), ("floor-lock", "deduct"), None),
    _batches("batches of 100, 8 clients: lock", ("ours-100", "lock"), 700_000),
    _batches("batches of 100, 8 clients: deduct", ("ours-100", "deduct"), 900_000),
    _rate(
        "hot row, ours with 50 in flight",
        ("ours", "lock"),
        ("postgresql", "lock"),
        50,
        "PostgreSQL is bound by the sync of its log, ours by one core: the quicker the disk, the less is between them."
        " Where 50 times PostgreSQL is more than the bare echo does, one core cannot do it.",
    ),
    _rate("hot row, ours over 16 streams", ("ours-streams", "lock"), ("postgresql", "lock"), None),
    _rate("hot row, both with 8 callers", ("ours-8x1", "lock"), ("postgresql", "lock"), None),
    _rate("10,000 rows, ours with 50 in flight", ("ours-rows", "lock"), ("postgresql-rows", "lock"), None),
    Yardstick(
        "one caller, nothing else running",
        P50,
        ("ours-1", "lock"),
        (("floor-sync", "fdatasync"), ("echo-1", "lock")),
        Bound(1.3, at_most=True),
        why="The floor's syncs follow each other; ours begins on a core that slept until the call came.",
    ),
    _cpu_at_most(
        "Python door: PlaceOrder of 3 lines", ("python-order", "place"), ("aio-order", "place"), 1.6
    ),
    _cpu_at_most(
        "Python door: StockService, unary",
        ("python", "lock"),
        ("aio", "lock"),
        1.15,
        why="Close to its mark: 1.02 to 1.18 in other runs, and turns of ours that differ by a half on a busy host.",
    ),
)
