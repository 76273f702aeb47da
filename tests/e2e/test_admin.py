"""The administration of a server: what it says of itself, freeze, snapshot, drain, metrics, readiness."""

from __future__ import annotations

import json
import re
from pathlib import Path

import grpc
import lockstock
import pytest
from conftest import Server, Start
from lockstock import LockstockError, Retries
from lockstock.v1 import admin_pb2 as pb
from lockstock.v1 import catalog_pb2, stock_pb2


def a_sku(client: lockstock.Client, sku: str) -> None:
    client.catalog.CreateSku(catalog_pb2.CreateSkuRequest(sku=catalog_pb2.Sku(sku=sku)))


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").is_dir(), reason="this system has no huge pages to refuse"
)
def test_a_server_that_sells_takes_no_huge_pages_unless_its_operator_allows_them(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_them(server: Server) -> bool:
        assert server.process is not None
        return "THP_enabled:\t1" in Path(f"/proc/{server.process.pid}/status").read_text()

    monkeypatch.delenv("MIMALLOC_ALLOW_THP", raising=False)
    silent = takes_them(start("silent"))
    monkeypatch.setenv("MIMALLOC_ALLOW_THP", "1")
    allowed = takes_them(start("allowed"))
    assert (silent, allowed) == (False, True)


def test_a_server_says_what_it_is_and_within_which_limits(start: Start) -> None:
    server = start(HOLD_DEFAULT="PT5M", EXTENSIONS_MAX="3", REQUEST_ID_RETENTION="345600")
    with server.client() as client:
        a_sku(client, "book")
        info = client.admin.GetServerInfo(pb.GetServerInfoRequest())
    assert info.state == "ready"
    assert info.durability == "sync"
    assert info.hold_default.ToSeconds() == 300
    assert info.hold_max.ToSeconds() == 24 * 3600
    assert info.request_id_retention.ToSeconds() == 96 * 3600
    assert (info.extensions_max, info.request_ids_max) == (3, 20_000_000)
    assert info.sequence == info.durable_sequence > 0
    assert info.skus == 1
    assert info.fast_lane_address == server.fast_lane
    assert info.projection.database == "sqlite"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", info.journal_id)
    assert re.fullmatch(r"[0-9a-f]{16}", info.state_hash)
    assert info.build_profile in {"debug", "release", "tuned"}
    assert info.version


def test_a_freeze_refuses_changes_on_both_doors_lets_reads_through_and_ends(start: Start) -> None:
    server = start()
    once = Retries(attempts=1)
    with lockstock.connect(server.address, once) as client, lockstock.connect(server.fast_lane, once) as fast:
        a_sku(client, "book")
        client.admin.Freeze(pb.FreezeRequest())
        assert client.admin.GetServerInfo(pb.GetServerInfoRequest()).state == "frozen"
        with pytest.raises(LockstockError) as error:
            a_sku(client, "pen")
        assert (error.value.code, error.value.reason) == (grpc.StatusCode.UNAVAILABLE, "FROZEN")
        assert error.value.retry_after is not None
        for door in (client, fast):
            assert door.stock.GetStock(stock_pb2.GetStockRequest(sku="book")).sku == "book"
        assert server.get("/readyz")[0] == 503
        assert server.get("/healthz")[0] == 200
        client.admin.Thaw(pb.ThawRequest())
        a_sku(client, "pen")
        assert server.get("/readyz") == (200, "ready\n")


def test_a_snapshot_is_on_disk_when_it_is_answered_and_the_next_start_begins_from_it(start: Start) -> None:
    server = start()
    with server.client() as client:
        for n in range(20):
            a_sku(client, f"sku-{n}")
        taken = client.admin.TakeSnapshot(pb.TakeSnapshotRequest())
        info = client.admin.GetServerInfo(pb.GetServerInfoRequest())
    assert taken.size_bytes > 0
    assert info.snapshot_sequence == taken.sequence > 0
    files = list((server.data_dir / "snapshots").iterdir())
    assert [int(file.stem.rpartition("-")[2]) for file in files] == [taken.sequence]
    # The file has a header before what is counted.
    assert files[0].stat().st_size > taken.size_bytes
    server.kill()
    server.start()
    recovered = next(event for event in server.events() if event["event"] == "recovered")
    assert recovered["snapshot_sequence"] == taken.sequence
    with server.client() as client:
        assert client.admin.GetServerInfo(pb.GetServerInfoRequest()).skus == 20


def test_a_drain_is_a_graceful_stop(start: Start) -> None:
    server = start()
    with server.client() as client:
        client.admin.Drain(pb.DrainRequest())
        assert server.wait() == 0
    assert server.events()[-1] == server.events()[-1] | {"event": "stopped", "exit_code": 0}


def test_the_metrics_count_what_happened(server: Server, client: lockstock.Client) -> None:
    a_sku(client, "counted")
    with pytest.raises(LockstockError):
        a_sku(client, "")
    status, text = server.get("/metrics")
    assert status == 200
    assert 'lockstock_door_calls_total{method="CreateSku",outcome="ok"} 1.0' in text
    assert 'lockstock_door_calls_total{method="CreateSku",outcome="refused"} 1.0' in text
    for name in (
        "lockstock_durable_sequence",
        "lockstock_sync_seconds_count",
        "lockstock_projection_lag_records",
        "process_resident_memory_bytes",
    ):
        assert re.search(rf"^{name} [0-9.e+]+$", text, re.MULTILINE), name


def test_liveness_and_readiness_are_two_questions(server: Server) -> None:
    assert server.get("/healthz") == (200, "alive\n")
    assert server.get("/readyz") == (200, "ready\n")
    assert server.get("/elsewhere")[0] == 404


def test_a_log_line_is_one_json_object(server: Server) -> None:
    names = [event["event"] for event in server.events()]
    assert names[:2] == ["recovered", "serving"]
    for line in server.lines:
        assert {"event", "level", "timestamp"} <= json.loads(line).keys()
