"""The extension module as Python sees it: `_core.pyi`, call by call."""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from lockstock.internal.v1 import documents_pb2 as seam
from lockstock.v1 import errors_pb2, stock_pb2, stock_pb2_grpc
from lockstock.v1 import operations_pb2 as op
from lockstock_server import _core
from lockstock_server.errors import ExitCode
from lockstock_server.settings import SEGMENT_BYTES_MIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOCK = "/lockstock.v1.StockService/"
DOCUMENTS = "/lockstock.internal.v1.Documents/"
SOON = 60.0


def settings(data_dir: Path, **changes: object) -> str:
    return json.dumps({"data_dir": str(data_dir), "disk_floor_bytes": 0, **changes})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[_core.Engine]:
    """An engine with 100 books in SH, which serves CN."""
    opened = _core.Engine.open(settings(tmp_path / "data"))
    plan = seam.RoutePlanLive(warehouses=["SH"])
    put = [
        seam.PutDocument(kind=seam.DOCUMENT_KIND_SKU, id="BOOK", sku=seam.SkuLive()),
        seam.PutDocument(kind=seam.DOCUMENT_KIND_WAREHOUSE, id="SH", warehouse=seam.WarehouseLive(state=1)),
        seam.PutDocument(kind=seam.DOCUMENT_KIND_REGION, id="CN"),
        seam.PutDocument(kind=seam.DOCUMENT_KIND_ROUTE_PLAN, id="CN", route_plan=plan),
    ]
    for document in put:
        document.body = b"{}"
    change = seam.PutDocumentsRequest(documents=put)
    assert opened.call_blocking(DOCUMENTS + "PutDocuments", change.SerializeToString())[0]
    opening = op.OtherReceiptRequest(lines=[op.StockLine(sku="BOOK", warehouse="SH", quantity=100)])
    assert opened.call_blocking(STOCK + "OtherReceipt", opening.SerializeToString())[0]
    yield opened
    opened.close()


def lock(reservation: str, quantity: int = 1) -> bytes:
    lines = [op.OrderLine(sku="BOOK", quantity=quantity)]
    return op.LockRequest(reservation_id=reservation, lines=lines, region="CN").SerializeToString()


def reason(payload: bytes) -> str:
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(payload).details[0].Unpack(info)
    return str(info.reason)


def available(engine: _core.Engine) -> int:
    request = stock_pb2.GetStockRequest(sku="BOOK").SerializeToString()
    ok, payload = engine.call_blocking(STOCK + "GetStock", request)
    assert ok
    return stock_pb2.GetStockResponse.FromString(payload).levels[0].available


def test_calls_come_back_behind_one_descriptor_each_under_its_token(engine: _core.Engine) -> None:
    waiting = set(range(120))
    answers: dict[int, tuple[bool, bytes]] = {}
    for token in range(120):
        done = engine.call(STOCK + "Lock", lock(f"order-{token}"), token)
        if done is not None:
            answers[token] = done
    engine.journal()
    fd = engine.completions_fd()
    while waiting - answers.keys():
        assert select.select([fd], [], [], SOON)[0], "nothing came back"
        answers.update({token: (ok, payload) for token, ok, payload in engine.take_completions()})
    for token, (ok, payload) in answers.items():
        if token < 100:
            assert ok
            assert op.Answer.FromString(payload).owner == f"order-{token}"
        else:
            assert not ok
            assert reason(payload) == "INSUFFICIENT_STOCK"
    assert engine.take_completions() == []


def test_what_saw_nothing_that_is_not_durable_is_answered_at_once(engine: _core.Engine) -> None:
    for method, request, expected in [
        ("Lock", b"\xff", "MALFORMED_MESSAGE"),
        ("Lock", b"", "FIELD_REQUIRED"),
        ("Steal", b"", "METHOD_UNKNOWN"),
        ("GetStock", stock_pb2.GetStockRequest(sku="NONE").SerializeToString(), "SKU_NOT_FOUND"),
    ]:
        done = engine.call(STOCK + method, request, 1)
        assert done is not None
        assert (done[0], reason(done[1])) == (False, expected)


