"""Bad input of every kind, as one table: what is called, on which ground, and what it is refused with.

A `Case` names the reason it must get. `ground` says which server it runs on: most share one ("shop"), some
need settings or a state of their own. `doors` says who can produce it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

BOTH = ("python", "fast")
PYTHON = ("python",)
TOO_LONG = "x" * 65
BILLION = 10**9
NO_DISPOSITION: Any = 77


def uuid7(ahead_ms: int = 0) -> str:
    """A fresh UUIDv7, stamped `ahead_ms` from now."""
    stamp = int(time.time() * 1000) + ahead_ms
    bits = (stamp << 80) | (0x7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1))
    bits = (bits & ~(0b11 << 62)) | (0b10 << 62)
    return str(uuid.UUID(int=bits))


@dataclass(frozen=True)
class Case:
    """One bad call. `request` is a message, raw bytes, or a function that makes the message afresh."""

    name: str
    reason: str
    method: str
    request: Message | bytes | Callable[[], Message]
    metadata: dict[str, str] = field(default_factory=dict)
    doors: tuple[str, ...] = BOTH
    ground: str = "shop"


def line(sku: str = "BOOK", quantity: int = 1, pool: str = "") -> op.OrderLine:
    return op.OrderLine(sku=sku, quantity=quantity, pool=pool)


def lock(**changes: Any) -> op.LockRequest:
    """A good lock but for what is changed. `lines` and `region` have defaults."""
    wanted: dict[str, Any] = {"reservation_id": "new", "lines": [line()]}
    if "warehouses" not in changes:
        wanted["region"] = "CN"
    wanted.update(changes)
    return op.LockRequest(**{name: value for name, value in wanted.items() if value is not None})


def stock_line(sku: str = "BOOK", warehouse: str = "SH", quantity: int = 1) -> op.StockLine:
    return op.StockLine(sku=sku, warehouse=warehouse, quantity=quantity)


S = "/lockstock.v1.StockService/"
C = "/lockstock.v1.CatalogService/"

FORM = [
    Case("bytes that are no message", "MALFORMED_MESSAGE", S + "Lock", b"\xff\xff\xff"),
    Case("a text that is not UTF-8", "MALFORMED_MESSAGE", S + "GetReservation", b"\x0a\x02\xff\xfe"),
    Case(
        "no reservation id",
        "FIELD_REQUIRED",
        S + "Lock",
        lock(reservation_id=""),
        {"field": "reservation_id"},
    ),
    Case("no lines", "FIELD_REQUIRED", S + "Lock", lock(lines=[]), {"field": "lines"}),
    Case("no source", "FIELD_REQUIRED", S + "Lock", lock(region=None)),
    Case("no operation", "FIELD_REQUIRED", S + "ExecuteBatch", stock.ExecuteBatchRequest(commands=[])),
    Case(
        "an id too long", "ID_INVALID", S + "Lock", lock(reservation_id=TOO_LONG), {"field": "reservation_id"}
    ),
    Case("an id with a control character", "ID_INVALID", S + "Lock", lock(reservation_id="a\nb")),
    Case("a SKU too long", "ID_INVALID", S + "Lock", lock(lines=[line(TOO_LONG)]), {"field": "lines[0].sku"}),
    Case(
        "a reason too long",
        "TEXT_TOO_LONG",
        S + "Lock",
        lock(cause=op.Cause(reason="x" * 257)),
        {"limit": "256"},
    ),
    Case("attributes too long", "TEXT_TOO_LONG", S + "Lock", lock(attributes=b"x" * 1025), {"limit": "1024"}),
    Case("zero units", "QUANTITY_OUT_OF_RANGE", S + "Lock", lock(lines=[line(quantity=0)])),
    Case("units below zero", "QUANTITY_OUT_OF_RANGE", S + "Lock", lock(lines=[line(), line(quantity=-3)])),
    Case(
        "more than 10^12 units", "QUANTITY_OUT_OF_RANGE", S + "Lock", lock(lines=[line(quantity=10**12 + 1)])
    ),
    Case(
        "the largest int64",
        "QUANTITY_OUT_OF_RANGE",
        S + "Increase",
        op.IncreaseRequest(lines=[stock_line(quantity=2**63 - 1)]),
    ),
    Case(
        "lines of one SKU that add up to too much",
        "QUANTITY_OUT_OF_RANGE",
        S + "Lock",
        lock(lines=[line(quantity=10**12), line(quantity=10**12)]),
    ),
    Case(
        "a hold of no time",
        "DURATION_OUT_OF_RANGE",
        S + "Lock",
        lock(hold=Duration(seconds=0)),
        {"field": "hold"},
    ),
    Case("a hold of two days", "DURATION_OUT_OF_RANGE", S + "Lock", lock(hold=Duration(seconds=172800))),
    Case(
        "an unknown disposition",
        "ENUM_UNKNOWN",
        S + "Return",
        op.ReturnRequest(
            reservation_id="shipped",
            warehouse="SH",
            lines=[op.ReturnLine(line=1, quantity=1, disposition=NO_DISPOSITION)],
        ),
    ),
    Case(
        "no set target",
        "ENUM_UNKNOWN",
        S + "Set",
        op.SetRequest(lines=[op.SetLine(sku="BOOK", warehouse="SH", value=1, expected=1)]),
    ),
    Case("too many lines", "TOO_MANY_LINES", S + "Lock", lock(lines=[line()] * 2001), {"limit": "2000"}),
    Case(
        "too many warehouses",
        "TOO_MANY_LINES",
        S + "Lock",
        lock(warehouses=op.WarehouseList(warehouses=[f"W{n}" for n in range(1001)])),
        {"limit": "1000"},
    ),
    Case(
        "too many commands",
        "TOO_MANY_COMMANDS",
        S + "ExecuteBatch",
        stock.ExecuteBatchRequest(commands=[op.Command()] * 8191),
        {"limit": "8190"},
    ),
    Case(
        "a line named twice",
        "LINE_REPEATED",
        S + "Unlock",
        op.UnlockRequest(reservation_id="locked", lines=[op.LineQuantity(line=1), op.LineQuantity(line=1)]),
    ),
    Case(
        "a warehouse named twice",
        "LINE_REPEATED",
        S + "Lock",
        lock(warehouses=op.WarehouseList(warehouses=["SH", "SH"])),
    ),
    Case(
        "a hold for an order that has its deadline",
        "FIELDS_CONFLICT",
        S + "Amend",
        op.AmendRequest(
            reservation_id="locked", deltas=[op.LineDelta(line=1, delta=1)], hold=Duration(seconds=9)
        ),
    ),
    Case(
        "a move to where it is",
        "SAME_WAREHOUSE",
        S + "Move",
        op.MoveRequest(reservation_id="locked", line=1, from_warehouse="SH", to_warehouse="SH"),
    ),
    Case(
        "a transfer to where it is",
        "SAME_WAREHOUSE",
        S + "DraftTransfer",
        op.DraftTransferRequest(
            transfer_id="new",
            from_warehouse="SH",
            to_warehouse="SH",
            lines=[op.SkuQuantity(sku="BOOK", quantity=1)],
        ),
    ),
    Case(
        "a request id of the wrong form",
        "REQUEST_ID_INVALID",
        S + "Lock",
        lock(cause=op.Cause(request_id="abc")),
    ),
    Case(
        "a request id of version 4",
        "REQUEST_ID_INVALID",
        S + "Lock",
        lock(cause=op.Cause(request_id="0b7f5d3e-6a0c-4b52-9c5e-2d9f0f1c9a11")),
    ),
    Case(
        "a request id from the future",
        "REQUEST_ID_AHEAD",
        S + "Lock",
        lambda: lock(cause=op.Cause(request_id=uuid7(ahead_ms=600_000))),
    ),
    Case("a message over the limit", "MESSAGE_TOO_LARGE", S + "Lock", lock(attributes=b"x" * (9 << 20))),
    Case("a method that is not there", "METHOD_UNKNOWN", S + "Steal", b""),
    Case(
        "a page token of nobody",
        "PAGE_TOKEN_INVALID",
        C + "ListSkus",
        catalog.ListSkusRequest(page_token="abc"),  # noqa: S106 - no secret
        doors=PYTHON,
    ),
    Case(
        "a mask that names the id",
        "FIELD_MASK_INVALID",
        C + "UpdateSku",
        catalog.UpdateSkuRequest(sku=catalog.Sku(sku="BOOK"), update_mask=FieldMask(paths=["sku"])),
        doors=PYTHON,
    ),
    Case(
        "a rank below zero",
        "NUMBER_OUT_OF_RANGE",
        C + "CreateWarehouse",
        catalog.CreateWarehouseRequest(
            warehouse=catalog.Warehouse(warehouse="N", tier=catalog.TIER_CITY, rank=-1)
        ),
        doors=PYTHON,
    ),
    Case(
        "a warehouse of no tier",
        "ENUM_UNKNOWN",
        C + "CreateWarehouse",
        catalog.CreateWarehouseRequest(warehouse=catalog.Warehouse(warehouse="N")),
        doors=PYTHON,
    ),
]

UNKNOWN = [
    Case("an unknown SKU", "SKU_NOT_FOUND", S + "Lock", lock(lines=[line("NONE")]), {"sku": "NONE"}),
    Case(
        "an unknown SKU read",
        "SKU_NOT_FOUND",
        S + "GetStock",
        stock.GetStockRequest(sku="NONE"),
        {"sku": "NONE"},
    ),
    Case(
        "an unknown warehouse",
        "WAREHOUSE_NOT_FOUND",
        S + "Increase",
        op.IncreaseRequest(lines=[stock_line(warehouse="NONE")]),
        {"warehouse": "NONE"},
    ),
    Case("an unknown region", "REGION_NOT_FOUND", S + "Lock", lock(region="NONE"), {"region": "NONE"}),
    Case("an unknown channel", "CHANNEL_NOT_FOUND", S + "Lock", lock(channel="NONE"), {"channel": "NONE"}),
    Case("an unknown pool", "POOL_NOT_FOUND", S + "Lock", lock(lines=[line(pool="NONE")]), {"pool": "NONE"}),
    Case(
        "an unknown reservation",
        "RESERVATION_NOT_FOUND",
        S + "Deduct",
        op.DeductRequest(reservation_id="NONE"),
        {"reservation": "NONE"},
    ),
    Case(
        "an unknown line",
        "LINE_NOT_FOUND",
        S + "Unlock",
        op.UnlockRequest(reservation_id="locked", lines=[op.LineQuantity(line=9)]),
        {"line": "9"},
    ),
    Case(
        "an unknown transfer",
        "TRANSFER_NOT_FOUND",
        S + "ShipTransfer",
        op.ShipTransferRequest(transfer_id="NONE"),
        {"transfer": "NONE"},
    ),
    Case(
        "a SKU that the transfer has not",
        "TRANSFER_NOT_FOUND",
        S + "ShipTransfer",
        op.ShipTransferRequest(transfer_id="drafted", lines=[op.SkuQuantity(sku="PEN", quantity=1)]),
    ),
]

TAKEN = [
    Case(
        "a request id with another body",
        "REQUEST_ID_REUSED",
        S + "Lock",
        lock(reservation_id="locked", lines=[line(quantity=3)], cause=op.Cause(request_id="{locked}")),
        {"field": "lines"},
    ),
    Case("a reservation that exists", "RESERVATION_EXISTS", S + "Lock", lock(reservation_id="locked")),
    Case(
        "a transfer that exists",
        "TRANSFER_EXISTS",
        S + "DraftTransfer",
        op.DraftTransferRequest(
            transfer_id="drafted",
            from_warehouse="SH",
            to_warehouse="BJ",
            lines=[op.SkuQuantity(sku="BOOK", quantity=1)],
        ),
    ),
    Case(
        "a receipt of another warehouse",
        "RECEIPT_EXISTS",
        S + "ExpectReceipt",
        op.ExpectReceiptRequest(
            receipt_id="expected", warehouse="BJ", lines=[op.SkuQuantity(sku="BOOK", quantity=1)]
        ),
        {"warehouse": "SH"},
    ),
    Case(
        "a SKU that exists",
        "DOCUMENT_EXISTS",
        C + "CreateSku",
        catalog.CreateSkuRequest(sku=catalog.Sku(sku="BOOK")),
        doors=PYTHON,
    ),
]

REFUSED = [
    Case("more than there is", "INSUFFICIENT_STOCK", S + "Lock", lock(lines=[line(quantity=BILLION)])),
    Case(
        "too many parcels",
        "PARCEL_LIMIT",
        S + "Lock",
        lock(lines=[line("SPLIT", 15)], split=op.Split(max_parcels=1)),
        {"max_parcels": "1", "parcels_needed": "2"},
    ),
    Case(
        "where nobody delivers",
        "NOT_ROUTABLE",
        S + "Lock",
        lock(region="MOON"),
        {"region": "MOON", "sku": "BOOK"},
    ),
    Case(
        "more than is locked",
        "QUANTITY_NOT_HELD",
        S + "Unlock",
        op.UnlockRequest(reservation_id="locked", lines=[op.LineQuantity(line=1, quantity=99)]),
        {"asked": "99", "held": "2", "state": "locked"},
    ),
    Case(
        "a decrease below zero",
        "QUANTITY_NOT_HELD",
        S + "Decrease",
        op.DecreaseRequest(lines=[stock_line(quantity=BILLION)]),
    ),
    Case(
        "units that are claimed",
        "SURPLUS_SHORT",
        S + "Issue",
        op.IssueRequest(lines=[stock_line("CLAIMED", "BJ", 1)]),
        {"sku": "CLAIMED"},
    ),
    Case(
        "a loss beyond what is on hand",
        "ON_HAND_SHORT",
        S + "RecordLoss",
        op.RecordLossRequest(lines=[stock_line(quantity=BILLION)]),
    ),
    Case(
        "a counter beyond 10^15",
        "COUNTER_OVERFLOW",
        S + "Increase",
        op.IncreaseRequest(lines=[stock_line("FULL", quantity=10**12)]),
        {"sku": "FULL"},
    ),
    Case(
        "a closed warehouse",
        "WAREHOUSE_CLOSED",
        S + "Increase",
        op.IncreaseRequest(lines=[stock_line(warehouse="SHUT")]),
        {"warehouse": "SHUT"},
    ),
    Case(
        "closing a warehouse with stock",
        "WAREHOUSE_NOT_EMPTY",
        C + "UpdateWarehouse",
        catalog.UpdateWarehouseRequest(
            warehouse=catalog.Warehouse(warehouse="SH", state=catalog.WAREHOUSE_STATE_CLOSED),
            update_mask=FieldMask(paths=["state"]),
        ),
        {"warehouse": "SH"},
        doors=PYTHON,
    ),
    Case(
        "extending what has expired",
        "LOCK_EXPIRED",
        S + "Extend",
        op.ExtendRequest(reservation_id="expired", hold=Duration(seconds=60)),
    ),
    Case(
        "extending too often",
        "EXTEND_LIMIT",
        S + "Extend",
        op.ExtendRequest(reservation_id="extended", hold=Duration(seconds=60)),
    ),
    Case("paying twice too late", "REFUND_DUE", S + "Deduct", op.DeductRequest(reservation_id="refund")),
    Case(
        "returning more than was shipped",
        "RETURN_EXCEEDS_SHIPPED",
        S + "Return",
        op.ReturnRequest(
            reservation_id="shipped",
            warehouse="SH",
            lines=[op.ReturnLine(line=1, quantity=9, disposition=op.DISPOSITION_SELLABLE)],
        ),
        {"asked": "9", "held": "2"},
    ),
    Case(
        "receiving more than expected without a reason",
        "RECEIPT_EXCEEDS_EXPECTED",
        S + "Receive",
        op.ReceiveRequest(receipt_id="expected", warehouse="SH", lines=[op.ReceiveLine(sku="BOOK", good=99)]),
    ),
    Case(
        "a receipt nobody expects, without a reason",
        "RECEIPT_EXCEEDS_EXPECTED",
        S + "Receive",
        op.ReceiveRequest(receipt_id="none", warehouse="SH", lines=[op.ReceiveLine(sku="BOOK", good=1)]),
    ),
    Case(
        "closing a transfer that is not explained",
        "TRANSFER_NOT_BALANCED",
        S + "CloseTransfer",
        op.CloseTransferRequest(transfer_id="shipped-transfer"),
    ),
    Case(
        "a closed transfer",
        "TRANSFER_CLOSED",
        S + "ShipTransfer",
        op.ShipTransferRequest(transfer_id="closed-transfer"),
    ),
    Case(
        "cutting an order below what has shipped",
        "BELOW_SHIPPED",
        S + "Amend",
        op.AmendRequest(reservation_id="shipped", deltas=[op.LineDelta(line=1, delta=-1)]),
    ),
    Case(
        "a parent that is not there",
        "REFERENCE_INVALID",
        C + "CreateRegion",
        catalog.CreateRegionRequest(region=catalog.Region(region="X", parent="NONE")),
        doors=PYTHON,
    ),
    Case(
        "a region below itself",
        "REFERENCE_INVALID",
        C + "UpdateRegion",
        catalog.UpdateRegionRequest(
            region=catalog.Region(region="CN", parent="CN-SH"), update_mask=FieldMask(paths=["parent"])
        ),
        doors=PYTHON,
    ),
    Case(
        "a stale number",
        "STALE_VALUE",
        S + "Set",
        op.SetRequest(
            lines=[op.SetLine(sku="PEN", warehouse="SH", target=op.SET_TARGET_AVAILABLE, value=9, expected=8)]
        ),
        {"expected": "8", "current": "100"},
    ),
    Case(
        "a stale version",
        "STALE_VERSION",
        S + "Amend",
        op.AmendRequest(reservation_id="locked", expected_version=1, deltas=[op.LineDelta(line=1, delta=1)]),
    ),
    Case(
        "a stale etag",
        "STALE_VERSION",
        C + "UpdateSku",
        catalog.UpdateSkuRequest(sku=catalog.Sku(sku="BOOK", title="t", etag="1")),
        doors=PYTHON,
    ),
]

GROUNDS_OF_THEIR_OWN = [
    Case(
        "a request id older than the server remembers",
        "REQUEST_TOO_OLD",
        S + "Increase",
        op.IncreaseRequest(
            lines=[stock_line()], cause=op.Cause(request_id="018bcfe5-6800-7000-8000-000000000001")
        ),
        ground="forgetful",
    ),
    *(
        Case(
            f"more locks due than one step may sweep, {door}",
            "SWEEP_BEHIND",
            S + "Lock",
            lock(lines=[line("SPLIT", 12_000)]),
            doors=(door,),
            ground=ground,
        )
        for door, ground in (("python", "lapsed"), ("fast", "lapsed too"))
    ),
    Case(
        "too much in flight",
        "OVERLOADED",
        S + "ExecuteBatch",
        # The first is in flight until it is durable; the second would be one too many.
        stock.ExecuteBatchRequest(
            commands=[op.Command(increase=op.IncreaseRequest(lines=[stock_line()])), op.Command(lock=lock())]
        ),
        ground="narrow",
    ),
    Case("too little disk", "DISK_LOW", S + "Lock", lock(), ground="full"),
    Case(
        "a frozen server", "FROZEN", S + "Increase", op.IncreaseRequest(lines=[stock_line()]), ground="frozen"
    ),
    Case("a draining server", "DRAINING", S + "Execute", op.Command(lock=lock()), ground="draining"),
    Case(
        "a caller whom the hook does not let in",
        "PERMISSION_DENIED",
        S + "GetStock",
        stock.GetStockRequest(sku="BOOK"),
        {"method": S + "GetStock"},
        ground="guarded",
    ),
]

STOCK_AND_CATALOGUE = FORM + UNKNOWN + TAKEN + REFUSED + GROUNDS_OF_THEIR_OWN

NO_DOOR_CAN = {
    # A defect of ours by definition; core_rs/stock and core_rs/engine produce it with events made wrong.
    "INVARIANT_VIOLATED",
}
