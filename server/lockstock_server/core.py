"""The port to the Rust core: what the server needs of `_core.Engine`; tests put a fake there."""

from __future__ import annotations

from typing import Protocol


class Core(Protocol):
    """The engine as the doors and planners see it; the meaning of each call is in `_core.pyi`."""

    def completions_fd(self) -> int:
        """Give the eventfd that says completions wait."""

    def call(self, method: str, request: bytes, token: int) -> tuple[bool, bytes] | None:
        """Run a call; None: the answer comes as a completion, once `journal` was called."""

    def journal(self) -> None:
        """Have the journal begin with what was run."""

    def take_completions(self) -> list[tuple[int, bool, bytes]]:
        """Take all answers that may leave."""

    def status(self) -> str:
        """Tell how the engine stands, as JSON."""

    def metrics(self) -> str:
        """Tell the engine's metrics, as JSON."""

    def freeze(self) -> None:
        """Refuse all changes."""

    def thaw(self) -> None:
        """Take changes again."""

    def drain(self) -> None:
        """Refuse new calls."""

    def snapshot(self) -> tuple[int, int]:
        """Write a snapshot; blocks."""
