"""Progress bars of files: bytes read of all, what became of the rows, time to go."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from lockstock_server.cli.output import errors
from lockstock_server.cli.tables import Table


@dataclass(slots=True)
class Bar:
    """The bar of one pass over one file."""

    bars: Bars
    task: TaskID
    table: Table[Any]

    def advance(self, outcomes: str) -> None:
        """The file was read on; what became of its rows so far."""
        self.bars.update(self.task, completed=self.table.done, outcomes=outcomes)


class Progress:
    """All bars of one import, on the error stream where that is a terminal."""

    def __init__(self, *, wanted: bool = True) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[outcomes]}"),
            TimeRemainingColumn(),
            console=errors,
            disable=not (wanted and errors.is_terminal),
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def of(self, table: Table[Any], verb: str = "importing") -> Iterator[Bar]:
        """The bar of one pass over a file."""
        task = self._bars.add_task(f"{verb} {table.path.name}", total=table.size, outcomes="")
        yield Bar(self._bars, task, table)
        self._bars.update(task, completed=table.done)
