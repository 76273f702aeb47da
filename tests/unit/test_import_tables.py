"""The files of `import`: what a row says, and what is told of a row that says nothing sensible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.cli import tables
from lockstock_server.cli.tables import Layout, Table, TableError, Unreadable


def written(directory: Path, text: str | bytes) -> Path:
    path = directory / "file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(directory: Path, layout: Layout[Any], text: str | bytes) -> list[tuple[int, Any]]:
    return list(Table(written(directory, text), layout))


def test_rows_are_messages_with_the_number_they_have_in_the_file(tmp_path: Path) -> None:
    text = '\ufeffsku,category,title,deduction_policy\nA,books,"A, or a\nlonger one",on_payment\n\nB,,,\n'
    assert rows(tmp_path, tables.SKUS, text) == [
        (
            2,
            pb.Sku(
                sku="A",
                title="A, or a\nlonger one",
                category="books",
                deduction_policy=pb.DEDUCTION_POLICY_ON_PAYMENT,
            ),
        ),
        (4, pb.Sku(sku="B")),
    ]


def test_a_warehouse_has_lists_and_a_point_within_cells(tmp_path: Path) -> None:
    text = (
        "warehouse,tier,rank,regions,radius_km,categories,pickup,state,latitude,longitude\n"
        "W,front,3,a; b;,2.5,x;y,Yes,paused,31.5,121\n"
    )
    assert rows(tmp_path, tables.WAREHOUSES, text) == [
        (
            2,
            pb.Warehouse(
                warehouse="W",
                tier=pb.TIER_FRONT,
                rank=3,
                coverage=pb.Coverage(regions=["a", "b"], radius_km=2.5),
                assortment=pb.Assortment(categories=["x", "y"]),
                pickup=True,
                state=pb.WAREHOUSE_STATE_PAUSED,
                location=pb.Coordinates(latitude=31.5, longitude=121),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("layout", "head", "row", "why"),
    [
        (tables.STOCK, "sku,warehouse,quantity", "A,W,many", "quantity: many is no whole number"),
        (tables.STOCK, "sku,warehouse,quantity", "A,W", "quantity: no cell"),
        (tables.STOCK, "sku,warehouse,quantity", "A,W, ", "quantity: empty"),
        (tables.SKUS, "sku,title", "A,one, two", "3 cells under 2 columns"),
        (
            tables.SKUS,
            "sku,deduction_policy",
            "A,ON_CART",
            "deduction_policy: ON_CART is none of ON_ORDER, ON_PAYMENT",
        ),
        (
            tables.SKUS,
            "sku,deduction_policy",
            "A,UNSPECIFIED",
            "deduction_policy: UNSPECIFIED is none of ON_ORDER, ON_PAYMENT",
        ),
        (
            tables.WAREHOUSES,
            "warehouse,tier",
            "W,TOWN",
            "tier: TOWN is none of FRONT, LOCAL, CITY, REGIONAL, CENTRAL",
        ),
        (tables.WAREHOUSES, "warehouse,tier,pickup", "W,CITY,maybe", "pickup: maybe is neither yes nor no"),
        (tables.WAREHOUSES, "warehouse,tier,radius_km", "W,CITY,far", "radius_km: far is no number"),
        (tables.REGIONS, "region,latitude,longitude", "A,1,", "latitude and longitude come together"),
    ],
)
def test_a_cell_that_is_not_what_its_column_holds_is_told_in_words(
    tmp_path: Path, layout: Layout[Any], head: str, row: str, why: str
) -> None:
    (number, unreadable), (after, _) = rows(tmp_path, layout, f"{head}\n{row}\n{row}\n")
    assert (number, unreadable.why, after) == (2, why, 3)


def test_bytes_that_are_no_utf_8_spoil_their_row_and_no_other(tmp_path: Path) -> None:
    (_, first), (_, second) = rows(tmp_path, tables.SKUS, b"sku,title\nA,\xff\xfe\nB,fine\n")
    assert isinstance(first, Unreadable)
    assert second == pb.Sku(sku="B", title="fine")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title\nx\n", "file.csv has no column sku."),
        ("", "file.csv has no column sku."),
        ("sku,titel\nA,x\n", "file.csv has a column 'titel', and the columns are sku, title, category"),
        ("sku,title,title\n", "file.csv has a column twice."),
    ],
)
def test_a_file_with_other_columns_is_refused_whole(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(TableError) as error:
        Table(written(tmp_path, text), tables.SKUS)
    assert str(error.value).startswith(sentence)


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    text = 'sku,title\nA,"never closed\n' + "B,x\n" * (tables.CELL_BYTES_MAX // 4 + 1)
    with pytest.raises(TableError, match=r"file\.csv, after row 1: field larger than field limit"):
        rows(tmp_path, tables.SKUS, text)


def test_a_pass_tells_how_many_bytes_of_all_are_read(tmp_path: Path) -> None:
    table = Table(written(tmp_path, "sku\n" + "A\n" * 50_000), tables.SKUS)
    seen = [table.done for _ in table]
    assert seen == sorted(seen)
    assert seen[0] < table.size / 2
    assert table.done == table.size


def test_a_file_that_must_be_readable_ends_at_its_first_row_that_is_not(tmp_path: Path) -> None:
    path = written(tmp_path, "sku,warehouse,quantity\nA,W,1\nB,W,x\n")
    with pytest.raises(TableError, match=r"file\.csv, row 3: quantity: x is no whole number\."):
        list(tables.read(path, tables.STOCK))
