"""`lockstock import` against a real server: previews, conflicts, errors a row, a run that is killed and run again."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lockstock
import pytest
from conftest import Server
from lockstock.v1 import catalog_pb2 as pb
from lockstock.v1 import stock_pb2 as stock

WAIT_SECONDS_MAX = 120
SKUS = 40_000
"""Five pieces of SKUs and twenty of stock: enough for a kill to come in the middle."""


def start_command(*arguments: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")}
    return subprocess.Popen(
        [sys.executable, "-m", "lockstock_server.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean,
    )


def command(*arguments: str, code: int = 0) -> str:
    process = start_command(*arguments)
    out, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == code, out + err
    return out


def write(path: Path, head: str, rows: list[str]) -> str:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return str(path)


def a_shop(directory: Path, prefix: str) -> list[str]:
    """The options of an import of a small shop with ids of its own."""
    p = prefix
    return [
        "--regions",
        write(directory / "regions.csv", "region,parent", [f"{p}CN,", f"{p}SH,{p}CN"]),
        "--warehouses",
        write(
            directory / "warehouses.csv",
            "warehouse,tier,rank,regions,parent",
            [f"{p}CITY,CITY,1,{p}SH,{p}HUB", f"{p}HUB,REGIONAL,1,{p}CN,"],
        ),
        "--channels",
        write(directory / "channels.csv", "channel,kind", [f"{p}WEB,OWN"]),
        "--skus",
        write(directory / "skus.csv", "sku,title,category", [f"{p}BOOK,A book,books", f"{p}PEN,A pen,"]),
        "--stock",
        write(directory / "stock.csv", "sku,warehouse,quantity", [f"{p}BOOK,{p}CITY,20", f"{p}PEN,{p}HUB,5"]),
    ]


CREATED = {
    "regions created": 2,
    "warehouses created": 2,
    "channels created": 1,
    "skus created": 2,
    "stock created": 2,
}


def report(server: Server, *options: str, code: int = 0) -> dict[str, Any]:
    out = command("import", *options, "--server", server.address, "--json", code=code)
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_preview_of_a_whole_shop_says_what_the_import_then_does_and_changes_nothing(
    server: Server, client: lockstock.Client, tmp_path: Path
) -> None:
    options = a_shop(tmp_path, "a")
    previewed = report(server, *options, "--preview")
    assert previewed == {"counts": CREATED, "preview": True, "conflicts": [], "refused": []}
    assert not [
        it for it in client.catalog.ListRegions(pb.ListRegionsRequest()).regions if it.region == "aCN"
    ]
    assert report(server, *options)["counts"] == CREATED
    unchanged = {name.replace("created", "unchanged"): count for name, count in CREATED.items()}
    assert report(server, *options, "--preview")["counts"] == unchanged


def test_a_preview_lists_the_values_that_stand_otherwise_than_the_file_says(
    server: Server, tmp_path: Path
) -> None:
    report(server, *a_shop(tmp_path, "b"))
    command("warehouse", "set", "bCITY", "--rank", "7", "--title", "Ours", "--server", server.address)
    stock_file = write(tmp_path / "more.csv", "sku,warehouse,quantity", ["bBOOK,bCITY,21", "bPEN,bHUB,5"])
    options = [*a_shop(tmp_path, "b"), "--stock", stock_file, "--preview"]
    errors = tmp_path / "errors.csv"
    previewed = report(server, *options, "--errors", str(errors))
    assert [(it["id"], it["field"], it["old"], it["new"]) for it in previewed["conflicts"]] == [
        ("bCITY", "rank", "7", "1"),
        ("bCITY", "title", "Ours", ""),
        ("bBOOK", "received in bCITY", "20", "21"),
    ]
    with errors.open(encoding="utf-8", newline="") as file:
        assert [(row["row"], row["reason"]) for row in csv.DictReader(file)] == [
            ("2", "DIFFERS"),
            ("2", "DIFFERS"),
            ("2", "DIFFERS"),
        ]
    shown = command("import", *options, "--server", server.address)
    assert "would change" in shown
    shown = json.loads(command("warehouse", "show", "bCITY", "--server", server.address, "--json"))
    assert (shown["rank"], shown["title"]) == (7, "Ours")


def test_every_wrong_row_is_an_error_with_its_number_and_stops_no_other(
    server: Server, tmp_path: Path
) -> None:
    options = a_shop(tmp_path, "c")
    write(
        tmp_path / "warehouses.csv", "warehouse,tier,rank,regions", ["cCITY,CITY,1,cSH", "cX,CITY,1,NOWHERE"]
    )
    write(
        tmp_path / "skus.csv",
        "sku,title",
        ["cBOOK,A book", f"{'x' * 65},too long", "cPEN,A pen, two", "cINK,i"],
    )
    write(
        tmp_path / "stock.csv",
        "sku,warehouse,quantity",
        ["cBOOK,cCITY,1", "cNONE,cCITY,1", "cINK,cNONE,1", "cINK,cCITY,-1", "cINK,cCITY,x", "cBOOK,cCITY,2"],
    )
    errors = tmp_path / "errors.csv"
    expected = [
        ("warehouses.csv", 3, "cX", "REFERENCE_INVALID"),
        ("skus.csv", 3, "x" * 65, "ID_INVALID"),
        ("skus.csv", 4, "cPEN", "CELL_INVALID"),
        ("stock.csv", 3, "cNONE", "SKU_NOT_FOUND"),
        ("stock.csv", 4, "cINK", "WAREHOUSE_NOT_FOUND"),
        ("stock.csv", 5, "cINK", "QUANTITY_OUT_OF_RANGE"),
        ("stock.csv", 6, "cINK", "CELL_INVALID"),
    ]
    for preview in (["--preview"], []):
        found = report(server, *options, *preview, "--errors", str(errors), code=1)
        rows = [(it["file"], it["row"], it["id"], it["reason"]) for it in found["refused"]]
        assert sorted(rows) == sorted(expected)
        with errors.open(encoding="utf-8", newline="") as file:
            listed = [(it["file"], int(it["row"]), it["id"], it["reason"]) for it in csv.DictReader(file)]
        assert listed == rows
    assert found["counts"] == {
        "channels created": 1,
        "regions created": 2,
        "skus created": 2,
        "skus refused": 2,
        "stock created": 1,
        "stock refused": 4,
        "warehouses created": 1,
        "warehouses refused": 1,
    }


@pytest.mark.parametrize("killed_in", ["skus", "stock"])
def test_an_import_that_is_killed_midway_goes_on_where_it_stopped(
    server: Server, client: lockstock.Client, tmp_path: Path, killed_in: str
) -> None:
    p = killed_in
    options = a_shop(tmp_path, p)
    write(tmp_path / "skus.csv", "sku,title", [f"{p}{n:05},Good {n}" for n in range(SKUS)])
    rows = [f"{p}{n:05},{p}{'CITY' if n % 2 else 'HUB'},{n % 9 + 1}" for n in range(SKUS)]
    # The first and the last piece share a SKU in one warehouse.
    write(tmp_path / "stock.csv", "sku,warehouse,quantity", [*rows, f"{p}00000,{p}HUB,1000"])
    arguments = ("import", *options, "--server", server.address, "--json")

    killed = start_command(*arguments)
    try:
        while not begun(client, p, killed_in):
            assert killed.poll() is None, "the import ended before it could be killed"
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()

    counts = json.loads(command(*arguments))["counts"]
    assert counts[f"{killed_in} unchanged"] > 0, "nothing was done before the kill"
    assert counts[f"{killed_in} created"] > 0, "the kill came too late"
    assert counts["skus unchanged"] + counts.get("skus created", 0) == SKUS
    assert counts.get("stock unchanged", 0) + counts.get("stock created", 0) == SKUS
    for first in range(0, SKUS, 2_000):
        skus = [f"{p}{n:05}" for n in range(first, first + 2_000)]
        for n, found in enumerate(
            client.stock.BatchGetStock(stock.BatchGetStockRequest(skus=skus)).stocks, start=first
        ):
            expected = n % 9 + 1 + (1_000 if n == 0 else 0)
            assert [level.received for level in found.levels] == [expected], found.sku


def begun(client: lockstock.Client, prefix: str, what: str) -> bool:
    """Whether a first piece of these rows stands in the server."""
    try:
        if what == "skus":
            client.catalog.GetSku(pb.GetSkuRequest(sku=f"{prefix}00100"))
            return True
        return bool(client.stock.GetStock(stock.GetStockRequest(sku=f"{prefix}00100")).levels)
    except lockstock.LockstockError as error:
        if error.reason != "SKU_NOT_FOUND":
            raise
        return False


def test_an_import_without_a_server_is_one_sentence(tmp_path: Path) -> None:
    options = a_shop(tmp_path, "z")
    process = start_command("import", *options, "--server", "127.0.0.1:1")
    _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 4
    assert "No server answers at 127.0.0.1:1" in err


# --- warehouses and regions ---


def test_warehouses_are_listed_shown_and_set_by_the_fields_that_are_named(
    server: Server, tmp_path: Path
) -> None:
    report(server, *a_shop(tmp_path, "w"))
    at = ("--server", server.address, "--json")
    listed = json.loads(command("warehouse", "list", "--tier", "regional", *at))
    assert "wHUB" in [it["warehouse"] for it in listed]
    assert {it["tier"] for it in listed} == {"TIER_REGIONAL"}
    before = json.loads(command("warehouse", "show", "wCITY", *at))
    changed = json.loads(
        command("warehouse", "set", "wCITY", "--state", "paused", "--pickup", "--region", "wCN", *at)
    )
    named = {
        "state": "WAREHOUSE_STATE_PAUSED",
        "pickup": True,
        "coverage": {"radius_km": 0.0, "regions": ["wCN"]},
    }
    assert changed == {**before, **named, "etag": changed["etag"]}
    assert "wCITY" in command("warehouse", "list", "--state", "PAUSED", "--server", server.address)


def test_a_warehouse_is_not_set_over_the_head_of_somebody_else(server: Server, tmp_path: Path) -> None:
    report(server, *a_shop(tmp_path, "v"))
    at = ("--server", server.address)
    etag = json.loads(command("warehouse", "show", "vHUB", *at, "--json"))["etag"]
    command("warehouse", "set", "vHUB", "--rank", "2", *at)
    process = start_command("warehouse", "set", "vHUB", "--rank", "3", "--etag", etag, *at)
    _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 3
    assert "STALE_VERSION" in err
    process = start_command("warehouse", "set", "vHUB", "--state", "CLOSED", *at)
    _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 3
    assert "WAREHOUSE_NOT_EMPTY" in err
    process = start_command("warehouse", "set", "vHUB", *at)
    _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 2
    assert "Name what to set" in err


def test_a_region_is_shown_with_its_path_and_what_covers_it(server: Server, tmp_path: Path) -> None:
    report(server, *a_shop(tmp_path, "r"))
    at = ("--server", server.address)
    shown = json.loads(command("region", "show", "rSH", *at, "--json"))
    assert shown["path"] == ["rCN", "rSH"]
    assert {"rCITY", "rHUB"} <= set(shown["covered_by"])
    below = json.loads(command("region", "list", "--below", "rCN", *at, "--json"))
    assert [it["region"] for it in below] == ["rCN", "rSH"]
    assert "rCN > rSH" in command("region", "show", "rSH", *at)
    process = start_command("region", "list", "--below", "NONE", *at)
    _, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 3
    assert "REGION_NOT_FOUND" in err
