"""What a person sees while the sale runs, and at its end."""

import time
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lockstock_server.flash_sale.judge import percentiles
from lockstock_server.flash_sale.sale import Progress, Result

REDRAW_SECONDS = 0.25
RECENT_ANSWERS = 20_000
"""Percentiles of the live picture are over so many of the last answers."""


class Display:
    """Draws the sale while it runs; call it with the progress."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Draws, at most a few times a second."""
        now = time.monotonic()
        if now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._live.update(picture(progress), refresh=True)


def picture(progress: Progress) -> Group:
    """One picture of a running sale."""
    plan = progress.plan
    recent = percentiles(progress.seconds[-RECENT_ANSWERS:])
    table = Table.grid(padding=(0, 3))
    server = Text("up", "bold green") if progress.server_up else Text("DOWN", "bold red")
    table.add_row("server", server, "stage", progress.stage)
    table.add_row(
        "buyers answered", f"{len(progress.seen):,} of {plan.buyers:,}", "answers/s", f"{progress.rate:,.0f}"
    )
    table.add_row("locked", f"{progress.locked:,}", "paid", f"{progress.paid:,}")
    table.add_row("refused", f"{progress.refused:,}", "cancelled", f"{progress.cancelled:,}")
    if recent:
        table.add_row("p50", f"{recent['p50']:.1f} ms", "p99", f"{recent['p99']:.1f} ms")
    return Group(table, ProgressBar(total=plan.buyers, completed=len(progress.seen), width=60))


def verdict(result: Result) -> Table:
    """The figures at the end."""
    judged = result.verdict
    table = Table(title="The flash sale", show_header=False, title_justify="left")
    table.add_row("units sold", f"{judged.sold:,} of {judged.units:,}")
    table.add_row("oversold", f"{judged.oversold:,}")
    table.add_row("acknowledged and lost", f"{judged.lost:,}")
    table.add_row(
        "answers", f"{judged.answers:,} in {result.seconds:.1f} s: {result.answers_per_second:,.0f} a second"
    )
    latency = ", ".join(f"{name} {value:.1f} ms" for name, value in result.latency_ms.items())
    table.add_row("latency as the buyers saw it", latency)
    if result.restart_seconds is not None:
        table.add_row("kill -9 to serving again", f"{result.restart_seconds:.2f} s")
    table.add_row(
        "answers by kind", ", ".join(f"{name} {count:,}" for name, count in sorted(judged.counts.items()))
    )
    return table
