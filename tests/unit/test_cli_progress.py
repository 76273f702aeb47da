"""Bars for long work: on a terminal, and nowhere else."""

from __future__ import annotations

import io

import pytest
from lockstock_server.cli import progress
from rich.console import Console


def printed(*, terminal: bool, quiet: bool) -> str:
    out = io.StringIO()
    with progress.shown(quiet=quiet, console=Console(file=out, force_terminal=terminal, width=100)) as watch:
        first, second = watch("replaying"), watch("comparing")
        first(0, 40)
        first(40, 40)
        second(3, 7)
    return out.getvalue()


def test_each_piece_of_work_has_its_bar_on_a_terminal() -> None:
    shown = printed(terminal=True, quiet=False)
    assert "replaying" in shown
    assert "40/40" in shown
    assert "3/7" in shown


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True)])
def test_nothing_is_shown_where_nobody_looks(*, terminal: bool, quiet: bool) -> None:
    assert printed(terminal=terminal, quiet=quiet) == ""
