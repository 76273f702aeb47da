"""The named points at which a server is killed: a row each.

A point is what the process does at that moment, as a rule of `world.c`: which call, on which file or socket, the how
many-th since the point was armed, and whether it dies before the call, amid it, or after it. **A new point is a new
row**; the tests take every row, and assert that the server died by that rule and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from support.crowd import Fates
from support.world import Plan, Rule

SEGMENT = "*/journal/segment-*.lkj"
NEXT_SEGMENT = "*/journal/segment-*.lkj.tmp"
SNAPSHOT = "*/snapshot-*.lks"
NEXT_SNAPSHOT = "*/snapshot-*.lks.tmp"
SQLITE, SQLITE_LOG = "*/lockstock.db", "*/lockstock.db-wal"
POSTGRESQL = "socket:*.s.PGSQL.*"
DOORS = "socket:127.0.0.1:*>127.0.0.1:*"


class Fate(Enum):
    """What must be true of the requests that were in flight."""

    EXECUTED = "at least one that was never answered had been executed"
    NOT_EXECUTED = "at least one that was never answered had not been executed"
    EITHER = "nothing in particular"

    def is_seen(self, fates: Fates) -> bool:
        match self:
            case Fate.EXECUTED:
                return fates.executed > 0
            case Fate.NOT_EXECUTED:
                return fates.not_executed > 0
            case Fate.EITHER:
                return True


@dataclass(frozen=True, slots=True)
class Point:
    """A moment to die at; `rules` end with the one that kills."""

    name: str
    rules: tuple[Rule, ...]
    fate: Fate = Fate.EITHER

    @property
    def is_long(self) -> bool:
        return self.name in LONG

    @property
    def plan(self) -> Plan:
        return Plan(rules=self.rules)


def at(name: str, action: str, call: str, pattern: str, nth: int = 1, fate: Fate = Fate.EITHER) -> Point:
    return Point(name, (Rule(name, action, call, pattern, nth),), fate)


def after(name: str, call: str, pattern: str, then: Rule, nth: int = 1, fate: Fate = Fate.EITHER) -> Point:
    """A point that counts from when something else was done."""
    return Point(name, (Rule(f"{name}-begins", "mark", call, pattern, nth), then), fate)


# Near neighbours of other points: in the long runs only.
LONG = {
    "snapshot-before-its-name",
    "recovery-before-the-tail-is-synced",
    "snapshot-begun",
    "snapshot-before-the-sync",
    "snapshot-after-its-name",
    "snapshot-old-one-removed",
    "segment-created",
    "segment-amid-its-zeros",
    "segment-after-its-name",
    "projection-after-a-page",
    "projection-before-its-log-is-synced",
    "projection-amid-its-checkpoint",
    "projection-after-a-statement",
    "recovery-reading-the-snapshot",
    "recovery-before-the-tail-is-written-again",
    "recovery-before-the-names-are-synced",
    "segment-amid-its-header",
}

# While it sells: armed under load.
SELLING = [
    at("before-the-write", "kill-before", "write", SEGMENT, 40, Fate.NOT_EXECUTED),
    at("amid-the-write", "kill-amid", "write", SEGMENT, 40),
    at("after-the-write", "kill-after", "write", SEGMENT, 40, Fate.EXECUTED),
    at("before-the-sync", "kill-before", "sync", SEGMENT, 40, Fate.EXECUTED),
    at("after-the-sync", "kill-after", "sync", SEGMENT, 40, Fate.EXECUTED),
    after(
        "before-the-reply",
        "sync",
        SEGMENT,
        Rule("before-the-reply", "kill-before", "send", DOORS, after="before-the-reply-begins"),
        nth=40,
        fate=Fate.EXECUTED,
    ),
    at("snapshot-begun", "kill-after", "create", NEXT_SNAPSHOT),
    at("snapshot-amid", "kill-amid", "write", NEXT_SNAPSHOT),
    at("snapshot-before-the-sync", "kill-before", "sync", NEXT_SNAPSHOT),
    at("snapshot-before-its-name", "kill-before", "rename", SNAPSHOT),
    at("snapshot-after-its-name", "kill-after", "rename", SNAPSHOT),
    at("snapshot-old-one-removed", "kill-after", "unlink", SNAPSHOT),
    at("segment-created", "kill-after", "create", NEXT_SEGMENT),
    at("segment-amid-its-zeros", "kill-amid", "write", NEXT_SEGMENT),
    after(
        "segment-amid-its-header",
        "sync",
        NEXT_SEGMENT,
        Rule(
            "segment-amid-its-header",
            "kill-amid",
            "write",
            NEXT_SEGMENT,
            after="segment-amid-its-header-begins",
        ),
    ),
    at("segment-before-its-name", "kill-before", "rename", SEGMENT),
    at("segment-after-its-name", "kill-after", "rename", SEGMENT),
    after(
        "segment-first-write",
        "rename",
        SEGMENT,
        Rule("segment-first-write", "kill-amid", "write", SEGMENT, after="segment-first-write-begins"),
    ),
]

# While it projects.
ON_SQLITE = [
    at("projection-amid-the-batch", "kill-amid", "write", SQLITE_LOG, 9),
    at("projection-after-a-page", "kill-after", "write", SQLITE_LOG, 30),
    at("projection-before-its-log-is-synced", "kill-before", "sync", SQLITE_LOG),
    at("projection-amid-its-checkpoint", "kill-amid", "write", SQLITE, 3),
    at("projection-before-its-checkpoint-is-synced", "kill-before", "sync", SQLITE),
]
ON_POSTGRESQL = [
    at("projection-before-the-batch", "kill-before", "send", POSTGRESQL, 1),
    at("projection-amid-the-batch", "kill-before", "send", POSTGRESQL, 17),
    at("projection-after-a-statement", "kill-after", "send", POSTGRESQL, 30),
]

# While it comes up after a kill: armed before the start.
RECOVERING = [
    at("recovery-reading", "kill-after", "read", SEGMENT, 2),
    at("recovery-reading-the-snapshot", "kill-after", "read", SNAPSHOT, 1),
    at("recovery-before-the-tail-is-written-again", "kill-before", "write", SEGMENT),
    at("recovery-amid-the-tail", "kill-amid", "write", SEGMENT),
    at("recovery-before-the-tail-is-synced", "kill-before", "sync", SEGMENT),
    at("recovery-before-the-names-are-synced", "kill-before", "syncdir", "*/journal"),
]
