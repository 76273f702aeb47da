"""`kill -9` at any moment loses nothing that was acknowledged, and a retry tells what became of the rest."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import lockstock
import pytest
from lockstock.retry import Retries
from lockstock.v1 import admin_pb2
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from lockstock_server import _core
from lockstock_server.flash_sale.server_process import ServerProcess

SKU, WAREHOUSE, REGION = "HOT", "DEPOT", "CN"
UNITS = 1_000_000
NEVER_AGAIN = Retries(attempts=1)


def stock_up(server: ServerProcess) -> None:
    with lockstock.connect(server.address) as shop:
        shop.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=REGION)))
        shop.catalog.CreateWarehouse(
            catalog.CreateWarehouseRequest(
                warehouse=catalog.Warehouse(warehouse=WAREHOUSE, tier=catalog.TIER_CENTRAL)
            )
        )
        shop.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=SKU)))
        line = op.StockLine(sku=SKU, warehouse=WAREHOUSE, quantity=UNITS)
        shop.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))


def lock_request(reservation: str) -> op.LockRequest:
    return op.LockRequest(
        cause=op.Cause(request_id=lockstock.new_request_id()),
        reservation_id=reservation,
        lines=[op.OrderLine(sku=SKU, quantity=1)],
        region=REGION,
    )


@dataclass
class Clients:
    """Clients that lock as fast as they can and write down what was sent and what was acknowledged."""

    sent: dict[str, op.LockRequest] = field(default_factory=dict)
    acknowledged: dict[str, op.Answer] = field(default_factory=dict)

    def run(self, address: str, life: int, enough: Callable[[], None], client: int) -> None:
        with lockstock.connect(address, NEVER_AGAIN) as lane:
            for number in range(100_000):
                reservation = f"c{client}-l{life}-{number}"
                request = self.sent[reservation] = lock_request(reservation)
                try:
                    self.acknowledged[reservation] = lane.stock.Lock(request, timeout=30)
                except lockstock.LockstockError as error:
                    if error.reason:
                        # Stock does not run out here: only a lost connection ends a client.
                        raise
                    return
                enough()


@pytest.mark.parametrize("door", ["python", "fast"])
def test_after_kill_9_everything_acknowledged_is_there_and_a_retry_tells_the_rest(
    tmp_path: Path, door: str
) -> None:
    server = ServerProcess(tmp_path)
    clients = Clients()
    server.start()
    stock_up(server)
    for life in range(3):
        address = server.address if door == "python" else server.fast_lane
        acknowledged_before = len(clients.acknowledged)
        killed = threading.Event()

        def enough(before: int = acknowledged_before, killed: threading.Event = killed) -> None:
            if len(clients.acknowledged) >= before + 300 and not killed.is_set():
                killed.set()
                server.kill()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(clients.run, address, life, enough), range(8)))
        assert killed.is_set()
        server.start()
        with lockstock.connect(server.fast_lane) as lane:
            check_every_answer(lane, clients)
    assert server.stop() == 0
    offline = json.loads(_core.Offline.open(str(server.data_dir)).summary())
    assert offline["totals"]["locked"] == len(clients.sent)


def check_every_answer(lane: lockstock.Client, clients: Clients) -> None:
    for reservation, request in clients.sent.items():
        # The same request again: the first answer where there was one, a first execution where there was none.
        again = lane.stock.Lock(request)
        first = clients.acknowledged.get(reservation)
        if first is not None:
            assert again.replayed
            assert again.sequence == first.sequence
            assert again.movements == first.movements
        clients.acknowledged[reservation] = again
    level = lane.stock.GetStock(stock.GetStockRequest(sku=SKU)).levels[0]
    assert (level.locked, level.available) == (len(clients.sent), UNITS - len(clients.sent))


def test_the_state_after_recovery_is_the_state_before_and_that_of_a_straight_replay(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    stock_up(server)
    with lockstock.connect(server.fast_lane) as lane:
        for number in range(50):
            lane.stock.Lock(lock_request(f"r{number}"))
            if number % 2:
                lane.stock.Deduct(op.DeductRequest(reservation_id=f"r{number}"))
    before = info(server)
    server.kill()
    server.start()
    after = info(server)
    server.kill()
    straight = json.loads(_core.Offline.open(str(server.data_dir)).summary())
    assert (after.sequence, after.state_hash) == (before.sequence, before.state_hash)
    assert (straight["sequence"], straight["state_hash"]) == (before.sequence, before.state_hash)


def info(server: ServerProcess) -> admin_pb2.GetServerInfoResponse:
    with lockstock.connect(server.address) as shop:
        return shop.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())


def test_the_database_catches_up_to_the_journal_after_a_kill(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    stock_up(server)
    with lockstock.connect(server.fast_lane) as lane:
        lane.stock.ExecuteBatch(
            stock.ExecuteBatchRequest(commands=[op.Command(lock=lock_request(f"r{n}")) for n in range(2_000)])
        )
    server.kill()
    server.start()
    deadline = time.monotonic() + 60
    while (now := info(server)).projection.sequence < now.durable_sequence:
        assert time.monotonic() < deadline, now
    assert server.stop() == 0
