"""What an import found: counts, refused rows, conflicts. A million of them take no memory."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Self

from lockstock_server.cli.output import console, show_table

SHOWN_MAX = 20
COLUMNS = ("file", "row", "id", "reason", "message", "field", "old", "new")
DIFFERS = "DIFFERS"
"""The reason that stands in the file of errors where a value would change."""


def _clean(text: str) -> str:
    """A text that can be written, whatever bytes stood in the file."""
    return text.encode("utf-8", "backslashreplace").decode()


class Kept:
    """Rows of one sort: the first few at hand, all of them in a temporary file where somebody wants them all."""

    def __init__(self, spool: IO[str] | None) -> None:
        self.first: list[dict[str, Any]] = []
        self.count = 0
        self._spool = spool

    def add(self, row: dict[str, Any]) -> None:
        """Keeps a row."""
        self.count += 1
        if len(self.first) < SHOWN_MAX:
            self.first.append(row)
        if self._spool is not None:
            self._spool.write(json.dumps(row, sort_keys=True) + "\n")

    def lines(self) -> Iterator[str]:
        """Every row as JSON."""
        if self._spool is not None:
            self._spool.seek(0)
            for line in self._spool:
                yield line.rstrip("\n")


class Findings:
    """The report of one import. `errors` is a CSV file for every refused row and conflict."""

    def __init__(self, errors: Path | None, *, json_wanted: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._errors = errors
        self._json_wanted = json_wanted
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.refusals = Kept(self._spool())
        self.conflicts = Kept(self._spool())
        self._rows: Any = None
        if self._errors is not None:
            file = self._open.enter_context(self._errors.open("w", newline="", encoding="utf-8"))
            self._rows = csv.DictWriter(file, COLUMNS)
            self._rows.writeheader()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _spool(self) -> IO[str] | None:
        if not self._json_wanted:
            return None
        return self._open.enter_context(TemporaryFile("w+", encoding="utf-8"))

    def outcomes(self, what: str) -> str:
        """What became of the rows of one file so far, in words."""
        told = sorted((name.split(), count) for name, count in self.counts.items())
        return ", ".join(f"{count:,} {outcome}" for (word, outcome), count in told if word == what)

    def refused(self, file: str, number: int, row_id: str, reason: str, message: str) -> None:
        """A row that was refused, or would be."""
        row = {
            "file": file,
            "row": number,
            "id": _clean(row_id),
            "reason": reason,
            "message": _clean(message),
        }
        self.refusals.add(row)
        if self._rows is not None:
            self._rows.writerow(row)

    def differs(self, file: str, number: int, row_id: str, field: str, old: str, new: str) -> None:
        """A value that stands otherwise than the row says."""
        row = {"file": file, "row": number, "id": row_id, "field": field, "old": old, "new": new}
        self.conflicts.add(row)
        if self._rows is not None:
            message = f"{field} is {old or 'empty'} and would be {new or 'empty'}"
            self._rows.writerow({**row, "reason": DIFFERS, "message": message})

    def print_json(self, **facts: object) -> None:
        """Prints all of it as one JSON document."""
        head = json.dumps({"counts": dict(sorted(self.counts.items())), **facts}, indent=2, sort_keys=True)
        sys.stdout.write(head.removesuffix("\n}"))
        for name, kept in (("conflicts", self.conflicts), ("refused", self.refusals)):
            sys.stdout.write(f',\n  "{name}": [')
            for at, line in enumerate(kept.lines()):
                sys.stdout.write(("," if at else "") + "\n    " + line)
            sys.stdout.write("\n  ]" if kept.count else "]")
        sys.stdout.write("\n}\n")

    def print_tables(self, title: str) -> None:
        """Prints the counts and the first rows of each sort."""
        rows = [{"what": what, "rows": f"{count:,}"} for what, count in sorted(self.counts.items())]
        show_table(title, rows)
        for name, kept in (("would change", self.conflicts), ("refused", self.refusals)):
            if kept.count:
                show_table(name, kept.first)
            if kept.count > len(kept.first):
                where = (
                    f"; all of them stand in {self._errors}" if self._errors else "; --errors FILE lists all"
                )
                console.print(f"{name}: the first {SHOWN_MAX} of {kept.count:,}{where}", markup=False)
