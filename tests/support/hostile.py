"""What the tests of hostile clients stand on: a large shop, a good neighbour, and the server's memory."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lockstock
from lockstock.retry import Retries
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

MIB = 1 << 20
SKUS = [f"S{number:04}" for number in range(1_000)]
WAREHOUSES = [f"W{number}" for number in range(10)]
NEIGHBOURLY_CALLS = 30
PATIENCE_SECONDS = 60.0


def stock_up(address: str) -> None:
    """A thousand SKUs in ten warehouses: one read of all of them is an answer of some hundred kilobytes."""
    with lockstock.connect(address) as shop:
        shop.catalog.ImportSkus(catalog.ImportSkusRequest(skus=[catalog.Sku(sku=sku) for sku in SKUS]))
        places = [catalog.Warehouse(warehouse=name, tier=catalog.TIER_CENTRAL) for name in WAREHOUSES]
        shop.catalog.ImportWarehouses(catalog.ImportWarehousesRequest(warehouses=places))
        for sku_first in range(0, len(SKUS), 100):
            some = SKUS[sku_first : sku_first + 100]
            lines = [
                op.StockLine(sku=sku, warehouse=name, quantity=1_000_000)
                for sku in some
                for name in WAREHOUSES
            ]
            shop.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))


LARGE_READ = stock.BatchGetStockRequest(skus=SKUS).SerializeToString()


def lock(reservation: str) -> op.LockRequest:
    return op.LockRequest(
        cause=op.Cause(request_id=lockstock.new_request_id()),
        reservation_id=reservation,
        lines=[op.OrderLine(sku=SKUS[0], quantity=1)],
        warehouses=op.WarehouseList(warehouses=WAREHOUSES[:1]),
    )


@contextmanager
def neighbour(address: str, name: str) -> Iterator[None]:
    """A client of good manners that locks and reads meanwhile: every call of it must succeed."""
    over = threading.Event()
    failures: list[BaseException] = []
    calls = 0

    def sell() -> None:
        nonlocal calls
        try:
            with lockstock.connect(address, Retries(attempts=1)) as client:
                while not over.is_set() or calls < NEIGHBOURLY_CALLS:
                    client.stock.Lock(lock(f"{name}-{calls}"), timeout=PATIENCE_SECONDS)
                    client.stock.GetStock(stock.GetStockRequest(sku=SKUS[0]), timeout=PATIENCE_SECONDS)
                    calls += 1
        except lockstock.LockstockError as error:
            failures.append(error)

    thread = threading.Thread(target=sell)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not failures, failures
    assert calls >= NEIGHBOURLY_CALLS


def resident(pid: int) -> int:
    """A process's memory, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("the server has ended")


@contextmanager
def grows_by_at_most(pid: int, most: int) -> Iterator[None]:
    """What happens in here may cost the process so much memory."""
    before = resident(pid)
    yield
    grown = resident(pid) - before
    assert grown <= most, f"grew by {grown / MIB:.0f} MiB, at most {most / MIB:.0f} were expected"


def descriptors(wanted: int) -> int:
    """How many of so many connections this machine lets us have, at both ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if hard != resource.RLIM_INFINITY else max(soft, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return min(wanted, (limit - 256) // 2)
