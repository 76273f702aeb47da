"""Why parts of the long run miss their marks, as far as the profiles show it. A yardstick's reason stands with it."""

from __future__ import annotations

_REPLAY = (
    "One core applies, with every identity asserted and the hash kept, and that alone is the bound; the"
    " other reads and decodes ahead of it."
)
_SNAPSHOT = (
    "A second is the start of the process, most of the others reading the snapshot, which holds ended"
    " reservations too."
)
_TAIL = (
    "Beside a projection and snapshots the server's core is nine tenths busy at half the peak, so a wait of 5"
    " ms until another's slice is over, or of 10 for a sync, is caught up slowly. And in ten minutes"
    " PostgreSQL's files in memory and ended reservations, of which the snapshotter has a copy, fill 24 GiB:"
    " who touches a page then waits until one is free, in all as long as is said above."
)
_GROWTH = (
    "What a lock touches among 50 million rows lies in no cache: it waits for memory, though several such"
    " waits overlap."
)
_PROJECTION = (
    "PostgreSQL's core is the bound: a lock is five rows and eleven entries of indexes, and of a server that"
    " only takes these rows the entries are two thirds of the time."
)

_DOOR = (
    "The projection's threads are nice, but one that runs while the lane waits for its sync keeps the core until"
    " its slice of up to 5 ms is over. How often that is varies: with a burst of a million it was 0.95 and 1.04."
)

WHY: dict[tuple[str, str], str] = {
    ("recovery", "its replay"): _REPLAY,
    ("recovery", "10,000,000 events, a million open"): _SNAPSHOT,
    ("tail", "p99.9"): _TAIL,
    ("tail", "latest beyond the slowest sync"): _TAIL,
    ("growth", "large over small"): _GROWTH,
    ("projection", "sustained"): _PROJECTION,
    ("projection", "the door while"): _DOOR,
}
"""By the part, and how the fact's name begins."""


def why(part: str, name: str) -> str:
    """The reason of a fact that is missed; empty where none is known."""
    return next(
        (reason for (of, begins), reason in WHY.items() if of == part and name.startswith(begins)), ""
    )
