"""Who is told how far long work is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Step: TypeAlias = Callable[[int, int], None]
"""Told how much is done, of how much in all."""

Watch: TypeAlias = Callable[[str], Step]
"""Told what begins; whom it returns is told how far that is."""


def unwatched(_work: str) -> Step:
    """Tells nobody."""
    return lambda _done, _in_all: None
