"""What happened to an order: its payments, parcels and returns, read off its steps. Pure.

A step is a record of the journal that changed the order; its movements say of which units, its operation what
it was for. Operations of StockService on the same reservation count like those of OrderService.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def _upper(method: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", method).upper()


OPERATIONS: Final = frozenset(
    {
        field.name.upper()
        for field in op.Command.DESCRIPTOR.fields
        if field.message_type is not None and "reservation_id" in field.message_type.fields_by_name
    }
    | {
        _upper(method.name)
        for method in pb.DESCRIPTOR.services_by_name["OrderService"].methods
        if "cause" in method.input_type.fields_by_name
    }
)
"""Operations on orders, by their names in the journal. Others name their transfer or receipt as owner, and that
may be called like an order."""

PAYING: Final = frozenset({"PAY_ORDER", "DEDUCT", "LOCK_AND_DEDUCT"})
"""Operations that are payments. The replacement of an exchange is paid with what comes back."""
DEDUCTING: Final = frozenset({"DEDUCT", "RELOCK", "TAKE_ON_PAYMENT", "LOCK_AND_DEDUCT"})
SHIPPING: Final = frozenset({"SHIP_PICKING", "SHIP_ALLOCATED"})
ANNOUNCED: Final = "EXPECT_RETURN"
WITHDRAWN: Final = "CANCEL_RETURN"
CAME_BACK: Final[Mapping[str, str]] = {
    "RETURN_SELLABLE": "sellable",
    "RETURN_DEFECTIVE": "defective",
    "RETURN_LOST": "lost",
}
"""Movements of a return, and the number of `OrderReturn` that they add to."""
RETURNING: Final = frozenset({ANNOUNCED, WITHDRAWN, *CAME_BACK})


@dataclass(frozen=True, slots=True)
class Moved:
    """One movement of an order's units."""

    kind: str
    line: int
    sku: str
    warehouse: str
    pool: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order. `at` is in microseconds since 1970-01-01 UTC."""

    sequence: int
    at: int
    operation: str
    request_id: str = ""
    reason: str = ""
    document: str = ""
    outcome: str = "DONE"
    attributes: bytes = b""
    movements: Sequence[Moved] = field(default=())


def time_of(micros: int) -> Timestamp:
    """Give a moment of the journal as callers read it."""
    moment = Timestamp()
    moment.FromMicroseconds(micros)
    return moment


def outcome_of(name: str) -> op.Outcome.ValueType:
    """Give an outcome of the journal as callers read it."""
    return op.Outcome.Value(f"OUTCOME_{name}")


def steps(order_id: str, history: Iterable[Step]) -> list[pb.OrderStep]:
    """Give every step as callers read it."""
    return [
        pb.OrderStep(
            sequence=step.sequence,
            applied_at=time_of(step.at),
            operation=step.operation,
            request_id=step.request_id,
            reason=step.reason,
            document=step.document,
            outcome=outcome_of(step.outcome),
            movements=[
                op.Movement(
                    kind=moved.kind,
                    sku=moved.sku,
                    warehouse=moved.warehouse,
                    owner=order_id,
                    line=moved.line,
                    quantity=moved.quantity,
                    pool=moved.pool,
                )
                for moved in step.movements
            ],
            attributes=step.attributes,
        )
        for step in history
    ]


def payments(history: Iterable[Step]) -> list[pb.Payment]:
    """Give the payments, those included that found the units gone."""
    return [
        pb.Payment(
            payment_id=step.document,
            sequence=step.sequence,
            paid_at=time_of(step.at),
            outcome=outcome_of(step.outcome),
            lines=_by_line(moved for moved in step.movements if moved.kind in DEDUCTING),
        )
        for step in history
        if step.operation in PAYING
    ]


def parcels(history: Iterable[Step]) -> list[pb.Parcel]:
    """Give the parcels. A parcel leaves one place: a step that ships from several warehouses sends several."""
    found = []
    for step in history:
        leaving: dict[str, list[Moved]] = defaultdict(list)
        for moved in step.movements:
            if moved.kind in SHIPPING:
                leaving[moved.warehouse].append(moved)
        for warehouse, movements in leaving.items():
            parcel = pb.Parcel(
                parcel_id=step.document,
                sequence=step.sequence,
                shipped_at=time_of(step.at),
                warehouse=warehouse,
                lines=_by_line(movements),
                attributes=step.attributes,
            )
            found.append(parcel)
    return found


def returns(history: Iterable[Step]) -> list[pb.OrderReturn]:
    """Give the returns, one for each RMA and warehouse, in the order in which they were first heard of."""
    found: dict[tuple[str, str], pb.OrderReturn] = {}
    for step in history:
        for moved in step.movements:
            if moved.kind not in RETURNING:
                continue
            key = step.document, moved.warehouse
            here = found.setdefault(key, pb.OrderReturn(return_id=step.document, warehouse=moved.warehouse))
            if moved.kind == ANNOUNCED:
                here.announced += moved.quantity
            elif moved.kind == WITHDRAWN:
                others = [it for it in found.values() if it is not here and it.warehouse == moved.warehouse]
                _withdraw([here, *reversed(others)], moved.quantity)
            else:
                name = CAME_BACK[moved.kind]
                setattr(here, name, getattr(here, name) + moved.quantity)
    return [it for it in found.values() if it.announced or it.sellable or it.defective or it.lost]


def _withdraw(announced: Iterable[pb.OrderReturn], quantity: int) -> None:
    """Take units off what was announced: off their own RMA, then, where they name another, off the newest."""
    for it in announced:
        taken = min(quantity, it.announced)
        it.announced -= taken
        quantity -= taken


def _by_line(movements: Iterable[Moved]) -> list[pb.LineUnits]:
    found: dict[int, pb.LineUnits] = {}
    for moved in movements:
        line = found.setdefault(moved.line, pb.LineUnits(line=moved.line, sku=moved.sku))
        line.quantity += moved.quantity
    return [found[number] for number in sorted(found)]
