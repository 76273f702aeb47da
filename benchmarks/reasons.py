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
    "Beside a projection and snapshots the server's core is nine tenths busy or more at half the peak, so a wait of"
    " some milliseconds until another's slice is over, or of 10 for a sync, is caught up slowly. In ten minutes"
    " PostgreSQL's files in memory and ended reservations, of which the snapshotter has a copy, fill 24 GiB:"
    " who touches a page then waits until one is free, in all as long as is said above. In 40 s at 33,000 a second"
    " p99.9 was 6 to 8 ms."
)
_GROWTH = (
    "What a lock touches among 50 million rows lies in no cache: it waits for memory, though several such"
    " waits overlap."
)
_PROJECTION = (
    "PostgreSQL's core is the bound, as busy as is said, and slower in some hours: at 17.5 us an operation it was"
    " 50,000 a second. A lock is five rows and eleven entries of indexes, and of a server that only takes these rows"
    " the entries are two thirds of the time."
)

_DOOR = (
    "The projection takes 15 % of a core, most of it while the lane waits for its syncs; and PostgreSQL shares its core"
    " with the load. It varies from run to run: 0.71 to 1.04."
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
