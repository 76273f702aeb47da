"""What a row is: the code against SQL over the same file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from lockstock_server.replay.plan import Purchases, documents
from lockstock_server.replay.read import UnreadableError, read
from lockstock_server.replay.report import Report
from lockstock_server.replay.rows import LAYOUTS, NONSENSE, Kind
from support import retail

LAYOUT = LAYOUTS["uci-online-retail"]


@pytest.mark.parametrize("write", [retail.write_csv, retail.write_parquet])
def test_every_row_is_the_kind_that_sql_says(tmp_path: Path, write: object) -> None:
    suffix = ".csv" if write is retail.write_csv else ".parquet"
    path = write(tmp_path / f"orders{suffix}", retail.generated(seed=7, invoices=300))  # type: ignore[operator]
    rows = list(read(path, LAYOUT))
    counted: Counter[str] = Counter(row.kind.value for row in rows)
    units: Counter[str] = Counter()
    for row in rows:
        units[row.kind.value] += row.units
    assert {kind: (count, units[kind]) for kind, count in counted.items()} == retail.by_kind(path)
    assert set(counted) == {kind.value for kind in Kind}, "the generated file has every kind of row"


def test_no_row_is_dropped_in_silence(tmp_path: Path) -> None:
    path = retail.write_csv(tmp_path / "orders.csv", retail.generated(seed=8, invoices=100))
    report = Report()
    rows = list(read(path, LAYOUT))
    for row in rows:
        report.count(row)
    senseless = sum(1 for row in rows if row.kind in NONSENSE)
    assert report.rows == len(rows) == sum(tally.rows for tally in report.kinds.values())
    assert len(report.nonsense) == senseless > 0


def test_an_invoice_is_one_document_however_its_rows_are_scattered(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["500001", "20001", "", 1, "", 1.0, 5.0, "EIRE"],
        ["500002", "20001", "", 2, "", 1.0, 6.0, "EIRE"],
        ["500001", "20002", "", 3, "", 1.0, 5.0, "EIRE"],
    ]
    found = documents(read(retail.write_csv(tmp_path / "orders.csv", rows), LAYOUT))
    assert [(document.invoice, [row.units for row in document.sales]) for document in found] == [
        ("500001", [1, 3]),
        ("500002", [2]),
    ]


def test_a_return_goes_against_the_newest_purchase_and_never_beyond_what_was_bought(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["500001", "20001", "", 2, "", 1.0, 5.0, "EIRE"],
        ["500002", "20001", "", 3, "", 1.0, 5.0, "EIRE"],
    ]
    purchases = Purchases()
    for document in documents(read(retail.write_csv(tmp_path / "orders.csv", rows), LAYOUT)):
        purchases.shipped(document)
    assert list(purchases.take_back("5", "20001", 4)) == [("500002", 1, 3), ("500001", 1, 1)]
    assert list(purchases.take_back("5", "20001", 4)) == [("500001", 1, 1)]
    assert list(purchases.take_back("6", "20001", 1)) == []


def test_a_file_without_a_column_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Invoice,StockCode\n1,2\n")
    with pytest.raises(UnreadableError, match="no column Quantity, Price, Customer ID, Country"):
        list(read(path, LAYOUT))


def test_columns_can_be_mapped_to_other_names(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("No,Item,Qty,Price,Customer ID,Country\n500001,20001,4,1.5,9,EIRE\n")
    layout = LAYOUT.with_columns({"invoice": "No", "sku": "Item", "quantity": "Qty"})
    (row,) = read(path, layout)
    assert (row.kind, row.invoice, row.sku, row.quantity, row.customer) == (
        Kind.SALE,
        "500001",
        "20001",
        4,
        "9",
    )
