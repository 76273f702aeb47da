"""Plants the bugs of the list one at a time and runs the tests that must catch them.

`python -m planted.run` from `tests/`, or `make planted-bugs`, plants all of them; with names, those. Exits 1 where
a bug survives, does not apply or does not compile, and names it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from planted.bugs import Bug, PlantedError, load
from planted.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

console = Console(soft_wrap=True, highlight=False)


def chosen(names: Sequence[str]) -> list[Bug]:
    """The bugs of these names, or all. Raises PlantedError for a name that is none."""
    bugs = load()
    known = {bug.name for bug in bugs}
    if unknown := [name for name in names if name not in known]:
        raise PlantedError(f"there is no planted bug called {unknown[0]}")
    return [bug for bug in bugs if not names or bug.name in names]


def sound(tree: Tree, bugs: Sequence[Bug]) -> None:
    """Raises PlantedError unless every named test passes where nothing is planted."""
    tests = list(dict.fromkeys(test for bug in bugs for test in bug.caught_by))
    if why := tree.build(tests):
        raise PlantedError(why)
    for test in tests:
        outcome = tree.run(test)
        if not outcome.passed:
            raise PlantedError(f"with nothing planted, `{test.command}` does not pass: {outcome.said}")


def catch(tree: Tree, bug: Bug) -> str:
    """Why the first test named has failed. Raises PlantedError unless all of them fail, as tests do."""
    with tree.planted(bug):
        if why := tree.build(bug.caught_by):
            raise PlantedError(why)
        reasons = []
        for test in bug.caught_by:
            outcome = tree.run(test)
            if outcome.passed:
                raise PlantedError(f"it survives `{test.command}`")
            if not outcome.failed:
                raise PlantedError(f"`{test.command}` does not fail as a test does: {outcome.said}")
            reasons.append(outcome.said)
    return reasons[0]


def main(
    names: Annotated[list[str] | None, typer.Argument(help="The bugs to plant; all if none.")] = None,
) -> None:
    """Plant bugs and see them caught."""
    tree, begun, wrong = Tree(), time.monotonic(), []
    try:
        bugs = chosen(names or ())
        with tree.held():
            tree.refresh()
            sound(tree, bugs)
            console.print(f"{len(bugs)} bugs; the tests named for them pass with nothing planted.")
            for bug in bugs:
                try:
                    reason = catch(tree, bug)
                    console.print(f"[green]caught[/]   {bug.name}  [dim]{escape(reason[:120])}[/]")
                except PlantedError as error:
                    wrong.append(bug.name)
                    console.print(f"[red]SURVIVES[/] {bug.name}: {escape(str(error))}")
    except PlantedError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        sys.exit(1)
    minutes = (time.monotonic() - begun) / 60
    console.print(f"{len(bugs) - len(wrong)} of {len(bugs)} caught in {minutes:.1f} minutes.")
    if wrong:
        console.print(f"[red]Not caught: {', '.join(wrong)}[/]")
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
