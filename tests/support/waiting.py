"""Waiting on a condition, in another process or thread, for as long as a busy machine may need."""

from __future__ import annotations

import time
from collections.abc import Callable

SOON = 60.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, f"not within {SOON:.0f} s: {what}"
        time.sleep(0.01)
