"""The servers that the table of refusals runs on, and what stands on them before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from lockstock.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    catalog_pb2_grpc,
    stock_pb2_grpc,
)
from lockstock.v1 import (
    catalog_pb2 as catalog,
)
from lockstock.v1 import (
    operations_pb2 as op,
)
from lockstock.v1 import (
    stock_pb2 as stock,
)
from refusal_table import line, lock, stock_line, uuid7

LAPSED = 12_000
"""Locks: far more than one command may sweep."""


@dataclass
class Stubs:
    """The services of one server. Stock is called at the Python door."""

    stock: Any
    catalog: Any
    admin: Any
    remembered: dict[str, str] = field(default_factory=dict)
    """What the table's cases refer to in braces: request ids made when the ground was laid."""

    @classmethod
    def of(cls, channel: grpc.Channel) -> Stubs:
        return cls(
            stock_pb2_grpc.StockServiceStub(channel),
            catalog_pb2_grpc.CatalogServiceStub(channel),
            admin_pb2_grpc.AdminServiceStub(channel),
        )


def catalogue(to: Stubs) -> None:
    """Three warehouses, one of them closed; CN with stock, MOON without anyone who delivers."""
    for region, parent in [("CN", ""), ("CN-SH", "CN"), ("MOON", "")]:
        to.catalog.CreateRegion(
            catalog.CreateRegionRequest(region=catalog.Region(region=region, parent=parent))
        )
    for warehouse in ["SH", "BJ", "SHUT"]:
        to.catalog.CreateWarehouse(
            catalog.CreateWarehouseRequest(
                warehouse=catalog.Warehouse(
                    warehouse=warehouse,
                    tier=catalog.TIER_CITY,
                    rank={"SH": 1, "BJ": 2, "SHUT": 3}[warehouse],
                    coverage=catalog.Coverage(regions=["CN"]),
                    state=catalog.WAREHOUSE_STATE_CLOSED
                    if warehouse == "SHUT"
                    else catalog.WAREHOUSE_STATE_ACTIVE,
                )
            )
        )
    for sku in ["BOOK", "PEN", "SPLIT", "CLAIMED", "FULL", "LAPSING"]:
        to.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=sku)))


def receive(to: Stubs, *lines: op.StockLine) -> None:
    to.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))


def shop(to: Stubs) -> None:
    """The ground most cases share: a reservation, transfer or receipt in each state they need."""
    catalogue(to)
    receive(
        to,
        stock_line("BOOK", "SH", 100),
        stock_line("PEN", "SH", 100),
        stock_line("SPLIT", "SH", 10),
        stock_line("SPLIT", "BJ", 10),
        stock_line("CLAIMED", "SH", 5),
        stock_line("LAPSING", "SH", 2),
    )
    to.remembered["locked"] = uuid7()
    to.stock.Lock(
        lock(
            reservation_id="locked",
            lines=[line(quantity=2)],
            cause=op.Cause(request_id=to.remembered["locked"]),
        )
    )
    to.stock.LockAndDeduct(
        op.LockAndDeductRequest(reservation_id="shipped", region="CN", lines=[line(quantity=2)])
    )
    to.stock.Ship(op.ShipRequest(reservation_id="shipped"))
    to.stock.Lock(lock(reservation_id="extended"))
    for _ in range(10):
        to.stock.Extend(op.ExtendRequest(reservation_id="extended", hold=Duration(seconds=3600)))
    to.stock.ExpectReceipt(
        op.ExpectReceiptRequest(
            receipt_id="expected", warehouse="SH", lines=[op.SkuQuantity(sku="BOOK", quantity=1)]
        )
    )
    for transfer in ["drafted", "shipped-transfer", "closed-transfer"]:
        to.stock.DraftTransfer(
            op.DraftTransferRequest(
                transfer_id=transfer,
                from_warehouse="SH",
                to_warehouse="BJ",
                lines=[op.SkuQuantity(sku="BOOK", quantity=1)],
            )
        )
        if transfer != "drafted":
            to.stock.ShipTransfer(op.ShipTransferRequest(transfer_id=transfer))
    to.stock.CloseTransfer(
        op.CloseTransferRequest(transfer_id="closed-transfer", lines=[op.TransferRest(sku="BOOK", lost=1)])
    )
    _claimed(to)
    _lapsed_payments(to)
    for _ in range(10):
        to.stock.ExecuteBatch(
            stock.ExecuteBatchRequest(
                commands=[
                    op.Command(increase=op.IncreaseRequest(lines=[stock_line("FULL", "SH", 10**12)]))
                    for _ in range(100)
                ]
            )
        )


