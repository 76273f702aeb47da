"""The three layers over both doors: the golden tables of the contract, read as they stand there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import lockstock
import pytest
from conftest import Server
from lockstock import LockstockError
from lockstock.v1 import catalog_pb2, stock_pb2
from lockstock.v1 import operations_pb2 as op

DOORS = ("address", "fast_lane")

HEAD = "step | sales: available, locked, sold | dispatch: book, available | warehouse: available, locked, shipped"

GOLDEN = f"""
{HEAD}
start                     | 30  0  0 | 30 30 | 30  0  0
order 10                  | 20 10  0 | 30 20 | 30  0  0
give back 1 before paying | 21  9  0 | 30 21 | 30  0  0
pay                       | 21  0  9 | 30 21 | 30  0  0
push the fulfilment       | 21  0  9 | 30 21 | 21  9  0
refund 2 before shipping  | 23  0  7 | 30 23 | 23  7  0
ship                      | 23  0  7 | 23 23 | 23  0  7
return 3, sellable        | 26  0  4 | 26 26 | 26  0  7
"""

REFUND_BEFORE_THE_PUSH = f"""
{HEAD}
start                     | 30  0  0 | 30 30 | 30  0  0
order 10                  | 20 10  0 | 30 20 | 30  0  0
give back 1 before paying | 21  9  0 | 30 21 | 30  0  0
pay                       | 21  0  9 | 30 21 | 30  0  0
refund 2 before shipping  | 23  0  7 | 30 23 | 30  0  0
push the fulfilment       | 23  0  7 | 30 23 | 23  7  0
ship                      | 23  0  7 | 23 23 | 23  0  7
return 3, sellable        | 26  0  4 | 26 26 | 26  0  7
"""

ONE = {"SH": 30}
EIGHT = {"W1": 5, "W2": 5, "W3": 5, "W4": 3, "W5": 3, "W6": 3, "W7": 3, "W8": 3}


def cells(*numbers: int) -> str:
    return " ".join(f"{number:>2}" for number in numbers)


class Case:
    """One SKU's story in a server that others use as well: its names are its own."""

    def __init__(self, server: Server, door: str, name: str, shelves: dict[str, int]) -> None:
        self.name = f"{name}-{door}"
        self.sku = f"BOOK-{self.name}"
        self.order = f"order-{self.name}"
        self.warehouses = [f"{warehouse}-{self.name}" for warehouse in shelves]
        with server.client() as client:
            self._stock_up(client, dict(zip(self.warehouses, shelves.values(), strict=True)))
        self.client = lockstock.connect(getattr(server, door))

    def _stock_up(self, client: lockstock.Client, shelves: dict[str, int]) -> None:
        skus = [catalog_pb2.Sku(sku=self.sku)]
        client.catalog.ImportSkus(catalog_pb2.ImportSkusRequest(skus=skus))
        regions = [catalog_pb2.Region(region=self.name)]
        client.catalog.ImportRegions(catalog_pb2.ImportRegionsRequest(regions=regions))
        warehouses = [
            catalog_pb2.Warehouse(
                warehouse=warehouse,
                tier=catalog_pb2.TIER_CITY,
                rank=rank,
                coverage=catalog_pb2.Coverage(regions=[self.name]),
            )
            for rank, warehouse in enumerate(shelves, 1)
        ]
        client.catalog.ImportWarehouses(catalog_pb2.ImportWarehousesRequest(warehouses=warehouses))
        lines = [
            op.StockLine(sku=self.sku, warehouse=warehouse, quantity=units)
            for warehouse, units in shelves.items()
        ]
        client.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))

    def take(self, step: str) -> None:
        """Does what a step is called."""
        stock, order = self.client.stock, self.order

        def some(units: int) -> list[op.LineQuantity]:
            return [op.LineQuantity(line=1, quantity=units)]

        back = op.ReturnLine(line=1, quantity=3, disposition=op.DISPOSITION_SELLABLE)
        steps: dict[str, Callable[[], object]] = {
            "start": lambda: None,
            "order 10": lambda: stock.Lock(
                op.LockRequest(
                    reservation_id=order,
                    lines=[op.OrderLine(sku=self.sku, quantity=10)],
                    region=self.name,
                )
            ),
            "give back 1 before paying": lambda: stock.Unlock(
                op.UnlockRequest(reservation_id=order, lines=some(1))
            ),
            "pay": lambda: stock.Deduct(op.DeductRequest(reservation_id=order)),
            "push the fulfilment": lambda: stock.PushFulfilment(
                op.PushFulfilmentRequest(reservation_id=order)
            ),
            "refund 2 before shipping": lambda: stock.Cancel(
                op.CancelRequest(reservation_id=order, lines=some(2))
            ),
            "ship": lambda: stock.Ship(op.ShipRequest(reservation_id=order)),
            "return 3, sellable": lambda: stock.Return(
                op.ReturnRequest(reservation_id=order, warehouse=self.warehouses[-1], lines=[back])
            ),
        }
        steps[step]()

    def layers(self) -> str:
        """The three layers as a row of the table."""
        stock, skus = self.client.stock, [self.sku]
        sales = stock.GetSalesStock(stock_pb2.GetSalesStockRequest(skus=skus)).stocks[0]
        everywhere = stock.GetDispatchStock(stock_pb2.GetDispatchStockRequest(skus=skus)).stocks[0]
        covering = stock.GetDispatchStock(stock_pb2.GetDispatchStockRequest(skus=skus, region=self.name))
        assert covering.stocks[0] == everywhere, "all its warehouses are on the region's plan"
        there = stock.GetWarehouseStock(stock_pb2.GetWarehouseStockRequest(skus=skus)).stocks
        assert sales.sellable == sales.available + sales.locked
        return " | ".join(
            [
                cells(sales.available, sales.locked, sales.sold),
                cells(everywhere.book, everywhere.available),
                cells(
                    sum(at.available for at in there),
                    sum(at.locked for at in there),
                    sum(at.shipped for at in there),
                ),
            ]
        )


