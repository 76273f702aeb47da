"""Figures: medians with what they vary, ratios, and whether they reach what they must."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SIGNIFICANT = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over the turns, with the least and the most."""

    median: float
    least: float
    most: float
    turns: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values), len(values))


def number(value: float) -> str:
    """Three digits that count, with thousands kept apart."""
    if value == 0:
        return "0"
    if math.isinf(value):
        # Beyond the last bound of what it was measured with.
        return "∞"
    if abs(value) >= 10 ** (SIGNIFICANT - 1):
        magnitude = len(str(int(abs(value)))) - SIGNIFICANT
        return f"{round(value, -magnitude):,.0f}"
    return f"{value:.{SIGNIFICANT}g}"


def words(figure: Figure) -> str:
    """The median, and the least and the most where there was more than one turn."""
    if figure.turns == 1:
        return number(figure.median)
    return f"{number(figure.median)} ({number(figure.least)} to {number(figure.most)})"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a ratio or a figure must reach."""

    value: float
    at_most: bool = False

    def holds(self, figure: float) -> bool:
        """Whether it is reached."""
        return figure <= self.value if self.at_most else figure >= self.value

    def words(self, unit: str = "") -> str:
        """For a table."""
        return f"at {'most' if self.at_most else 'least'} {self.value:,.15g}{unit}"

    def missed_by(self, figure: float) -> float:
        """How far off it is, as a share of the bound; 0 where it is reached."""
        return 0.0 if self.holds(figure) else abs(figure - self.value) / self.value
