"""A shop's clerk over a real server: two warehouses of one region, SKUs of his own, orders driven by words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import lockstock
from google.protobuf.duration_pb2 import Duration
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb
from lockstock.v1 import stock_pb2 as stock

SH, BJ = "SH", "BJ"
ON_PAYMENT = catalog.DEDUCTION_POLICY_ON_PAYMENT
SELLABLE, DEFECTIVE, LOST = op.DISPOSITION_SELLABLE, op.DISPOSITION_DEFECTIVE, op.DISPOSITION_LOST

_numbers = itertools.count(1)


def hold(milliseconds: int) -> Duration:
    """A hold."""
    duration = Duration()
    duration.FromMilliseconds(milliseconds)
    return duration


def all_of(lines: Mapping[int, int] | Iterable[int]) -> list[op.LineQuantity]:
    """Lines with quantities, or, where they are only named, all there is of them."""
    if isinstance(lines, Mapping):
        return [op.LineQuantity(line=line, quantity=units) for line, units in lines.items()]
    return [op.LineQuantity(line=line) for line in lines]


def shop(client: lockstock.Client) -> None:
    """One region, two warehouses that ship to it, SH before BJ, one that is fetched from, and two channels."""
    client.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region="CN")))
    for rank, warehouse in enumerate([SH, BJ], start=1):
        made = catalog.Warehouse(
            warehouse=warehouse, tier=catalog.TIER_CITY, rank=rank, coverage=catalog.Coverage(regions=["CN"])
        )
        client.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=made))
    store = catalog.Warehouse(warehouse="STORE", tier=catalog.TIER_FRONT, pickup=True)
    client.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=store))
    for channel in ("web", "app"):
        made_channel = catalog.Channel(channel=channel, kind=catalog.CHANNEL_KIND_OWN)
        client.catalog.CreateChannel(catalog.CreateChannelRequest(channel=made_channel))


@dataclass
class Desk:
    """The clerk. Every call is a step of an order; ids are new each time."""

    client: lockstock.Client
    answers: list[op.Answer] = field(default_factory=list)

    # --- stock ---

    def sku(self, **units: int) -> str:
        """A new SKU with so many units in each warehouse."""
        sku = f"sku-{next(_numbers)}"
        self.client.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=sku)))
        self.receive(sku, **units)
        return sku

    def receive(self, sku: str, **units: int) -> None:
        lines = [
            op.StockLine(sku=sku, warehouse=name, quantity=count) for name, count in units.items() if count
        ]
        if lines:
            self.client.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))

    def free(self, sku: str) -> int:
        """What may still be sold of it."""
        return self.client.stock.GetStock(stock.GetStockRequest(sku=sku)).free

    def sell_elsewhere(self, sku: str) -> None:
        """Everything that is available is gone: sold beside orders."""
        levels = self.client.stock.GetStock(stock.GetStockRequest(sku=sku)).levels
        lines = [
            op.StockLine(sku=sku, warehouse=level.warehouse, quantity=level.available)
            for level in levels
            if level.available
        ]
        if lines:
            self.client.stock.Issue(op.IssueRequest(lines=lines))

    def level(self, sku: str, warehouse: str) -> stock.StockLevel:
        request = stock.GetStockRequest(sku=sku, warehouses=[warehouse])
        return self.client.stock.GetStock(request).levels[0]

    # --- orders ---

    def place(self, lines: Mapping[str, int] | Iterable[tuple[str, int]], **fields: Any) -> str:
        """A new order, to CN unless it is said where; its id."""
        pairs = lines.items() if isinstance(lines, Mapping) else lines
        order = fields.pop("order_id", "") or f"order-{next(_numbers)}"
        fields.setdefault("destination", pb.Destination(region="CN"))
        request = pb.PlaceOrderRequest(
            order_id=order, lines=[op.OrderLine(sku=sku, quantity=units) for sku, units in pairs], **fields
        )
        self.answers.append(self.client.orders.PlaceOrder(request))
        return order

    def pay(self, order: str, lines: Mapping[int, int] | Iterable[int] = (), document: str = "") -> op.Answer:
        return self.client.orders.PayOrder(
            pb.PayOrderRequest(order_id=order, lines=all_of(lines), cause=op.Cause(document=document))
        )

    def cancel(self, order: str, lines: Mapping[int, int] | Iterable[int] = ()) -> op.Answer:
        return self.client.orders.CancelOrder(pb.CancelOrderRequest(order_id=order, lines=all_of(lines)))

    def amend(
        self,
        order: str,
        deltas: Mapping[int, int] | None = None,
        additions: Mapping[str, int] | None = None,
        **fields: Any,
    ) -> op.Answer:
        return self.client.orders.AmendOrder(
            pb.AmendOrderRequest(
                order_id=order,
                deltas=[op.LineDelta(line=line, delta=delta) for line, delta in (deltas or {}).items()],
                additions=[op.OrderLine(sku=sku, quantity=units) for sku, units in (additions or {}).items()],
                **fields,
            )
        )

    def push(self, order: str, lines: Mapping[int, int] | Iterable[int] = ()) -> op.Answer:
        return self.client.orders.PushOrder(pb.PushOrderRequest(order_id=order, lines=all_of(lines)))

    def picked(self, order: str, lines: Mapping[int, tuple[int, int]], warehouse: str = SH) -> op.Answer:
        """What a warehouse found of each line: (picked, short)."""
        found = [
            pb.PickedLine(line=line, picked=there, short=short) for line, (there, short) in lines.items()
        ]
        return self.client.orders.ConfirmPicking(
            pb.ConfirmPickingRequest(order_id=order, warehouse=warehouse, lines=found)
        )

    def ship(
        self,
        order: str,
        lines: Mapping[int, int] | Iterable[int] = (),
        warehouse: str = SH,
        document: str = "",
        attributes: bytes = b"",
    ) -> op.Answer:
        return self.client.orders.ShipOrder(
            pb.ShipOrderRequest(
                order_id=order,
                warehouse=warehouse,
                lines=all_of(lines),
                attributes=attributes,
                cause=op.Cause(document=document),
            )
        )

    def announce(
        self, order: str, lines: Mapping[int, int], warehouse: str = SH, document: str = ""
    ) -> op.Answer:
        return self.client.orders.ExpectOrderReturn(
            pb.ExpectOrderReturnRequest(
                order_id=order, warehouse=warehouse, lines=all_of(lines), cause=op.Cause(document=document)
            )
        )

    def take_back(
        self,
        order: str,
        lines: Mapping[int, int],
        disposition: op.Disposition.ValueType = SELLABLE,
        warehouse: str = SH,
        document: str = "",
    ) -> op.Answer:
        returned = [
            op.ReturnLine(line=line, quantity=units, disposition=disposition) for line, units in lines.items()
        ]
        return self.client.orders.TakeOrderReturn(
            pb.TakeOrderReturnRequest(
                order_id=order, warehouse=warehouse, lines=returned, cause=op.Cause(document=document)
            )
        )

    def lapse(self, order: str) -> None:
        """Lets what is locked reach its deadline: a short one is set, and waited for."""
        self.client.orders.ExtendOrder(pb.ExtendOrderRequest(order_id=order, hold=hold(1)))
        while any(line.locked for line in self.order(order).lines):
            pass

    # --- reads ---

    def order(self, order: str) -> pb.Order:
        """How it stands."""
        return self.client.orders.GetOrder(pb.GetOrderRequest(order_id=order, view=pb.ORDER_VIEW_BASIC))

    def history(self, order: str) -> pb.Order:
        """How it stands and how it came about."""
        return self.client.orders.GetOrder(pb.GetOrderRequest(order_id=order))

    def state(self, order: str) -> str:
        return pb.OrderState.Name(self.order(order).state).removeprefix("ORDER_STATE_")
