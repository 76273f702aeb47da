"""Progress bars of files: bytes read of all, rows done, time to go."""

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
    rows: int = 0

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
        self.rows += rows
        self.bars.update(self.task, completed=self.table.done, rows=f"{self.rows:,} rows")


class Progress:
    """All bars of one import, on the terminal's error stream."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=errors,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def of(self, table: Table[Any], verb: str = "importing") -> Iterator[Bar]:
        """The bar of one pass over a file."""
        task = self._bars.add_task(f"{verb} {table.path.name}", total=table.size, rows="0 rows")
        bar = Bar(self._bars, task, table)
        yield bar
        bar.advance(0)
