"""A shop's order lines through a real server: the report against SQL over the file and against the naive twin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import retail
from support.retail_twin import Twin

RETAIL_FILE = "LOCKSTOCK_RETAIL_FILE"
PERCENT = 120


def replay(path: Path, percent: int, timeout: float, *options: str) -> dict[str, Any]:
    """`lockstock replay` on a server of its own, verified by `lockstock verify` at its end."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lockstock_server.cli", "replay", "--own-server", "--json"),
            *("--opening-percent", str(percent), *options, str(path)),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def agrees(report: dict[str, Any], path: Path, percent: int) -> None:
    """Every figure of the report, against SQL and the twin."""
    read = {kind: (tally["rows"], tally["units"]) for kind, tally in report["kinds"].items() if tally["rows"]}
    assert read == retail.by_kind(path)
    twin = Twin()
    lines = retail.lines(path)
    twin.open_with(lines, percent)
    twin.feed(lines)
    figures = {
        "opening": twin.opening,
        "sold": twin.sold,
        "returned": twin.returned,
        "increased": twin.increased,
        "decreased": twin.decreased,
        "orders": twin.orders,
        "orders_refused": twin.orders_refused,
        "return_without_sale_rows": twin.without_sale_rows,
        "return_without_sale_units": twin.without_sale_units,
        "on_hand": twin.on_hand,
    }
    assert {name: report[name] for name in figures} == figures
    sales = report["kinds"]["SALE"]
    assert (sales["refused_rows"], sales["refused_units"]) == (
        twin.sale_rows_refused,
        twin.sale_units_refused,
    )
    assert report["kinds"]["DECREASE"]["refused_rows"] == twin.decrease_rows_refused
    assert report["mismatches"] == []
    assert sales["refused_rows"] >= 0.01 * sales["rows"], "at least 1 % of the lines are refused"


@pytest.mark.parametrize("write", [retail.write_csv, retail.write_parquet], ids=["csv", "parquet"])
def test_a_generated_shop_agrees_with_sql_and_the_twin(tmp_path: Path, write: Any) -> None:
    suffix = ".csv" if write is retail.write_csv else ".parquet"
    path = write(tmp_path / f"orders{suffix}", retail.generated(seed=11, invoices=500))
    agrees(replay(path, 100, timeout=120), path, 100)


def test_a_generated_shop_goes_through_orders_with_the_same_figures(tmp_path: Path) -> None:
    path = retail.write_csv(tmp_path / "orders.csv", retail.generated(seed=11, invoices=500))
    agrees(replay(path, 100, 240, "--orders"), path, 100)


@pytest.mark.timeout(1200)
def test_a_real_shops_year_agrees_with_sql_and_the_twin() -> None:
    named = os.environ.get(RETAIL_FILE)
    if not named:
        pytest.skip(
            f"{RETAIL_FILE} names no file: the year is its owner's to give; a generated shop runs above"
        )
    path = Path(named)
    agrees(replay(path, PERCENT, timeout=1100), path, PERCENT)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lockstock_server.cli", "replay", str(tmp_path / "none.csv")],
        # Wide enough that no path, however long, breaks the sentence.
        env={**os.environ, "COLUMNS": "1000"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "does not exist" in done.stderr