def test_one_command_of_a_stream_gives_its_result(engine: _core.Engine) -> None:
    command = op.Command(lock=op.LockRequest.FromString(lock("order")))
    ok, payload = engine.call_blocking(STOCK + "Execute", command.SerializeToString())
    assert ok
    assert op.Result.FromString(payload).answer.owner == "order"


def test_the_fast_lane_serves_the_same_stock_and_stops_when_it_is_told(engine: _core.Engine) -> None:
    lane = engine.serve_fast_lane("127.0.0.1:0", json.dumps({"threads": 1}))
    with grpc.insecure_channel(lane.address) as channel:
        stub = stock_pb2_grpc.StockServiceStub(channel)
        assert stub.Lock(op.LockRequest.FromString(lock("order", 10))).owner == "order"
        with pytest.raises(grpc.RpcError) as refused:
            stub.Lock(op.LockRequest.FromString(lock("order", 10)))
        assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
        trailing = {it.key: it.value for it in refused.value.trailing_metadata() or ()}
        details = trailing["grpc-status-details-bin"]
        assert isinstance(details, bytes)
        assert reason(details) == "RESERVATION_EXISTS"
    assert lane.shutdown(SOON)
    assert lane.shutdown(SOON), "told again, it says the same"
    host, port = lane.address.rsplit(":", 1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=SOON)
    assert available(engine) == 90


def test_nobody_waits_with_the_interpreter_in_hand(engine: _core.Engine) -> None:
    said: list[str | None] = []
    waiter = threading.Thread(target=lambda: said.append(engine.wait_failed(0.2)))
    waiter.start()
    turns = 0
    while waiter.is_alive():
        turns += 1
    assert turns > 1
    assert said == [None]


def test_the_least_segment_of_the_settings_is_the_journals(tmp_path: Path) -> None:
    _core.Engine.open(settings(tmp_path / "least", segment_bytes=SEGMENT_BYTES_MIN)).close()
    with pytest.raises(_core.CoreError, match=str(SEGMENT_BYTES_MIN)):
        _core.Engine.open(settings(tmp_path / "less", segment_bytes=SEGMENT_BYTES_MIN - 1))


def test_errors_of_the_core_say_a_sentence_and_the_exit_code(tmp_path: Path, engine: _core.Engine) -> None:
    def code(fails: object, *arguments: object) -> int:
        assert callable(fails)
        with pytest.raises(_core.CoreError) as raised:
            fails(*arguments)
        assert len(str(raised.value)) > 10
        return raised.value.code

    taken = engine.serve_fast_lane("127.0.0.1:0", "{}")
    assert code(_core.Engine.open, "{") == 2
    assert code(_core.Engine.open, settings(tmp_path / "new", colour="red")) == 2
    assert code(_core.Engine.open, settings(tmp_path / "data")) == 3
    assert code(_core.Engine.open, settings(tmp_path / "new", proved_by_database=7)) == 4
    assert code(engine.serve_fast_lane, taken.address, "{}") == 5
    assert code(engine.serve_fast_lane, "127.0.0.1:0", '{"threads": 0}') == 2
    assert code(engine.projection_batch, 0, 10, "xml") == 1
    assert code(_core.Offline.open, str(tmp_path / "nowhere")) == 3
    assert taken.shutdown(SOON)


FORK = """
import json, os, sys
from lockstock_server import _core

engine = _core.Engine.open(json.dumps({"data_dir": sys.argv[1], "disk_floor_bytes": 0}))
lane = engine.serve_fast_lane("127.0.0.1:0", "{}")
child = os.fork()
if child == 0:
    for used in (engine.status, lambda: lane.address, engine.close):
        try:
            used()
        except _core.CoreError as error:
            assert "fork" in str(error), error
        else:
            os._exit(1)
    # Torn down as at the end of a process, in which no thread of the core lives.
    del engine, lane
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert json.loads(engine.status())["state"] == "ready"
assert lane.shutdown(60.0)
engine.close()
print("done")
"""


