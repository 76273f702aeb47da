"""From outcomes to figures: what a case came to over its turns, and how far a yardstick is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cases import CASES, P50, Place, Yardstick

from harness.figures import Figure
from harness.load import Outcome

Turns = dict[str, list[list[Outcome]]]
"""By case: a list of phases for each turn."""
_NAMES = {case.key: case.name for case in CASES}


def figure(turns: Mapping[str, list[list[Outcome]]], place: Place, measure: str) -> Figure | None:
    """The figure of a phase, if it was measured."""
    case, work = place
    values = [
        value
        for phases in turns.get(case, [])
        for phase in phases
        if phase["work"] == work and (value := _value(phase, measure)) is not None
    ]
    return Figure.of(values) if values else None


def _value(phase: Outcome, measure: str) -> float | None:
    value = phase.get("latency_us", {}).get(P50) if measure == P50 else phase.get(measure)
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Measured:
    """A yardstick with its figures."""

    yardstick: Yardstick
    ours: Figure | None
    theirs: tuple[Figure | None, ...]

    @property
    def value(self) -> float | None:
        """The ratio of medians, or the median itself; None where something was not measured."""
        if self.ours is None or not all(self.theirs):
            return None
        if not self.yardstick.theirs:
            return self.ours.median
        theirs = sum(figure.median for figure in self.theirs if figure)
        return theirs / self.ours.median if self.yardstick.inverse else self.ours.median / theirs

    @property
    def holds(self) -> bool | None:
        """Whether its bound is reached; None where there is none, or no figure."""
        bound, value = self.yardstick.bound, self.value
        return None if bound is None or value is None else bound.holds(value)

    def against(self) -> str:
        """What it is measured against, by name."""
        return " + ".join(_NAMES[case] for case, _ in self.yardstick.theirs)


def measured(turns: Mapping[str, list[list[Outcome]]], yardstick: Yardstick) -> Measured:
    """The yardstick over these turns."""
    return Measured(
        yardstick,
        figure(turns, yardstick.ours, yardstick.measure),
        tuple(figure(turns, place, yardstick.measure) for place in yardstick.theirs),
    )


def cost_of_the_load(turns: Mapping[str, list[list[Outcome]]], case: str = "ours") -> float | None:
    """What the generator's own processor time is of the server's."""
    load = figure(turns, (case, "lock"), "load_cpu_us")
    server = figure(turns, (case, "lock"), "server_cpu_us")
    return load.median / server.median if load and server and server.median else None


def phases(turns: Mapping[str, list[list[Outcome]]], case: str) -> list[str]:
    """The phases of a case, in order."""
    first: list[dict[str, Any]] = next(iter(turns.get(case, [])), [])
    return [phase["work"] for phase in first]
