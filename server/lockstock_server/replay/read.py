"""Where rows come from: CSV or Parquet, read in pieces."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from lockstock_server.replay.rows import Layout, Row, row

ROWS_A_PIECE = 20_000


class UnreadableError(Exception):
    """The file cannot be read, or has not the columns; the sentence says which."""


def read(path: Path, layout: Layout) -> Iterator[Row]:
    """The rows of a file in its order. Raises UnreadableError."""
    if not path.is_file():
        raise UnreadableError(f"There is no file {path}.")
    pieces = _parquet(path, layout) if path.suffix.lower() in {".parquet", ".pq"} else _csv(path, layout)
    for place, cells in enumerate(pieces, start=1):
        yield row(layout, place, cells)


def _needs(path: Path, layout: Layout, there: list[str]) -> list[str]:
    wanted = [layout.invoice, layout.sku, layout.quantity, layout.price, layout.customer, layout.country]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise UnreadableError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(there)}.")
    return wanted


def _parquet(path: Path, layout: Layout) -> Iterator[dict[str, object]]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as unreadable:
        raise UnreadableError(f"{path.name} is not a Parquet file: {unreadable}.") from unreadable
    columns = _needs(path, layout, file.schema_arrow.names)
    for piece in file.iter_batches(batch_size=ROWS_A_PIECE, columns=columns):
        lists = [piece.column(name).to_pylist() for name in columns]
        for cells in zip(*lists, strict=True):
            yield dict(zip(columns, cells, strict=True))


def _csv(path: Path, layout: Layout) -> Iterator[dict[str, object]]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        columns = _needs(path, layout, list(reader.fieldnames or []))
        try:
            for cells in reader:
                yield {name: cells.get(name) for name in columns}
        except (csv.Error, UnicodeDecodeError) as unreadable:
            raise UnreadableError(f"{path.name} is not CSV in UTF-8: {unreadable}.") from unreadable
