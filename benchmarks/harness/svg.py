"""Charts, drawn here: lines over a logarithmic axis, and bars. No library, no script, no font but the reader's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness.figures import number

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 64, 56
BAR, GAP = 24, 14
LABEL_WIDTH = 250
INKS = ("#1f5fbf", "#c2410c", "#15803d", "#7c3aed", "#52525b")
"""Told apart by those who do not see colours too: lines also differ in their marks."""
TEXT, FAINT = "#27272a", "#e4e4e7"
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]


def ticks(most: float, about: int = 5) -> list[float]:
    """Round numbers from 0 to at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / about
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(step * magnitude for step in STEPS if step * magnitude >= raw * (1 - 1e-9))
    return [step * at for at in range(math.ceil(most / step - 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: 1,500 is 1.5k."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def line_chart(title: str, x_title: str, y_title: str, lines: Sequence[Line]) -> str:
    """Lines over a logarithmic x axis (0 stands left of its first point), with the y axis from 0."""
    xs = sorted({x for line in lines for x, _ in line.points})
    places = _places(xs)
    y_ticks = ticks(max(y for line in lines for _, y in line.points))

    def at(x: float, y: float) -> tuple[float, float]:
        return places[x], HEIGHT - BOTTOM - y / y_ticks[-1] * (HEIGHT - TOP - BOTTOM)

    parts = []
    for tick in y_ticks:
        _, y = at(xs[0], tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{FAINT}"/>')
        parts.append(_text(LEFT - 8, y + 4, short(tick), "end"))
    parts += [_text(places[x], HEIGHT - BOTTOM + 20, short(x), "middle") for x in xs]
    parts += [
        _text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 12, x_title, "middle"),
        f'<g transform="rotate(-90 16 {HEIGHT / 2})">{_text(16, HEIGHT / 2, y_title, "middle")}</g>',
    ]
    for ink, line, mark in zip(INKS, lines, range(len(INKS)), strict=False):
        points = [at(x, y) for x, y in sorted(line.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="2"/>')
        parts += [_mark(mark, x, y, ink) for x, y in points]
    parts.append(_legend([line.name for line in lines]))
    return _page(title, HEIGHT, parts)


def bar_chart(title: str, unit: str, bars: Sequence[tuple[str, float]]) -> str:
    """Bars with their values; ours are those that the first ink draws, so name them first."""
    height = TOP + len(bars) * (BAR + GAP) + 20
    most = max(value for _, value in bars) or 1.0
    room = WIDTH - LABEL_WIDTH - 130
    parts = []
    for at, (name, value) in enumerate(bars):
        y = TOP + at * (BAR + GAP)
        ink = INKS[0] if name.startswith("ours") else INKS[4]
        width = max(1.0, value / most * room)
        parts.append(_text(LABEL_WIDTH - 10, y + BAR * 0.7, name, "end"))
        parts.append(f'<rect x="{LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{ink}"/>')
        parts.append(_text(LABEL_WIDTH + width + 8, y + BAR * 0.7, f"{number(value)} {unit}", "start"))
    return _page(title, height, parts)


def _places(xs: Sequence[float]) -> dict[float, float]:
    """Where each x stands: by its logarithm; 0, which has none, a step left of the others."""
    above = [x for x in xs if x > 0]
    low, high = (math.log10(above[0]), math.log10(above[-1])) if above else (0.0, 0.0)
    start = LEFT + (60 if len(above) < len(xs) else 20)
    room = WIDTH - RIGHT - 24 - start
    span = high - low or 1.0
    return {x: start + (math.log10(x) - low) / span * room if x > 0 else LEFT + 20.0 for x in xs}


def _legend(names: Sequence[str]) -> str:
    parts, x = [], float(LEFT)
    for at, name in enumerate(names):
        parts += [_mark(at, x + 6, 44, INKS[at % len(INKS)]), _text(x + 16, 48, name, "start")]
        x += 34 + 7 * len(name)
    return "".join(parts)


def _mark(kind: int, x: float, y: float, ink: str) -> str:
    marks = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{ink}"/>',
        f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{ink}"/>',
        f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z" fill="{ink}"/>',
        f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" fill="{ink}"/>',
    )
    return marks[kind % len(marks)]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _page(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{TEXT}" role="img">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f'<text x="16" y="26" font-size="15" font-weight="600">{escape(title)}</text>'
        f"{''.join(parts)}</svg>\n"
    )
