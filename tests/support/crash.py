"""Clients that lock while their server is killed, and what must be true when it is back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import lockstock
from lockstock.retry import Retries
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock
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
