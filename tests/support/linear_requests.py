"""What the clients of the histories ask: every choice comes from a seed, and many ask for the same few units."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lockstock
from google.protobuf.duration_pb2 import Duration
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

SKUS = ("HOT", "WARM")
WAREHOUSES = ("DEPOT", "STORE")
REGION = "CN"
UNITS = 24
"""Of each SKU in each warehouse: few, so that it is sold out again and again."""
SHORT_HOLD = Duration(nanos=20_000_000)
"""Some lapse before they are paid."""
LONG_HOLD = Duration(seconds=3_600)


@dataclass
class Chooser:
    """Draws commands and questions."""

    draw: random.Random
    made: list[str] = field(default_factory=list)
    """Reservations of all threads of the process, so that they meddle with each other's."""

    def command(self, fresh: str) -> op.Command:
        """A command under a new request id; a reservation that it makes is called `fresh`."""
        name = self.draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        # Now and then one that is not there yet.
        owner = self.draw.choice([*self.made[-30:], fresh])
        build = _BUILD.get(name, _of_stock)
        cause = op.Cause(request_id=lockstock.new_request_id())
        request = build(self.draw, name, fresh if build is _lock else owner)
        return op.Command(**{name: _TYPES[name](cause=cause, **request)})

    def question(self) -> tuple[str, Any]:
        """A method that reads, and what it is asked."""
        skus = list(SKUS)
        match self.draw.choice(("stock", "stocks", "sales", "dispatch", "warehouse", "reservation")):
            case "stock":
                return "GetStock", stock.GetStockRequest(sku=self.draw.choice(SKUS))
            case "stocks":
                return "BatchGetStock", stock.BatchGetStockRequest(skus=skus)
            case "sales":
                return "GetSalesStock", stock.GetSalesStockRequest(skus=skus)
            case "dispatch":
                where: dict[str, str] = self.draw.choice(({}, {"warehouse": "STORE"}, {"region": REGION}))
                return "GetDispatchStock", stock.GetDispatchStockRequest(skus=skus, **where)
            case "warehouse":
                return "GetWarehouseStock", stock.GetWarehouseStockRequest(skus=skus)
        owner = self.draw.choice([*self.made[-50:], "nobody"])
        return "GetReservation", stock.GetReservationRequest(reservation_id=owner)


Fields = dict[str, Any]


def _lock(draw: random.Random, name: str, fresh: str) -> Fields:
    line = op.OrderLine(sku=draw.choice(SKUS), quantity=draw.randint(1, 4))
    fields: Fields = {"reservation_id": fresh, "lines": [line], "region": REGION}
    if name == "lock":
        fields["hold"] = SHORT_HOLD if draw.random() < 0.3 else LONG_HOLD
    return fields


def _of_reservation(_: random.Random, __: str, owner: str) -> Fields:
    return {"reservation_id": owner}


def _unlock(draw: random.Random, _: str, owner: str) -> Fields:
    lines = [op.LineQuantity(line=1, quantity=1)] if draw.random() < 0.5 else []
    return {"reservation_id": owner, "lines": lines}


def _extend(_: random.Random, __: str, owner: str) -> Fields:
    return {"reservation_id": owner, "hold": LONG_HOLD}


def _ship(draw: random.Random, _: str, owner: str) -> Fields:
    return {"reservation_id": owner, "warehouse": draw.choice(WAREHOUSES)}


def _return(draw: random.Random, _: str, owner: str) -> Fields:
    how = draw.choice((op.DISPOSITION_SELLABLE, op.DISPOSITION_DEFECTIVE))
    back = op.ReturnLine(line=1, quantity=1, disposition=how)
    return {"reservation_id": owner, "warehouse": draw.choice(WAREHOUSES), "lines": [back]}


def _of_stock(draw: random.Random, _: str, __: str) -> Fields:
    sku, warehouse = draw.choice(SKUS), draw.choice(WAREHOUSES)
    return {"lines": [op.StockLine(sku=sku, warehouse=warehouse, quantity=draw.randint(1, 4))]}


def _set(draw: random.Random, _: str, __: str) -> Fields:
    sku, warehouse = draw.choice(SKUS), draw.choice(WAREHOUSES)
    line = op.SetLine(sku=sku, warehouse=warehouse, target=op.SET_TARGET_AVAILABLE)
    line.value, line.expected = UNITS // 2, draw.randint(0, 4)
    return {"lines": [line]}


_WEIGHTS = {
    "lock": 30,
    "lock_and_deduct": 4,
    "deduct": 14,
    "unlock": 8,
    "cancel": 5,
    "extend": 4,
    "ship": 8,
    "return": 6,
    "other_receipt": 6,
    "increase": 4,
    "decrease": 4,
    "mark_defective": 2,
    "restore": 2,
    "set": 3,
}
_TYPES: dict[str, Callable[..., Any]] = {
    name: getattr(op, f"{''.join(part.title() for part in name.split('_'))}Request") for name in _WEIGHTS
}
_BUILD: dict[str, Callable[[random.Random, str, str], Fields]] = {
    "lock": _lock,
    "lock_and_deduct": _lock,
    "deduct": _of_reservation,
    "cancel": _of_reservation,
    "unlock": _unlock,
    "extend": _extend,
    "ship": _ship,
    "return": _return,
    "set": _set,
}
