"""The floors: what the machine costs by itself. Nobody is faster than the sync, or than the stock rule alone."""

from __future__ import annotations

from pathlib import Path

from harness.load import SERVER_CPU, Duration, Outcome, ask, on_cpu

RECORD_BYTES = 160
"""About what one lock takes in the journal, its share of the frame included."""
LOCKS = 1_000_000


def sync(directory: Path, duration: Duration) -> list[Outcome]:
    """One record appended to a preallocated segment and synced, over and over: `fdatasync`, and `O_DSYNC`."""
    with on_cpu(SERVER_CPU):
        floor = ask("floor-sync", str(directory), str(RECORD_BYTES), str(duration.seconds / 2))
    kinds = {"fdatasync": floor["fdatasync_us"], "direct": floor.get("direct_us")}
    return [
        {"work": work, "rate": 1e6 / summary["mean"], "latency_us": summary}
        for work, summary in kinds.items()
        if summary
    ]


def locks(_directory: Path, _duration: Duration) -> list[Outcome]:
    """The state machine in a loop, in memory: no bytes, no journal, no thread."""
    with on_cpu(SERVER_CPU):
        floor = ask("floor-lock", str(LOCKS), "1")
    return [
        {"work": work, "rate": rate, "server_cpu_us": 1e6 / rate}
        for work, rate in (("lock", floor["locks"]), ("deduct", floor["deducts"]))
    ]
