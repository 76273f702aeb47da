"""CSV files of master data and opening stock, row by row, as messages."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lockstock.v1 import catalog_pb2 as catalog

T = TypeVar("T")


class TableError(Exception):
    """A file cannot be read, or a cell is not what it must be; the sentence names file, row and column."""


def _list(cell: str) -> list[str]:
    return [item.strip() for item in cell.split(";") if item.strip()]


def _enum(kind: Any, prefix: str, cell: str) -> Any:
    return kind.Value(f"{prefix}{cell.strip().upper()}") if cell.strip() else 0


def _point(row: dict[str, str]) -> catalog.Coordinates | None:
    if not row.get("latitude") and not row.get("longitude"):
        return None
    return catalog.Coordinates(latitude=float(row["latitude"]), longitude=float(row["longitude"]))


def _yes(cell: str) -> bool:
    known = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
    return known[cell.strip().lower()]


def sku(row: dict[str, str]) -> catalog.Sku:
    """A row of skus.csv."""
    return catalog.Sku(sku=row["sku"], title=row.get("title", ""), category=row.get("category", ""))


def region(row: dict[str, str]) -> catalog.Region:
    """A row of regions.csv."""
    return catalog.Region(
        region=row["region"], title=row.get("title", ""), parent=row.get("parent", ""), centroid=_point(row)
    )


def warehouse(row: dict[str, str]) -> catalog.Warehouse:
    """A row of warehouses.csv; lists within a cell are separated by semicolons."""
    return catalog.Warehouse(
        warehouse=row["warehouse"],
        title=row.get("title", ""),
        tier=_enum(catalog.Tier, "TIER_", row["tier"]),
        rank=int(row.get("rank") or 0),
        coverage=catalog.Coverage(
            regions=_list(row.get("regions", "")), radius_km=float(row.get("radius_km") or 0)
        ),
        assortment=catalog.Assortment(
            skus=_list(row.get("skus", "")), categories=_list(row.get("categories", ""))
        ),
        parent=row.get("parent", ""),
        pickup=_yes(row.get("pickup", "")),
        state=_enum(catalog.WarehouseState, "WAREHOUSE_STATE_", row.get("state", "")),
        location=_point(row),
    )


def channel(row: dict[str, str]) -> catalog.Channel:
    """A row of channels.csv."""
    return catalog.Channel(
        channel=row["channel"],
        title=row.get("title", ""),
        kind=_enum(catalog.ChannelKind, "CHANNEL_KIND_", row["kind"]),
    )


@dataclass(frozen=True, slots=True)
class StockRow:
    """A row of stock.csv: opening stock."""

    sku: str
    warehouse: str
    quantity: int


def stock(row: dict[str, str]) -> StockRow:
    """A row of stock.csv."""
    return StockRow(row["sku"], row["warehouse"], int(row["quantity"]))


def read(path: Path, parse: Callable[[dict[str, str]], T]) -> Iterator[tuple[int, T]]:
    """(row number, row) of a CSV file with a header; the header is row 1. Raises TableError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            for number, row in enumerate(csv.DictReader(lines), start=2):
                try:
                    yield number, parse({name: cell or "" for name, cell in row.items() if name is not None})
                except KeyError as missing:
                    raise TableError(
                        f"{path.name}, row {number}: no column or no value {missing}."
                    ) from missing
                except ValueError as wrong:
                    raise TableError(f"{path.name}, row {number}: {wrong}.") from wrong
    except (OSError, UnicodeDecodeError, csv.Error) as unreadable:
        raise TableError(f"{path}: {unreadable}.") from unreadable
