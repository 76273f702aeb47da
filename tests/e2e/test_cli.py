"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lockstock_server.flash_sale.server_process import ServerProcess
from support.waiting import wait_until

REGIONS = "region,parent\nCN,\nCN-SH,CN\n"
WAREHOUSES = "warehouse,tier,rank,regions\nSH,CITY,1,CN\nBJ,CITY,2,CN\n"
SKUS = "sku,title,category\nBOOK,A book,books\nPEN,A pen,\n"
STOCK = "sku,warehouse,quantity\nBOOK,SH,20\nBOOK,SH,10\nPEN,BJ,5\n"


def lockstock(
    *arguments: str, data_dir: Path | None = None, url: str = "", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    given = {"LOCKSTOCK_DATA_DIR": str(data_dir), "LOCKSTOCK_DATABASE_URL": url} if data_dir else {}
    given |= {f"LOCKSTOCK_{name}": value for name, value in (settings or {}).items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")}
    return subprocess.run(
        [sys.executable, "-m", "lockstock_server.cli", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean, **given},
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path)
    process.start()
    yield process
    process.kill()


def files(directory: Path) -> list[str]:
    options = []
    for name, text in {"regions": REGIONS, "warehouses": WAREHOUSES, "skus": SKUS, "stock": STOCK}.items():
        path = directory / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        options += [f"--{name}", str(path)]
    return options


def test_a_shop_is_imported_from_csv_and_importing_again_changes_nothing(
    server: ServerProcess, tmp_path: Path
) -> None:
    command = ("import", *files(tmp_path), "--server", server.address, "--json")
    first, again = lockstock(*command), lockstock(*command)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert json.loads(first.stdout)["counts"] == {
        "regions created": 2,
        "warehouses created": 2,
        "skus created": 2,
        "stock created": 2,
    }
    assert json.loads(again.stdout)["counts"] == {
        "regions unchanged": 2,
        "warehouses unchanged": 2,
        "skus unchanged": 2,
        "stock unchanged": 2,
    }
    shown = json.loads(lockstock("stock", "BOOK", "--fast-lane", server.fast_lane, "--json").stdout)
    assert [(level["warehouse"], level["available"]) for level in shown["levels"]] == [("SH", "30")]


def test_refused_rows_are_listed_with_their_number_and_stop_no_other(
    server: ServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "regions.csv"
    path.write_text("region,parent\nA,\nB,NONE\nC,A\n", encoding="utf-8")
    done = lockstock("import", "--regions", str(path), "--server", server.address, "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["counts"] == {"regions created": 2, "regions refused": 1}
    assert [(row["row"], row["id"], row["reason"]) for row in report["refused"]] == [
        (3, "B", "REFERENCE_INVALID")
    ]


def test_a_wrong_column_is_one_sentence_before_anything_is_sent(
    server: ServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "opening.csv"
    path.write_text("sku,warehouse,quantity,qty\nBOOK,SH,1,1\n", encoding="utf-8")
    done = lockstock("import", *files(tmp_path)[:2], "--stock", str(path), "--server", server.address)
    assert done.returncode == 2
    assert "opening.csv has a column 'qty', and the columns are sku, warehouse, quantity." in done.stderr
    assert "Traceback" not in done.stderr
    regions = lockstock("region", "list", "--server", server.address, "--json")
    assert json.loads(regions.stdout) == []


def test_errors_are_sentences_and_exit_codes(server: ServerProcess) -> None:
    unknown = lockstock("reservation", "NONE", "--fast-lane", server.fast_lane)
    assert unknown.returncode == 3
    assert "RESERVATION_NOT_FOUND: there is no reservation NONE" in unknown.stderr
    away = lockstock("stock", "BOOK", "--fast-lane", "127.0.0.1:1")
    assert away.returncode == 4
    assert "No server answers at 127.0.0.1:1" in away.stderr


def test_a_command_asks_the_server_of_the_settings(server: ServerProcess, tmp_path: Path) -> None:
    here = {"ADDRESS": server.address, "FAST_LANE_ADDRESS": server.fast_lane}
    assert lockstock("import", *files(tmp_path), settings=here).returncode == 0
    assert json.loads(lockstock("stock", "BOOK", "--json", settings=here).stdout)["free"] == "30"


def test_a_refusal_for_want_of_stock_shows_every_short_sku(server: ServerProcess, tmp_path: Path) -> None:
    here = {"ADDRESS": server.address}
    assert lockstock("import", *files(tmp_path), settings=here).returncode == 0
    place = ("order", "place", "O-1", "--line", "BOOK=500", "--line", "PEN=6", "--region", "CN")
    told = lockstock(*place, settings=here)
    assert (told.returncode, told.stdout) == (3, "")
    sentence, *shortages = told.stderr.splitlines()
    assert sentence.startswith("INSUFFICIENT_STOCK: ")
    assert shortages[-2:] == [
        "  BOOK (line 1): 500 asked, 30 can be had",
        "  PEN (line 2): 6 asked, 5 can be had",
    ]
    in_json = lockstock(*place, "--json", settings=here)
    assert in_json.returncode == 3
    refusal = json.loads(in_json.stdout)
    assert (refusal["code"], refusal["reason"]) == ("FAILED_PRECONDITION", "INSUFFICIENT_STOCK")
    assert refusal["message"]
    assert [(short["sku"], short["asked"]) for short in refusal["shortages"]] == [
        ("BOOK", "500"),
        ("PEN", "6"),
    ]


def test_with_json_a_refusal_and_a_missing_server_are_documents_too(server: ServerProcess) -> None:
    unknown = lockstock("reservation", "NONE", "--json", settings={"FAST_LANE_ADDRESS": server.fast_lane})
    assert unknown.returncode == 3
    refusal = json.loads(unknown.stdout)
    assert (refusal["reason"], refusal["metadata"]) == ("RESERVATION_NOT_FOUND", {"reservation": "NONE"})
    away = lockstock("stock", "BOOK", "--fast-lane", "127.0.0.1:1", "--json")
    assert away.returncode == 4
    assert (json.loads(away.stdout)["code"], json.loads(away.stdout)["reason"]) == ("UNAVAILABLE", "")


def test_an_operator_asks_freezes_thaws_takes_a_snapshot_and_drains(
    server: ServerProcess, tmp_path: Path
) -> None:
    here = {"ADDRESS": server.address}

    def admin(command: str) -> dict[str, Any]:
        done = lockstock("admin", command, "--json", settings=here)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    assert lockstock("admin", "info", settings=here).returncode == 0
    assert admin("info")["state"] == "ready"
    assert lockstock("import", *files(tmp_path), settings=here).returncode == 0
    order = ("order", "place", "O-1", "--line", "BOOK=1", "--region", "CN")
    admin("freeze")
    assert admin("info")["state"] == "frozen"
    refused = lockstock(*order, settings=here)
    assert refused.returncode == 3
    assert "FROZEN" in refused.stderr
    admin("thaw")
    assert lockstock(*order, settings=here).returncode == 0
    taken = admin("snapshot")
    assert int(taken["size_bytes"]) > 0
    assert admin("info")["snapshot_sequence"] == taken["sequence"]
    assert lockstock("admin", "drain", settings=here).returncode == 0
    wait_until(lambda: not server.alive, "the server ends by itself")
    assert server.stop() == 0


def test_verify_agrees_and_finds_a_changed_row_and_a_damaged_journal(
    server: ServerProcess, tmp_path: Path
) -> None:
    assert lockstock("import", *files(tmp_path), "--server", server.address).returncode == 0
    assert server.stop() == 0
    verify = ("verify", "--json")
    right = lockstock(*verify, data_dir=server.data_dir, url=server.database_url)
    assert right.returncode == 0, right.stdout + right.stderr
    found = json.loads(right.stdout)
    assert (found["on_hand"], found["faults"]) == (35, [])
    assert found["database_sequence"] == found["summary"]["sequence"]

    with sqlite3.connect(server.database_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE stock SET available = available + 1 WHERE sku = 'PEN'")
    wrong = lockstock(*verify, data_dir=server.data_dir, url=server.database_url)
    assert wrong.returncode == 1
    assert any("PEN" in fault for fault in json.loads(wrong.stdout)["faults"])

    segment = min((server.data_dir / "journal").glob("*"))
    damaged = bytearray(segment.read_bytes())
    damaged[4096 + 200] ^= 0xFF
    segment.write_bytes(damaged)
    broken = lockstock(*verify, data_dir=server.data_dir, url=server.database_url)
    assert broken.returncode == 1
    assert "offset" in json.loads(broken.stdout)["faults"][0]


@pytest.mark.parametrize("command", [("verify", "--json"), ("journal", "dump"), ("rebuild",)])
def test_what_reads_the_journal_offline_refuses_while_a_server_writes_it(
    server: ServerProcess, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert lockstock("import", *files(tmp_path), "--server", server.address).returncode == 0
    refused = lockstock(*command, data_dir=server.data_dir, url=server.database_url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "another process has the data directory" in refused.stderr
    assert server.stop() == 0
    assert lockstock(*command, data_dir=server.data_dir, url=server.database_url).returncode == 0


@pytest.mark.parametrize("command", [("verify",), ("journal", "dump"), ("rebuild",)])
def test_a_directory_without_a_journal_is_a_wrong_call(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = lockstock(*command, data_dir=tmp_path)
    assert refused.returncode == 2
    assert f"There is no journal in {tmp_path}." in refused.stderr.replace("\n", "")
    assert list(tmp_path.iterdir()) == []


def on_a_terminal(*arguments: str, here: tuple[Path, str]) -> str:
    """What a command over a data directory and a database shows of itself on a terminal."""
    terminal, its_end = os.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")}
    given = {"LOCKSTOCK_DATA_DIR": str(here[0]), "LOCKSTOCK_DATABASE_URL": here[1], "TERM": "xterm"}
    command = [sys.executable, "-m", "lockstock_server.cli", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its_end, env=clean | given) as running:
        os.close(its_end)
        shown = b""
        # Linux ends a terminal that nobody writes to any more with an error.
        with suppress(OSError):
            while read := os.read(terminal, 4_096):
                shown += read
        os.close(terminal)
    assert running.returncode == 0, shown
    return shown.decode()


def test_long_work_shows_how_far_it_is_on_a_terminal_and_never_in_json(
    server: ServerProcess, tmp_path: Path
) -> None:
    assert lockstock("import", *files(tmp_path), "--server", server.address).returncode == 0
    assert server.stop() == 0
    here = (server.data_dir, server.database_url)
    verified = on_a_terminal("verify", here=here)
    for work in ("replaying the journal", "replaying to where the database stands", "comparing the tables"):
        assert work in verified
    assert "building the database" in on_a_terminal("rebuild", here=here)
    assert on_a_terminal("verify", "--json", here=here) == ""


def test_rebuild_builds_the_database_again_from_the_journal(server: ServerProcess, tmp_path: Path) -> None:
    assert lockstock("import", *files(tmp_path), "--server", server.address).returncode == 0
    refused = lockstock("rebuild", data_dir=server.data_dir, url=server.database_url)
    assert (refused.returncode, "--drop-only" in refused.stderr) == (1, True), "a server is running"
    assert server.stop() == 0
    rebuilt = lockstock("rebuild", "--json", data_dir=server.data_dir, url=server.database_url)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rebuilt.stderr == "", "no bar where there is no terminal"
    verified = lockstock("verify", "--json", data_dir=server.data_dir, url=server.database_url)
    assert verified.returncode == 0, verified.stdout
    found = json.loads(verified.stdout)
    assert found["database_sequence"] == json.loads(rebuilt.stdout)["database_sequence"] > 0


def test_rebuild_may_only_drop_and_the_next_start_builds_the_same(
    server: ServerProcess, tmp_path: Path
) -> None:
    assert lockstock("import", *files(tmp_path), "--server", server.address).returncode == 0
    assert server.stop() == 0
    dropped = lockstock("rebuild", "--drop-only", data_dir=server.data_dir, url=server.database_url)
    assert dropped.returncode == 0, dropped.stderr
    verified = lockstock("verify", "--json", data_dir=server.data_dir, url=server.database_url)
    assert json.loads(verified.stdout)["database_sequence"] is None
    server.start()
    assert server.stop() == 0
    verified = lockstock("verify", "--json", data_dir=server.data_dir, url=server.database_url)
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["database_sequence"] > 0


def test_the_journal_is_dumped_as_json_with_names(server: ServerProcess, tmp_path: Path) -> None:
    assert lockstock("import", *files(tmp_path), "--server", server.address).returncode == 0
    assert server.stop() == 0
    dumped = lockstock("journal", "dump", "--limit", "1000", "--data-dir", str(server.data_dir))
    events = [json.loads(line) for line in dumped.stdout.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert any("OTHER_RECEIPT" in json.dumps(event) and "BOOK" in json.dumps(event) for event in events)


def test_config_show_names_every_setting_and_a_wrong_one_is_a_sentence() -> None:
    shown = json.loads(lockstock("config", "show", "--json").stdout)
    assert {"data_dir", "address", "durability", "hold_default"} <= shown.keys()
    environment = {**os.environ, "LOCKSTOCK_DURABILITY": "perhaps"}
    wrong = subprocess.run(
        [sys.executable, "-m", "lockstock_server.cli", "config", "show"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert wrong.returncode == 2
    assert "LOCKSTOCK_DURABILITY" in wrong.stderr
