"""CSV files of master data and opening stock: their columns, and their rows as messages."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lockstock.v1 import catalog_pb2 as catalog

T = TypeVar("T")

Row = dict[str, str]

CELL_BYTES_MAX = 2 << 20
"""An assortment of 10,000 SKUs in one cell has its room; an unclosed quote does not swallow the file."""

csv.field_size_limit(CELL_BYTES_MAX)


class TableError(Exception):
    """A file cannot be read; the sentence names file and row."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row with a cell that is not what it must be."""

    cells: Row
    why: str


@dataclass(frozen=True, slots=True)
class Layout(Generic[T]):
    """What stands in a file: the columns it must have, those it may have, and how a row becomes a message.

    `parse` raises ValueError with a sentence; the first column is the row's id.
    """

    parse: Callable[[Row], T]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def _list(cell: str) -> list[str]:
    return [item.strip() for item in cell.split(";") if item.strip()]


def _enum(row: Row, column: str, kind: Any, prefix: str) -> Any:
    cell = row.get(column, "").strip().upper()
    if not cell:
        return 0
    known = {name.removeprefix(prefix): value for name, value in kind.items() if value}
    if cell not in known:
        raise ValueError(f"{column}: {row[column]} is none of {', '.join(known)}")
    return known[cell]


def whole(row: Row, column: str) -> int:
    """A cell as a whole number; empty is 0."""
    try:
        return int(row.get(column) or 0)
    except ValueError:
        raise ValueError(f"{column}: {row[column]} is no whole number") from None


def _number(row: Row, column: str) -> float:
    try:
        return float(row.get(column) or 0)
    except ValueError:
        raise ValueError(f"{column}: {row[column]} is no number") from None


def _point(row: Row) -> catalog.Coordinates | None:
    if not row.get("latitude") and not row.get("longitude"):
        return None
    if not row.get("latitude") or not row.get("longitude"):
        raise ValueError("latitude and longitude come together")
    return catalog.Coordinates(latitude=_number(row, "latitude"), longitude=_number(row, "longitude"))


def _yes(row: Row, column: str) -> bool:
    known = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
    cell = row.get(column, "").strip().lower()
    if cell not in known:
        raise ValueError(f"{column}: {row[column]} is neither yes nor no")
    return known[cell]


def _sku(row: Row) -> catalog.Sku:
    return catalog.Sku(
        sku=row["sku"],
        title=row.get("title", ""),
        category=row.get("category", ""),
        deduction_policy=_enum(row, "deduction_policy", catalog.DeductionPolicy, "DEDUCTION_POLICY_"),
    )


def _region(row: Row) -> catalog.Region:
    return catalog.Region(
        region=row["region"], title=row.get("title", ""), parent=row.get("parent", ""), centroid=_point(row)
    )


def _warehouse(row: Row) -> catalog.Warehouse:
    return catalog.Warehouse(
        warehouse=row["warehouse"],
        title=row.get("title", ""),
        tier=_enum(row, "tier", catalog.Tier, "TIER_"),
        rank=whole(row, "rank"),
        coverage=catalog.Coverage(regions=_list(row.get("regions", "")), radius_km=_number(row, "radius_km")),
        assortment=catalog.Assortment(
            skus=_list(row.get("skus", "")), categories=_list(row.get("categories", ""))
        ),
        parent=row.get("parent", ""),
        pickup=_yes(row, "pickup"),
        state=_enum(row, "state", catalog.WarehouseState, "WAREHOUSE_STATE_"),
        location=_point(row),
    )


def _channel(row: Row) -> catalog.Channel:
    return catalog.Channel(
        channel=row["channel"],
        title=row.get("title", ""),
        kind=_enum(row, "kind", catalog.ChannelKind, "CHANNEL_KIND_"),
    )


@dataclass(frozen=True, slots=True)
class StockRow:
    """A row of stock.csv: opening stock."""

    sku: str
    warehouse: str
    quantity: int


def _stock(row: Row) -> StockRow:
    if not row["quantity"].strip():
        raise ValueError("quantity: empty")
    return StockRow(row["sku"], row["warehouse"], whole(row, "quantity"))


REGIONS = Layout(_region, ("region",), ("title", "parent", "latitude", "longitude"))
WAREHOUSES = Layout(
    _warehouse,
    ("warehouse", "tier"),
    (
        "title",
        "rank",
        "regions",
        "radius_km",
        "skus",
        "categories",
        "parent",
        "pickup",
        "state",
        "latitude",
        "longitude",
    ),
)
CHANNELS = Layout(_channel, ("channel", "kind"), ("title",))
SKUS = Layout(_sku, ("sku",), ("title", "category", "deduction_policy"))
STOCK = Layout(_stock, ("sku", "warehouse", "quantity"))


class Table(Generic[T]):
    """One pass over a CSV file with a header, row by row; `done` of `size` bytes are read."""

    def __init__(self, path: Path, layout: Layout[T]) -> None:
        """Open it and read its header. Raises TableError."""
        self.path = path
        self._layout = layout
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
            # What is no UTF-8 becomes a cell that no message takes: its row is refused, not the file.
            text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="surrogateescape", newline="")
            self._lines = csv.reader(text)
            self._head = next(self._lines, [])
        except (OSError, csv.Error) as unreadable:
            raise TableError(f"{path}: {unreadable}.") from unreadable
        try:
            self._check_head()
        except TableError:
            self._file.close()
            raise

    def _check_head(self) -> None:
        for column in self._layout.required:
            if column not in self._head:
                raise TableError(f"{self.path.name} has no column {column}.")
        known = (*self._layout.required, *self._layout.optional)
        for column in self._head:
            # A misspelt column would silently empty the field in every row.
            if column not in known:
                raise TableError(
                    f"{self.path.name} has a column {column!r}, and the columns are {', '.join(known)}."
                )
        if len(set(self._head)) < len(self._head):
            raise TableError(f"{self.path.name} has a column twice.")

    def close(self) -> None:
        """Closes the file of a pass that is not made."""
        self._file.close()

    @property
    def done(self) -> int:
        """Bytes read so far."""
        return self._file.tell() if not self._file.closed else self.size

    def __iter__(self) -> Iterator[tuple[int, T | Unreadable]]:
        """(row number, row); the header is row 1, empty lines are passed over. Raises TableError."""
        number = 1
        try:
            with self._file:
                for number, cells in enumerate(self._lines, start=2):
                    if cells:
                        yield number, self._parsed(cells)
        except (OSError, csv.Error) as unreadable:
            raise TableError(f"{self.path.name}, after row {number}: {unreadable}.") from unreadable

    def _parsed(self, cells: list[str]) -> T | Unreadable:
        row = dict(zip(self._head, cells, strict=False))
        if len(cells) > len(self._head):
            return Unreadable(row, f"{len(cells)} cells under {len(self._head)} columns")
        for column in self._layout.required:
            if column not in row:
                return Unreadable(row, f"{column}: no cell")
        try:
            return self._layout.parse(row)
        except ValueError as wrong:
            return Unreadable(row, str(wrong))


def read(path: Path, layout: Layout[T]) -> Iterator[tuple[int, T]]:
    """(row number, row) of a file whose every row must be readable. Raises TableError."""
    for number, row in Table(path, layout):
        if isinstance(row, Unreadable):
            raise TableError(f"{path.name}, row {number}: {row.why}.")
        yield number, row