def _claimed(to: Stubs) -> None:
    """A short pick nobody can replace, then one unit comes in elsewhere: it is promised already."""
    to.stock.LockAndDeduct(
        op.LockAndDeductRequest(reservation_id="claimant", region="CN", lines=[line("CLAIMED", 5)])
    )
    to.stock.PushFulfilment(op.PushFulfilmentRequest(reservation_id="claimant"))
    to.stock.ShortPick(
        op.ShortPickRequest(
            reservation_id="claimant", warehouse="SH", lines=[op.LineQuantity(line=1, quantity=5)]
        )
    )
    receive(to, stock_line("CLAIMED", "BJ", 1))


def _lapsed_payments(to: Stubs) -> None:
    """One lock that has expired, and one that was paid too late and sold out."""
    for reservation in ["expired", "refund"]:
        to.stock.Lock(
            lock(reservation_id=reservation, lines=[line("LAPSING")], hold=Duration(nanos=1_000_000))
        )
        # The deadline is judged when the next command is applied: read until it has been.
        while to.stock.GetReservation(stock.GetReservationRequest(reservation_id=reservation)).state != (
            stock.RESERVATION_STATE_EXPIRED
        ):
            pass
    to.stock.LockAndDeduct(
        op.LockAndDeductRequest(reservation_id="faster", region="CN", lines=[line("LAPSING", 2)])
    )
    to.stock.Deduct(op.DeductRequest(reservation_id="refund"))


def forgetful(to: Stubs) -> None:
    """Remembers ten request ids: after thirty, the first are forgotten."""
    catalogue(to)
    for _ in range(30):
        receive(to, stock_line())


def lapsed(to: Stubs) -> None:
    """12,000 one-unit locks that have lapsed at once, and a sweeper that is asleep."""
    catalogue(to)
    receive(to, stock_line("SPLIT", "SH", LAPSED))
    ends = 0
    for first in range(0, LAPSED, 6_000):
        locks = [
            op.Command(lock=lock(reservation_id=f"L{n}", lines=[line("SPLIT")], hold=Duration(seconds=8)))
            for n in range(first, first + 6_000)
        ]
        batch = to.stock.ExecuteBatch(stock.ExecuteBatchRequest(commands=locks))
        ends = batch.results[-1].answer.deadline.ToNanoseconds()
    while time.time_ns() <= ends:
        pass


def open_shop(to: Stubs) -> None:
    """Stock to lock, on a server that its settings make refuse."""
    catalogue(to)
    receive(to, stock_line("BOOK", "SH", 100))


def frozen(to: Stubs) -> None:
    open_shop(to)
    to.admin.Freeze(admin_pb2.FreezeRequest())


@dataclass(frozen=True)
class Ground:
    """A server's settings and what is laid on it."""

    lay: Callable[[Stubs], None]
    settings: dict[str, str] = field(default_factory=dict)


GROUNDS = {
    "shop": Ground(shop),
    "forgetful": Ground(forgetful, {"LOCKSTOCK_REQUEST_IDS_MAX": "10"}),
    "lapsed": Ground(lapsed, {"LOCKSTOCK_SWEEP_INTERVAL": "3600"}),
    "lapsed too": Ground(lapsed, {"LOCKSTOCK_SWEEP_INTERVAL": "3600"}),
    "narrow": Ground(open_shop, {"LOCKSTOCK_IN_FLIGHT_RECORDS_MAX": "1"}),
    "full": Ground(open_shop, {"LOCKSTOCK_DISK_FLOOR_BYTES": str(2**60)}),
    "frozen": Ground(frozen),
    "draining": Ground(open_shop),
    "without a database": Ground(open_shop, {"LOCKSTOCK_DATABASE_URL": "postgresql://127.0.0.1:1/none"}),
}
