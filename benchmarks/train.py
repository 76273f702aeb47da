"""What the server does while a build counts which ways its code goes: `make tuned`.

What is not done here is laid out for size, not for speed: so it is what a shop does all day, through both doors, and
what it waits for when it starts again.
"""

from __future__ import annotations

from pathlib import Path

import cases
from curves import Say, Scratch
from harness.load import Duration, Shape, load
from peers.lockstock import Lockstock

CASES = (
    "ours",
    "ours-50",
    "ours-rows",
    "ours-streams",
    "ours-100",
    "ours-8190",
    "ours-sqlite",
    "python",
    "python-order",
)
SHORT = Duration(seconds=3.0, warm_up_seconds=0.5)
SNAPSHOTS = {"LOCKSTOCK_SEGMENT_BYTES": "16MiB", "LOCKSTOCK_SNAPSHOT_EVERY_BYTES": "64MiB"}
"""So small that some are written in the seconds there are."""
ROWS = Shape("batch", batch=1_000, in_flight=2, work=cases.BOTH, skus=1_000)


def run(scratch: Scratch, say: Say) -> None:
    """Each case for some seconds, then one that starts again from its snapshot and what was journalled since.

    Every server is stopped, none is killed: one that was killed has counted for nothing.
    """
    for case in cases.CASES:
        if case.key in CASES:
            say(f"train: {case.name}, {case.words}")
            with scratch() as directory:
                case.run(directory, SHORT)
    say("train: a start from a snapshot")
    with scratch() as directory:
        _start_again(directory)


def _start_again(directory: Path) -> None:
    with Lockstock("ours", settings=SNAPSHOTS).served(directory, ROWS.skus) as (server, target):
        load(target, ROWS, SHORT)
        server.stop()
        server.start()
