"""A server, its clients and the judgement of what they saw."""

from __future__ import annotations

import json
import multiprocessing
import random
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import lockstock
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from lockstock_server import _core
from lockstock_server.flash_sale.server_process import ServerProcess

from support.linear import Call, Verdict, check
from support.linear_clients import Script, run
from support.linear_requests import REGION, SKUS, UNITS, WAREHOUSES

JOURNAL_MAX = 10_000_000


def stock_up(server: ServerProcess) -> None:
    """The ground the histories stand on."""
    with lockstock.connect(server.address) as shop:
        shop.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=REGION)))
        for rank, name in enumerate(WAREHOUSES):
            place = catalog.Warehouse(warehouse=name, tier=catalog.TIER_CENTRAL, rank=rank)
            shop.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=place))
        shop.catalog.ImportSkus(catalog.ImportSkusRequest(skus=[catalog.Sku(sku=sku) for sku in SKUS]))
        lines = [op.StockLine(sku=sku, warehouse=name, quantity=UNITS) for sku in SKUS for name in WAREHOUSES]
        shop.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))


def record_and_judge(
    directory: Path, *, seed: int, processes: int, threads: int, calls: int, kills: int = 0
) -> Verdict:
    """Runs clients against a server of their own, killed so often meanwhile; what the checker says.

    With the same seed clients ask the same again; how their calls meet is the machine's business.
    """
    server = ServerProcess(directory, {"LOCKSTOCK_SEGMENT_BYTES": "262144"})
    server.start()
    try:
        stock_up(server)
        ours = {str(event["request_id"]) for event in journal(server)}
        seen = _seen(server, seed, processes, threads, calls, kills)
        if server.stop() != 0:
            return Verdict(faults=["the server did not stop in order"])
    finally:
        server.kill()
    return check(seen, journal(server), ours)


def journal(server: ServerProcess) -> list[dict[str, object]]:
    """What `lockstock journal dump --json` gives."""
    return [json.loads(event) for event in _core.Offline.dump(str(server.data_dir), 1, JOURNAL_MAX)]


def _seen(
    server: ServerProcess, seed: int, processes: int, threads: int, calls: int, kills: int
) -> list[Call]:
    draw = random.Random(seed)
    doors = (server.address, server.fast_lane)
    # Not forked: gRPC's threads do not survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        done = [
            pool.submit(run, Script(seed, process, doors, threads, calls)) for process in range(processes)
        ]
        # There is more than an event for two calls: the last kill comes before the clients are done.
        apart = processes * threads * calls // (3 * (kills + 1))
        for _ in range(kills):
            _kill_after(server, draw.randint(apart // 2, apart), done)
        return [call for process in done for call in process.result()]


def _kill_after(server: ServerProcess, events: int, clients: list[Future[list[Call]]]) -> None:
    """`kill -9` when the journal has grown by so much; then a new life."""
    with lockstock.connect(server.fast_lane) as door:
        begun = _sequence(door)
        while _sequence(door) < begun + events:
            assert not all(client.done() for client in clients), "the clients were done before the kill"
    server.kill()
    server.start()


def _sequence(door: lockstock.Client) -> int:
    answer: stock.GetStockResponse = door.stock.GetStock(stock.GetStockRequest(sku=SKUS[0]))
    return answer.sequence
