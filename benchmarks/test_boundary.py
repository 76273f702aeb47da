"""What a call costs at the boundary between Python and the engine: one call in, one durable answer out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import lockstock
import pytest
from lockstock.internal.v1 import documents_pb2 as documents
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
from lockstock_server import _core
from lockstock_server.routing.distance import Point
from lockstock_server.routing.network import Network, Place, Site

SERVICE = "/lockstock.v1.StockService/"
UNITS = 10**12


def put(engine: _core.Engine, *changes: documents.PutDocument) -> None:
    request = documents.PutDocumentsRequest(documents=changes)
    ok, payload = engine.call_blocking(
        "/lockstock.internal.v1.Documents/PutDocuments", request.SerializeToString()
    )
    assert ok, payload


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[_core.Engine]:
    if _core.BUILD_PROFILE == "debug":
        pytest.exit("The extension is a debug build: measure a release build (`make build`).", returncode=2)
    opened = _core.Engine.open(json.dumps({"data_dir": str(tmp_path / "data")}))
    region = documents.PutDocument(kind=documents.DOCUMENT_KIND_REGION, id="CN")
    warehouse = documents.PutDocument(
        kind=documents.DOCUMENT_KIND_WAREHOUSE, id="SH", warehouse=documents.WarehouseLive(state=1)
    )
    plan = documents.PutDocument(
        kind=documents.DOCUMENT_KIND_ROUTE_PLAN,
        id="CN",
        route_plan=documents.RoutePlanLive(warehouses=["SH"]),
    )
    sku = documents.PutDocument(kind=documents.DOCUMENT_KIND_SKU, id="HOT", sku=documents.SkuLive())
    put(opened, region, warehouse, plan, sku)
    line = op.StockLine(sku="HOT", warehouse="SH", quantity=UNITS)
    ok, payload = opened.call_blocking(
        SERVICE + "OtherReceipt", op.OtherReceiptRequest(lines=[line]).SerializeToString()
    )
    assert ok, payload
    yield opened
    opened.close()


def lock(number: int) -> op.LockRequest:
    return op.LockRequest(
        cause=op.Cause(request_id=lockstock.new_request_id()),
        reservation_id=f"r{number}",
        lines=[op.OrderLine(sku="HOT", quantity=1)],
        region="CN",
    )


def test_one_durable_lock(benchmark: Any, engine: _core.Engine) -> None:
    numbers = count()
    benchmark(lambda: engine.call_blocking(SERVICE + "Lock", lock(next(numbers)).SerializeToString()))


def test_a_batch_of_a_thousand_durable_locks(benchmark: Any, engine: _core.Engine) -> None:
    numbers = count()

    def batch() -> None:
        commands = [op.Command(lock=lock(next(numbers))) for _ in range(1_000)]
        request = stock.ExecuteBatchRequest(commands=commands)
        engine.call_blocking(SERVICE + "ExecuteBatch", request.SerializeToString())

    benchmark(batch)


def test_reading_a_skus_stock(benchmark: Any, engine: _core.Engine) -> None:
    request = stock.GetStockRequest(sku="HOT").SerializeToString()
    benchmark(lambda: engine.call_blocking(SERVICE + "GetStock", request))


def test_encoding_a_lock(benchmark: Any) -> None:
    benchmark(lambda: lock(1).SerializeToString())


def test_decoding_an_answer(benchmark: Any, engine: _core.Engine) -> None:
    ok, answer = engine.call_blocking(SERVICE + "Lock", lock(1).SerializeToString())
    assert ok, answer
    benchmark(op.Answer.FromString, answer)


@pytest.mark.parametrize("warehouses", [8, 1_000])
def test_planning_a_region_again_after_a_warehouse_changed(benchmark: Any, warehouses: int) -> None:
    network = Network()
    network.put_place("CN", Place("CN"))
    network.put_place("SH", Place("SH", parent="CN", centroid=Point(31.2, 121.5)))

    def site(number: int, rank: int) -> Site:
        place = Point(20.0 + number % 20, 100.0 + number % 25)
        return Site(f"W{number}", tier=number % 5, rank=rank, regions=frozenset({"CN"}), location=place)

    for number in range(warehouses):
        network.put_site(f"W{number}", site(number, rank=0))
    ranks = count(1)

    def change() -> None:
        assert "SH" in network.put_site("W0", site(0, rank=next(ranks)))
        network.plan("SH")

    benchmark(change)
