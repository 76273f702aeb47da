"""What is loaded: ours and what a user would pick instead. A peer is one file here and one line in `ALL`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from harness.load import Target


class Peer(Protocol):
    """A server that can be started fresh, again and again."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def acknowledgement(self) -> str:
        """What has happened when it answers; one sentence."""

    def missing(self) -> str:
        """Why it cannot be started here, or nothing."""

    def version(self) -> str:
        """What was started, and the settings that matter."""

    def running(self, directory: Path, skus: int) -> AbstractContextManager[Target]:
        """Starts it with an empty data directory and stock of so many SKUs, stops it at the end."""


__all__ = ["Iterator", "Peer"]