def test_a_fork_is_refused_with_a_sentence_and_its_end_touches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path / "data")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SOON, env=os.environ)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


def test_a_closed_engine_refuses_and_its_directory_can_be_read_and_opened_again(
    tmp_path: Path, engine: _core.Engine
) -> None:
    assert engine.call_blocking(STOCK + "Lock", lock("order", 10))[0]
    before = json.loads(engine.status())
    engine.close()
    ok, payload = engine.call_blocking(STOCK + "Lock", lock("late"))
    assert (ok, reason(payload)) == (False, "DRAINING")

    replayed = _core.Offline.open(str(tmp_path / "data"))
    summary = json.loads(replayed.summary())
    assert (summary["sequence"], summary["state_hash"]) == (before["sequence"], before["state_hash"])
    rows = json.loads(replayed.expected_rows("operations"))
    assert [row[0] for row in rows] == list(range(1, before["sequence"] + 1))
    (dumped,) = _core.Offline.dump(str(tmp_path / "data"), before["sequence"], 1)
    assert json.loads(dumped)["operation"] == "LOCK"

    again = _core.Engine.open(settings(tmp_path / "data"))
    assert json.loads(again.recovery())["sequence"] == before["sequence"]
    assert available(again) == 90
    again.close()


def test_a_replay_tells_how_far_it_is_and_ends_with_what_the_listener_raises(
    tmp_path: Path, engine: _core.Engine
) -> None:
    last = json.loads(engine.status())["durable_sequence"]
    engine.close()
    told: list[tuple[int, int]] = []
    _core.Offline.open(str(tmp_path / "data"), None, lambda done, in_all: told.append((done, in_all)))
    assert (told[0], told[-1]) == ((0, last), (last, last))
    assert told == sorted(told)

    def interrupted(done: int, in_all: int) -> None:
        raise KeyboardInterrupt(f"{done} of {in_all}")

    with pytest.raises(KeyboardInterrupt, match=f"0 of {last}"):
        _core.Offline.open(str(tmp_path / "data"), progress=interrupted)


def test_rows_come_in_batches_up_to_what_is_durable(engine: _core.Engine) -> None:
    last = json.loads(engine.status())["durable_sequence"]
    batch = engine.projection_batch(0, 1_000, "json")
    assert batch is not None
    assert (batch.first, batch.last) == (1, last)
    tables = {table: (rows, json.loads(formatted)) for table, _, rows, formatted in batch.tables}
    assert tables["operations"][0] == last == len(tables["operations"][1])
    assert engine.projection_batch(last, 1_000, "copy") is None


@pytest.mark.skipif(sys.platform != "linux", reason="what the limit counts differs elsewhere")
def test_a_journal_that_has_no_file_left_to_be_read_with_may_be_asked_again(engine: _core.Engine) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(_core.CoreError, match="Too many open files") as refused:
            engine.projection_batch(0, 1_000, "json")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert refused.value.code == ExitCode.DATA
    assert engine.projection_batch(0, 1_000, "json") is not None


def routed(
    asks: list[tuple[int, int]],
    offers: list[list[tuple[int, int]]],
    free: list[int],
    max_parcels: int = 0,
    *,
    allow_partial: bool = False,
) -> Any:
    return json.loads(_core.route(asks, offers, free, max_parcels, allow_partial))


