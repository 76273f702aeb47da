"""What the parts of the long run say: facts, some with a bound."""

from __future__ import annotations

from typing import Any

from harness.figures import Bound, number

Part = dict[str, Any]
"""A title, words, facts, and a curve where there is one."""


def fact(name: str, value: float, unit: str, bound: Bound | None = None) -> list[str]:
    """A row: what it is, how much, what was wanted, and whether that was reached."""
    if bound is None:
        return [name, f"{number(value)} {unit}", "", ""]
    verdict = "reached" if bound.holds(value) else f"missed by {bound.missed_by(value):.0%}"
    return [name, f"{number(value)} {unit}", bound.words(f" {unit}"), verdict]