def steps(table: str) -> list[str]:
    return [row.split("|")[0].strip() for row in table.strip().splitlines()[1:]]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("name", "table", "shelves"),
    [("one", GOLDEN, ONE), ("eight", GOLDEN, EIGHT), ("refund-first", REFUND_BEFORE_THE_PUSH, ONE)],
)
def test_the_layers_follow_the_golden_table(
    server: Server, door: str, name: str, table: str, shelves: dict[str, int]
) -> None:
    case = Case(server, door, name, shelves)
    shown = [HEAD]
    with case.client:
        for step in steps(table):
            case.take(step)
            shown.append(f"{step:25} | {case.layers()}")
        assert "\n".join(shown) == table.strip()
        request = stock_pb2.GetWarehouseStockRequest(skus=[case.sku], warehouses=case.warehouses)
        returned = [at.returned for at in case.client.stock.GetWarehouseStock(request).stocks]
        assert returned == [0] * (len(shelves) - 1) + [3]


@pytest.fixture(scope="module")
def many(server: Server) -> Sequence[str]:
    """The SKUs of a shop with 21 warehouses, of which every SKU was in each."""
    skus = [f"many-{n}" for n in range(2_000)]
    warehouses = [f"many-W{n}" for n in range(21)]
    with server.client() as client:
        client.catalog.ImportSkus(
            catalog_pb2.ImportSkusRequest(skus=[catalog_pb2.Sku(sku=sku) for sku in skus])
        )
        client.catalog.ImportWarehouses(
            catalog_pb2.ImportWarehousesRequest(
                warehouses=[
                    catalog_pb2.Warehouse(warehouse=warehouse, tier=catalog_pb2.TIER_LOCAL)
                    for warehouse in warehouses
                ]
            )
        )
        for warehouse in warehouses:
            lines = [op.StockLine(sku=sku, warehouse=warehouse, quantity=7) for sku in skus]
            client.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))
    return skus


@pytest.mark.parametrize("door", DOORS)
def test_an_answer_that_would_be_too_large_is_refused_before_it_is_made(
    server: Server, many: Sequence[str], door: str
) -> None:
    with lockstock.connect(getattr(server, door)) as client:
        most = client.stock.BatchGetStock(stock_pb2.BatchGetStockRequest(skus=many[:1_904]))
        assert sum(len(stock.levels) for stock in most.stocks) == 1_904 * 21
        assert {stock.sequence for stock in most.stocks} == {most.sequence}
        for read in (
            lambda: client.stock.BatchGetStock(stock_pb2.BatchGetStockRequest(skus=many)),
            lambda: client.stock.GetWarehouseStock(stock_pb2.GetWarehouseStockRequest(skus=many)),
        ):
            with pytest.raises(LockstockError) as refused:
                read()
            assert (refused.value.reason, refused.value.metadata["field"]) == ("TOO_MANY_LINES", "levels")
        whole = client.stock.GetSalesStock(stock_pb2.GetSalesStockRequest(skus=many))
        assert [stock.available for stock in whole.stocks] == [7 * 21] * 2_000