def test_the_engines_own_chooser_routes_plain_numbers() -> None:
    books_and_pens = [[(0, 3), (2, 9)], [(2, 5), (3, 5)]]
    whole = {"refused": [], "split_exact": True}
    asks = [(0, 4), (1, 5)]
    assert routed(asks, books_and_pens, [99, 99]) == {"takes": [[1, 2, 4], [2, 2, 5]], **whole}
    asks = [(0, 2), (1, 7), (0, 3)]
    takes = [[1, 2, 2], [2, 2, 5], [2, 3, 2], [3, 2, 3]]
    assert routed(asks, books_and_pens, [99, 99]) == {"takes": takes, **whole}
    assert routed(asks, books_and_pens, [99, 99], 1) == {"parcels_needed": 2}
    assert routed(asks, books_and_pens, [4, 6]) == {"short": [0, 1]}
    partly = {"takes": [[1, 2, 2], [2, 2, 5], [2, 3, 1], [3, 2, 2]], "refused": [[2, 1], [3, 1]]}
    assert routed(asks, books_and_pens, [4, 6], allow_partial=True) == {**partly, "split_exact": True}
    many = routed([(0, 4)], [[(at, 1) for at in range(17)]], [99])
    assert (len(many["takes"]), many["split_exact"]) == (4, False)


def test_numbers_that_make_no_order_are_an_error_of_the_core() -> None:
    for asks, offers, free, says in [
        ([(1, 1)], [[(0, 1)]], [1], "which is none"),
        ([(0, 0)], [[(0, 1)]], [1], "QUANTITY_OUT_OF_RANGE"),
        ([(0, 10**12), (0, 1)], [[(0, 1)]], [1], "QUANTITY_OUT_OF_RANGE"),
        ([(0, 1)], [[(0, 1)]], [], "free is of 0"),
        ([(0, 1)], [[(1, 1), (0, 1)]], [1], "not ordered"),
        ([(0, 1)], [[(1, 1), (1, 1)]], [1], "not ordered"),
        ([(0, 1)], [[(0, 0)]], [1], "out of range"),
        ([(0, 1)], [[(0, 2**62), (1, 2**62)]], [1], "out of range"),
    ]:
        with pytest.raises(_core.CoreError, match=says):
            routed(asks, offers, free)


def test_a_buyer_is_found_by_the_hash_that_stands_in_the_rows(engine: _core.Engine) -> None:
    request = op.LockRequest.FromString(lock("order"))
    request.buyer = "ann@example.org"
    assert engine.call_blocking(STOCK + "Lock", request.SerializeToString())[0]
    batch = engine.projection_batch(0, 1_000, "json")
    assert batch is not None
    rows = next(json.loads(formatted) for table, _, _, formatted in batch.tables if table == "reservations")
    hashed = engine.buyer_hash("ann@example.org")
    assert (len(hashed), hashed in rows[0]) == (32, True)
    assert engine.buyer_hash("") == ""


def test_the_facts_of_the_core_are_those_of_the_contract() -> None:
    core = {f"REASON_{it['name']}": it["number"] for it in json.loads(_core.reasons())}
    contract = dict(errors_pb2.Reason.items())
    del contract["REASON_UNSPECIFIED"]
    assert core == contract
    lock_row = next(row for row in json.loads(_core.movements()) if row["name"] == "LOCK")
    assert lock_row["cell"] == [["available", -1], ["locked", 1]]
    assert lock_row["owner"] == "reservation"
    assert json.loads(_core.limits())["commands_max"] == 8_190
    assert "stock" in json.loads(_core.columns())
    assert _core.BUILD_PROFILE in {"debug", "release", "tuned"}


def test_a_histogram_is_a_bucket_for_each_bound_a_sum_and_a_count(engine: _core.Engine) -> None:
    families = {name: (kind, samples) for name, kind, _, samples in json.loads(engine.metrics())}
    kind, samples = families["lockstock_sync_seconds"]
    assert kind == "histogram"
    by_series: dict[str, list[tuple[dict[str, str], float]]] = {}
    for labels, value in samples:
        by_series.setdefault(labels["__series"], []).append((labels, value))
    (count,) = by_series["count"]
    assert by_series["bucket"][-1] == ({"__series": "bucket", "le": "+Inf"}, count[1])
    assert count[1] > 0
    assert len(by_series["sum"]) == 1
    assert families["lockstock_ready"] == ("gauge", [[{}, 1.0]])
