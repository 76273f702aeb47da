"""A shop's order lines for tests: a generated file with every kind of row, and what SQL says of a file."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = [
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
]
COUNTRIES = ["United Kingdom", "United Kingdom", "United Kingdom", "EIRE", "Germany", "Japan"]

# The kinds, from the file alone: written from docs/replay.md, not from the code.
KIND_SQL = r"""
case
  when Invoice is null or trim(Invoice) = '' or strlen(trim(Invoice)) > 64 then 'NO_INVOICE'
  when StockCode is null or trim(StockCode) = '' or strlen(trim(StockCode)) > 64 then 'NO_SKU'
  when try_cast(Quantity as double) is null or try_cast(Quantity as double) = 0
    or try_cast(Quantity as double) <> round(try_cast(Quantity as double))
    or abs(try_cast(Quantity as double)) > 1e12 then 'NO_QUANTITY'
  when try_cast(Price as double) is null then 'NO_PRICE'
  when not regexp_matches(trim(StockCode), '^([0-9]{5}|DCGS[0-9])') then 'SERVICE'
  when Invoice like 'C%' and try_cast(Quantity as double) > 0 then 'RETURN_OF_NOTHING'
  when Invoice like 'C%' and customer <> '' then 'RETURN'
  when Invoice like 'C%' then 'RETURN_WITHOUT_CUSTOMER'
  when not regexp_matches(Invoice, '^[0-9]') then 'UNKNOWN_INVOICE'
  when try_cast(Quantity as double) < 0 and try_cast(Price as double) = 0 then 'DECREASE'
  when try_cast(Quantity as double) < 0 then 'NEGATIVE_SALE'
  when try_cast(Price as double) = 0 and customer = '' then 'INCREASE'
  else 'SALE'
end
"""


@dataclass(frozen=True)
class Line:
    """A row as SQL sees it."""

    kind: str
    invoice: str
    sku: str
    units: int
    customer: str
    country: str


def lines(path: Path) -> list[Line]:
    """Every row of a file with its kind, by SQL over the file alone."""
    source = (
        f"read_parquet('{path}')"
        if path.suffix == ".parquet"
        else f"read_csv('{path}', header=true, all_varchar=true)"
    )
    found = duckdb.sql(f"""
        with raw as (
          select *, coalesce(cast(try_cast("Customer ID" as bigint) as varchar), '') as customer
          from {source}
        )
        select {KIND_SQL}, coalesce(trim(Invoice), ''), coalesce(trim(StockCode), ''),
          cast(coalesce(abs(try_cast(Quantity as double)), 0) as bigint), customer,
          coalesce(nullif(trim(Country), ''), 'Unspecified')
        from raw
    """)
    assert found is not None
    return [Line(*row) for row in found.fetchall()]


def by_kind(path: Path) -> dict[str, tuple[int, int]]:
    """(rows, units) of each kind. Rows whose quantity cannot be read have no units."""
    counted: dict[str, tuple[int, int]] = {}
    for line in lines(path):
        rows, units = counted.get(line.kind, (0, 0))
        counted[line.kind] = (rows + 1, units + (0 if line.kind == "NO_QUANTITY" else line.units))
    return counted


def generated(seed: int, invoices: int) -> list[list[object]]:
    """A shop's history with every kind of row; the same seed gives the same one."""
    draw = random.Random(seed)
    skus = [f"{20000 + n}{'' if n % 3 else 'A'}" for n in range(12)] + ["DCGS0058"]
    rows: list[list[object]] = []

    def row(
        invoice: object, sku: object, quantity: object, price: object, customer: object, country: str
    ) -> None:
        rows.append([invoice, sku, "a thing", quantity, "2010-01-01 10:00:00", price, customer, country])

    for number in range(invoices):
        invoice = str(500000 + number)
        customer: object = float(draw.randint(1, 8)) if draw.random() < 0.8 else None
        country = draw.choice(COUNTRIES)
        fate = draw.random()
        if fate < 0.72:
            for _ in range(draw.randint(1, 6)):
                row(invoice, draw.choice(skus), draw.randint(1, 12), 2.5, customer, country)
            if draw.random() < 0.2:
                row(invoice, draw.choice(["POST", "M", "D"]), 1, 4.0, customer, country)
        elif fate < 0.86:
            for _ in range(draw.randint(1, 3)):
                row("C" + invoice, draw.choice(skus), -draw.randint(1, 9), 2.5, customer, country)
        elif fate < 0.92:
            row(invoice, draw.choice(skus), draw.randint(1, 20), 0.0, None, country)
        else:
            row(invoice, draw.choice(skus), -draw.randint(1, 20), 0.0, None, country)
    nonsense: list[tuple[object, object, object, object, object]] = [
        (None, skus[0], 1, 1.0, 1.0),
        ("X" * 65, skus[0], 1, 1.0, 1.0),
        ("600001", None, 1, 1.0, 1.0),
        ("600002", skus[0], 0, 1.0, 1.0),
        ("600003", skus[0], None, 1.0, 1.0),
        ("600004", skus[0], 1, None, 1.0),
        ("A600005", skus[0], 1, 1.0, 1.0),
        ("C600006", skus[0], 5, 1.0, 1.0),
        ("600007", skus[0], -5, 1.0, 1.0),
        ("600008", "BANK CHARGES", -1, 15.0, None),
    ]
    for cells in nonsense:
        row(*cells, "United Kingdom")
    return rows


def write_csv(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    return path


def write_parquet(path: Path, rows: list[list[object]]) -> Path:
    columns = {name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)}
    pq.write_table(pa.table(columns), path)
    return path
