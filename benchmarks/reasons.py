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
    "Beside a projection and snapshots the server's core is four fifths busy or more at half the peak, so a wait of"
    " some milliseconds until another's slice is over (this machine's own init takes 5 in every second), or of 10 for a"
    " sync, is caught up slowly, most slowly in the ten seconds in which the snapshotter replays what came while it"
    " wrote. In 30 s at 39,900 a second p99.9 was 4.8 to 5.4 ms; with next to nothing to do it is what the last rows"
    " say."
)
_GROWTH = (
    "What a lock touches among 50 million rows lies in no cache: it waits for memory, though several such"
    " waits overlap. Memory that is taken while a server sells is in small pages, which takes longer; a start lays"
    " all of it in huge ones."
)
_PROJECTION = (
    "PostgreSQL's core is the bound, as busy as is said, and slower in some hours: at 17.5 us an operation it was"
    " 50,000 a second. A lock is five rows and eleven entries of indexes, and of a server that only takes these rows"
    " the entries are two thirds of the time."
)

_DOOR = (
    "It varies from run to run and by the machine, 0.65 to 1.27. While it is caught up the projection takes 13 to 18 %"
    " of the core and the snapshotter, who has the same burst to replay, 5 to 39; a quarter of the core is idle, for"
    " the lane waits for syncs of a disk on which PostgreSQL writes as well, and PostgreSQL is on the load's core."
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
