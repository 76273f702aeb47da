"""`lockstock import`: pieces and their order, previews over files that build on each other, and exact resuming."""

from __future__ import annotations

import csv
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import lockstock
import pytest
from fake_shop import FakeShop, status
from google.rpc import status_pb2
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.cli.importing import documents, opening, pairs
from lockstock_server.cli.importing.documents import KINDS, Documents, Hashes, ToCome
from lockstock_server.cli.importing.findings import SHOWN_MAX, Findings
from lockstock_server.cli.importing.opening import Opening
from lockstock_server.cli.importing.progress import Progress
from lockstock_server.cli.importing.sending import TRIES, Lane, until_judged
from lockstock_server.cli.tables import Table

HEADS = {
    "regions": "region,parent",
    "warehouses": "warehouse,tier,regions,parent",
    "skus": "sku,title",
    "stock": "sku,warehouse,quantity",
}
NOON = 1_800_000_000.0


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    shop = FakeShop()
    yield shop
    shop.close()


@pytest.fixture
def errors(tmp_path: Path) -> Path:
    return tmp_path / "errors.csv"


Run = Callable[..., Findings]


@pytest.fixture
def run(shop: FakeShop, tmp_path: Path, errors: Path) -> Run:
    """Imports files given by their rows, in one command; the findings."""

    def go(*, preview: bool = False, at: float = NOON, **files: list[str]) -> Findings:
        client: Any = shop
        to_come = ToCome()
        with Findings(errors, json_wanted=False) as findings, Progress() as progress:
            for name, rows in files.items():
                path = tmp_path / f"{name}.csv"
                path.write_text("\n".join([HEADS[name], *rows]) + "\n", encoding="utf-8")
            for kind in KINDS:
                if kind.word in files:
                    table = Table(tmp_path / f"{kind.word}.csv", kind.layout)
                    Documents(client, kind, findings, to_come, preview=preview).run(table, progress)
            if "stock" in files:
                path = tmp_path / "stock.csv"
                Opening(client, path, findings, to_come, preview=preview, now=lambda: at).run(progress)
        return findings

    return go


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of three rows, so that a small file has many."""
    monkeypatch.setattr(documents, "ROWS_A_CALL", 3)
    monkeypatch.setattr(pairs, "PAIRS_A_CALL", 3)


def told(findings: Findings) -> list[tuple[object, ...]]:
    return [(row["file"], row["row"], row["id"], row["reason"]) for row in findings.refusals.first]


A_SHOP = {
    "regions": ["cn,", "sh,cn"],
    "warehouses": ["SH,CITY,sh,", "BJ,CITY,cn,SH"],
    "skus": [f"S{n},good {n}" for n in range(10)],
}


def test_a_piece_is_what_one_call_takes_by_rows_and_by_bytes() -> None:
    small = [(n, pb.Sku(sku=f"{n:05}")) for n in range(20_000)]
    assert [len(piece) for piece in documents.pieces(small)] == [8_190, 8_190, 3_620]
    large = [(n, pb.Warehouse(title="x" * (1 << 20))) for n in range(10)]
    assert [len(piece) for piece in documents.pieces(large)] == [3, 3, 3, 1]
    assert list(documents.pieces([])) == []


def test_answers_come_in_the_order_of_the_pieces_with_as_many_under_way_as_the_lane_is_deep() -> None:
    gates = [threading.Event() for _ in range(5)]
    under_way = threading.Semaphore(0)

    def work(piece: int) -> int:
        under_way.release()
        gates[piece].wait()
        return piece * 10

    with ThreadPoolExecutor(2) as pool:
        lane = Lane(pool, 2, work)
        assert list(lane.send(0)) == list(lane.send(1)) == []
        for _ in range(2):
            assert under_way.acquire(timeout=30)
        for gate in reversed(gates):
            gate.set()
        answered = [*lane.send(2), *lane.send(3), *lane.send(4), *lane.rest()]
    assert answered == [(n, n * 10) for n in range(5)]


def test_only_rows_that_came_too_early_are_sent_again_and_after_the_servers_own_hint() -> None:
    sent: list[list[str]] = []
    waits: list[float] = []
    busy = {"b": 2, "d": 1}

    def send(rows: list[str]) -> list[status_pb2.Status | None]:
        sent.append(rows)
        answers: list[status_pb2.Status | None] = []
        for row in rows:
            busy[row] = busy.get(row, 0) - 1
            answers.append(status("OVERLOADED", limit="records") if busy[row] >= 0 else None)
        answers[0] = status("FIELD_REQUIRED", field="x") if rows[0] == "a" else answers[0]
        return answers

    answers = until_judged(list("abcd"), send, lambda answer: answer, waits.append)
    assert sent == [["a", "b", "c", "d"], ["b", "d"], ["b"]]
    assert waits == [0.25, 0.25]
    assert [answer is None for answer in answers] == [False, True, True, True]


def test_rows_that_the_server_is_always_too_busy_for_are_refused_in_the_end() -> None:
    waits: list[float] = []
    answers = until_judged(
        ["a"], lambda _: [status("OVERLOADED", limit="records")], lambda answer: answer, waits.append
    )
    assert (len(answers), len(waits)) == (1, TRIES)


@pytest.mark.usefixtures("small")
def test_files_are_imported_in_pieces_and_again_changes_nothing(run: Run, shop: FakeShop) -> None:
    stock = [f"S{n},SH,{n + 1}" for n in range(10)]
    assert run(**A_SHOP, stock=stock).counts == {
        "regions created": 2,
        "warehouses created": 2,
        "skus created": 10,
        "stock created": 10,
    }
    assert len(shop.stock.batches) == 4
    changes = shop.catalog.documents.sequence
    assert run(**A_SHOP, stock=stock).counts == {
        "regions unchanged": 2,
        "warehouses unchanged": 2,
        "skus unchanged": 10,
        "stock unchanged": 10,
    }
    assert shop.catalog.documents.sequence == changes
    assert shop.stock.received == {(f"S{n}", "SH"): [n + 1] for n in range(10)}


@pytest.mark.usefixtures("small")
def test_a_preview_of_a_whole_shop_takes_each_file_for_granted_in_the_next(run: Run, shop: FakeShop) -> None:
    files = {
        "regions": ["r0,", *(f"r{n},r{n - 1}" for n in range(1, 9)), "lost,nowhere"],
        "warehouses": [f"W{n},CITY,r{n}," for n in range(7)] + ["X,CITY,nowhere,", "Y,CITY,r1,W1"],
        "skus": [f"S{n},good {n}" for n in range(10)],
        "stock": ["S1,W1,5", "S2,NONE,5", "NONE,W1,5", "S9,W6,1", "S0,X,1"],
    }
    previewed = run(preview=True, **files)
    assert not shop.catalog.documents.changes
    assert not shop.stock.batches
    assert previewed.counts == {
        "regions created": 9,
        "regions refused": 1,
        "warehouses created": 8,
        "warehouses refused": 1,
        "skus created": 10,
        "stock created": 2,
        "stock refused": 3,
    }
    refused = [
        ("regions.csv", 11, "lost", "REFERENCE_INVALID"),
        ("warehouses.csv", 9, "X", "REFERENCE_INVALID"),
        ("stock.csv", 3, "S2", "WAREHOUSE_NOT_FOUND"),
        ("stock.csv", 4, "NONE", "SKU_NOT_FOUND"),
        ("stock.csv", 6, "S0", "WAREHOUSE_NOT_FOUND"),
    ]
    assert told(previewed) == refused
    done = run(**files)
    assert done.counts == previewed.counts
    assert told(done) == refused


def test_a_preview_shows_every_value_that_stands_otherwise_than_the_row_says(
    run: Run, shop: FakeShop, errors: Path
) -> None:
    run(**A_SHOP, stock=["S1,SH,5", "S2,SH,7"])
    sequence = shop.catalog.documents.sequence
    again = run(
        preview=True,
        skus=["S1,other", "S2,good 2", "S99,new"],
        warehouses=["SH,LOCAL,cn,"],
        stock=["S1,SH,6", "S2,SH,7", "S99,SH,1"],
    )
    assert shop.catalog.documents.sequence == sequence
    assert [(row["id"], row["field"], row["old"], row["new"]) for row in again.conflicts.first] == [
        ("SH", "coverage", '{"regions":["sh"]}', '{"regions":["cn"]}'),
        ("SH", "tier", "TIER_CITY", "TIER_LOCAL"),
        ("S1", "title", "good 1", "other"),
        ("S1", "received in SH", "5", "6"),
    ]
    with errors.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["row"], row["reason"]) for row in rows] == [
        ("warehouses.csv", "2", "DIFFERS"),
        ("warehouses.csv", "2", "DIFFERS"),
        ("skus.csv", "2", "DIFFERS"),
        ("stock.csv", "2", "DIFFERS"),
    ]
    assert rows[2]["message"] == "title is good 1 and would be other"


@pytest.mark.usefixtures("small")
def test_an_unreadable_cell_is_an_error_of_its_row_and_stops_no_other(run: Run, shop: FakeShop) -> None:
    done = run(**A_SHOP, stock=["S1,SH,many", "S2,SH,2", "S3,SH,0", ",SH,1", "S4,,1", "S5,SH,1" + "0" * 13])
    assert shop.stock.received == {("S2", "SH"): [2]}
    assert told(done) == [
        ("stock.csv", 2, "S1", "CELL_INVALID"),
        ("stock.csv", 4, "S3", "QUANTITY_OUT_OF_RANGE"),
        ("stock.csv", 5, "", "FIELD_REQUIRED"),
        ("stock.csv", 6, "S4", "FIELD_REQUIRED"),
        ("stock.csv", 7, "S5", "QUANTITY_OUT_OF_RANGE"),
    ]


@pytest.mark.usefixtures("small")
def test_rows_of_one_sku_in_one_warehouse_are_summed_however_far_apart_they_stand(
    run: Run, shop: FakeShop
) -> None:
    stock = ["S1,SH,1", *(f"S{n},BJ,1" for n in range(10)), "S1,SH,20", "S2,SH,3", "S1,SH,300"]
    run(**A_SHOP, stock=stock)
    assert shop.stock.received == {
        **{(f"S{n}", "BJ"): [1] for n in range(10)},
        ("S1", "SH"): [321],
        ("S2", "SH"): [3],
    }


def test_rows_that_belong_together_are_received_together_or_not_at_all(run: Run, shop: FakeShop) -> None:
    done = run(**A_SHOP, stock=["S1,SH,1", "S1,SH,x", "S2,SH,x", "S2,SH,-1", "S3,SH,9"])
    assert shop.stock.received == {("S3", "SH"): [9]}
    assert told(done) == [
        ("stock.csv", 3, "S1", "CELL_INVALID"),
        ("stock.csv", 4, "S2", "CELL_INVALID"),
        ("stock.csv", 5, "S2", "QUANTITY_OUT_OF_RANGE"),
        ("stock.csv", 2, "S1", "CELL_INVALID"),
    ]
    run(stock=["S1,SH,1", "S1,SH,2"])
    assert shop.stock.received["S1", "SH"] == [3]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("cut_off_after", range(5))
def test_a_run_that_is_cut_off_between_a_receipt_and_its_answer_is_resumed_exactly(
    run: Run, shop: FakeShop, cut_off_after: int
) -> None:
    run(**A_SHOP)
    stock = [f"S{n % 10},{'SH' if n < 10 else 'BJ'},{n + 1}" for n in range(20)] + ["S0,SH,100"]
    shop.stock.cut_off_after = cut_off_after
    with pytest.raises(lockstock.LockstockError):
        run(stock=stock)
    shop.stock.cut_off_after = None
    done = run(stock=stock, at=NOON + 3_600)
    assert done.counts["stock created"] + done.counts["stock unchanged"] == 20
    expected = {(f"S{n % 10}", "SH" if n < 10 else "BJ"): [n + 1] for n in range(20)}
    assert shop.stock.received == expected | {("S0", "SH"): [101]}


def test_a_batch_of_a_killed_run_that_arrives_behind_the_question_is_recognised(
    run: Run, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(**A_SHOP)
    run(stock=["S1,SH,5"], at=NOON)
    # The next run is told of nothing that was received, as if the batch were still on its way.
    monkeypatch.setattr(Opening, "_received", lambda *_: ({}, set()))
    done = run(stock=["S1,SH,5"], at=NOON + 60)
    assert done.counts == {"stock unchanged": 1}
    assert shop.stock.received == {("S1", "SH"): [5]}


def test_the_request_id_of_a_receipt_is_a_uuidv7_of_its_moment_and_its_units() -> None:
    stamp = int(NOON * 1_000)
    one = opening.request_id(stamp, "S1", "SH")
    assert one == opening.request_id(stamp, "S1", "SH")
    assert len({one, opening.request_id(stamp, "S1", "BJ"), opening.request_id(stamp + 1, "S1", "SH")}) == 3
    assert int(one.replace("-", "")[:12], 16) == stamp
    assert (one[14], one[19] in "89ab") == ("7", True)


def test_what_the_server_was_too_busy_for_is_received_a_moment_later(
    run: Run, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(**A_SHOP)
    shop.stock.busy = 4
    waits: list[float] = []
    monkeypatch.setattr(opening, "until_judged", partial(until_judged, sleep=waits.append))
    done = run(stock=[f"S{n},SH,1" for n in range(3)])
    assert done.counts == {"stock created": 3}
    assert shop.stock.received == {(f"S{n}", "SH"): [1] for n in range(3)}
    assert waits == [0.25, 0.25]


def test_where_too_many_warehouses_hold_the_skus_of_a_piece_fewer_are_asked_for(
    run: Run, shop: FakeShop
) -> None:
    run(**A_SHOP)
    shop.stock.skus_an_answer = 3
    assert run(stock=[f"S{n},SH,1" for n in range(10)]).counts == {"stock created": 10}
    assert max(len(asked) for asked in shop.stock.asked if len(asked) <= 3) == 3


def test_unknown_skus_are_their_rows_refusals_and_are_found_out_in_one_question(
    run: Run, shop: FakeShop
) -> None:
    run(**A_SHOP)
    shop.catalog.calls.clear()
    done = run(stock=[f"{'S' if n % 2 else 'NONE'}{n},SH,1" for n in range(10)])
    assert done.counts == {"stock created": 5, "stock refused": 5}
    assert Counter(reason for *_, reason in told(done)) == {"SKU_NOT_FOUND": 5}
    assert len(shop.catalog.calls) == 1
    assert not any(sku.startswith("NONE") for sku, _ in shop.stock.received)


def test_a_thousand_findings_are_shown_by_the_first_and_listed_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "errors.csv"
    with Findings(path, json_wanted=True) as findings:
        for number in range(1_000):
            findings.refused("f.csv", number, f"id{number}", "SKU_NOT_FOUND", "no, \udcff")
            findings.differs("f.csv", number, f"id{number}", "title", "", "né")
        findings.counts["skus refused"] += 1_000
        findings.print_json(preview=True)
        findings.print_tables("imported")
    printed = capsys.readouterr().out
    report, end = json.JSONDecoder().raw_decode(printed)
    assert (len(report["refused"]), len(report["conflicts"])) == (1_000, 1_000)
    assert report["refused"][3] == {
        "file": "f.csv",
        "row": 3,
        "id": "id3",
        "reason": "SKU_NOT_FOUND",
        "message": "no, \\udcff",
    }
    assert report["counts"] == {"skus refused": 1_000}
    assert report["preview"] is True
    assert f"refused: the first {SHOWN_MAX} of 1,000" in printed[end:]
    with path.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2_000


def test_the_outcomes_of_one_file_are_told_in_words() -> None:
    with Findings(None, json_wanted=False) as findings:
        findings.counts.update({"skus created": 1_234, "skus refused": 1, "stock created": 9})
        assert findings.outcomes("skus") == "1,234 created, 1 refused"
        assert findings.outcomes("stock") == "9 created"
        assert findings.outcomes("regions") == ""


def test_ids_are_told_apart_in_eight_bytes_each() -> None:
    hashes = Hashes()
    assert "a" not in hashes
    for n in range(1_000):
        hashes.add(f"S{n}")
    assert all(f"S{n}" in hashes for n in range(1_000))
    assert not any(f"T{n}" in hashes for n in range(1_000))
