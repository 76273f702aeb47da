"""Orders as large as a real shop's: hundreds of lines, and a refusal that names every short SKU of them."""

from __future__ import annotations

from pathlib import Path

import lockstock
import pytest
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock_server.flash_sale.server_process import ServerProcess

LINES = 675


def test_every_one_of_hundreds_of_short_skus_is_named_on_both_doors(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    try:
        with lockstock.connect(server.address) as shop, lockstock.connect(server.fast_lane) as lane:
            shop.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region="CN")))
            shop.catalog.CreateWarehouse(
                catalog.CreateWarehouseRequest(
                    warehouse=catalog.Warehouse(warehouse="DEPOT", tier=catalog.TIER_CENTRAL)
                )
            )
            names = [f"SKU-{number}" for number in range(LINES)]
            skus = [catalog.Sku(sku=name) for name in names]
            shop.catalog.ImportSkus(catalog.ImportSkusRequest(skus=skus))
            order = op.LockRequest(
                reservation_id="large",
                region="CN",
                lines=[op.OrderLine(sku=name, quantity=1) for name in names],
            )
            for door in (shop, lane):
                with pytest.raises(lockstock.LockstockError) as refused:
                    door.stock.Lock(order)
                assert refused.value.reason == "INSUFFICIENT_STOCK"
                assert [short.sku for short in refused.value.shortages] == names
    finally:
        server.kill()
