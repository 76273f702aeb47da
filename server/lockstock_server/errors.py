"""How the process ends: its exit codes, and the error that a start ends with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `lockstock serve`. They are a promise to whoever supervises the process."""

    OK = 0
    """A graceful stop: everything acknowledged is durable, both doors are drained."""
    FAILED = 1
    """An error that has no code of its own; the last line of the log says which."""
    SETTINGS = 2
    """A setting is wrong; the sentence names it."""
    DATA = 3
    """The data directory cannot be used: locked, damaged, or of another journal or format."""
    DATABASE = 4
    """The database refuses the start: it belongs to another journal, or is ahead of this one."""
    ADDRESS = 5
    """An address cannot be bound."""
    ENGINE_FAILED = 70
    """The engine failed while serving (a sync failed): nothing more was acknowledged. Start again."""
    STOP_DEADLINE = 75
    """The stop took longer than its deadline; what was acknowledged is durable all the same."""


class StartError(Exception):
    """The server cannot start; the sentence says why, `code` is what the process exits with."""

    def __init__(self, code: ExitCode | int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = int(code)
