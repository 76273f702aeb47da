"""How far long work is, as bars on the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lockstock_server.cli.output import errors
from lockstock_server.progress import Step, Watch, unwatched


@contextmanager
def shown(*, quiet: bool, console: Console = errors) -> Iterator[Watch]:
    """Shows a bar for each piece of work; nothing where the console is no terminal, or `quiet`."""
    if quiet or not console.is_terminal:
        yield unwatched
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        def watch(work: str) -> Step:
            bar = bars.add_task(work, total=None)
            return lambda done, in_all: bars.update(bar, completed=done, total=in_all)

        yield watch
