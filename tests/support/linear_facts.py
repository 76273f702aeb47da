"""What an answer says, as facts about counters: every number of it, so that none goes unjudged."""

from __future__ import annotations

from typing import Any

import lockstock
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import stock_pb2 as stock

from support.linear import Fact
from support.linear_model import CELL, LIFETIME, LINE, ON_HAND, Key
from support.linear_requests import WAREHOUSES

HELD = ("locked", "allocated", "shipped")


def cells(sku: str, places: tuple[str, ...], counters: tuple[str, ...]) -> tuple[Key, ...]:
    """Counters of a SKU in some warehouses."""
    return tuple(("cell", sku, place, counter) for place in places for counter in counters)


def facts_of(request: Any, answer: Any) -> tuple[Fact, ...]:
    """The facts in the answer to a read."""
    match answer:
        case stock.GetStockResponse():
            return tuple(_stock(answer))
        case stock.BatchGetStockResponse():
            return tuple(fact for one in answer.stocks for fact in _stock(one))
        case stock.GetSalesStockResponse():
            return tuple(fact for one in answer.stocks for fact in _sales(one))
        case stock.GetDispatchStockResponse():
            places = (request.warehouse,) if request.warehouse else WAREHOUSES
            return tuple(fact for one in answer.stocks for fact in _dispatch(one, places))
        case stock.GetWarehouseStockResponse():
            return tuple(fact for one in answer.stocks for fact in _warehouse(one))
        case stock.Reservation():
            return tuple(_reservation(answer))
        case _:
            raise TypeError(f"nobody has said what {type(answer).__name__} means")


def _stock(answer: stock.GetStockResponse) -> list[Fact]:
    sku = answer.sku
    facts = [
        Fact((("cell", sku, level.warehouse, counter),), getattr(level, counter))
        for level in answer.levels
        for counter in (*CELL, *LIFETIME)
    ]
    facts += [Fact(cells(sku, (level.warehouse,), ON_HAND), level.on_hand) for level in answer.levels]
    facts += [
        Fact((("pool", sku, level.pool, counter),), getattr(level, counter))
        for level in answer.pools
        for counter in ("locked", "sold")
    ]
    # Who is not named has never had any.
    named = {level.warehouse for level in answer.levels}
    facts += [
        Fact(cells(sku, (place,), ("received", "found")), 0) for place in WAREHOUSES if place not in named
    ]
    if not answer.pools:
        facts.append(Fact((("pool", sku, "SHARED", "locked"), ("pool", sku, "SHARED", "sold")), 0))
    return [*facts, Fact((), answer.claimed), Fact(cells(sku, WAREHOUSES, ("available",)), answer.free)]


def _sales(one: stock.SalesStock) -> list[Fact]:
    # Nothing is lost here beyond the stock, so what is free is what is available.
    return [
        Fact(cells(one.sku, WAREHOUSES, ("available",)), one.available),
        Fact(cells(one.sku, WAREHOUSES, ("locked",)), one.locked),
        Fact(cells(one.sku, WAREHOUSES, ("available", "locked")), one.sellable),
        Fact((("pool", one.sku, "SHARED", "sold"),), one.sold),
        Fact((), one.shortage),
    ]


def _dispatch(one: stock.DispatchStock, places: tuple[str, ...]) -> list[Fact]:
    return [
        Fact(cells(one.sku, places, ON_HAND), one.book),
        Fact(cells(one.sku, places, ("available",)), one.available),
        Fact(cells(one.sku, places, ("in_transit",)), one.in_transit),
        Fact(cells(one.sku, places, ("returning",)), one.returning),
        Fact(cells(one.sku, places, ("defective",)), one.unsellable),
    ]


def _warehouse(one: stock.WarehouseStock) -> list[Fact]:
    place = (one.warehouse,)
    return [
        Fact(cells(one.sku, place, ("available", "locked", "allocated")), one.available),
        Fact(cells(one.sku, place, ("picking",)), one.locked),
        Fact(cells(one.sku, place, ("shipped",)), one.shipped),
        Fact(cells(one.sku, place, ("returned",)), one.returned),
        Fact(cells(one.sku, place, ("defective",)), one.defective),
    ]


def _reservation(answer: stock.Reservation) -> list[Fact]:
    owner = answer.reservation_id
    facts = [Fact((("known", owner),), 1)]
    for line in answer.lines:
        number = str(line.line)
        facts += [Fact((("line", owner, number, counter),), getattr(line, counter)) for counter in LINE]
        facts += [
            Fact((("held", owner, number, at.warehouse, counter),), getattr(at, counter))
            for at in line.allocations
            for counter in HELD
        ]
    return facts


def facts_of_refusal(command: op.Command, error: lockstock.LockstockError) -> tuple[Fact, ...]:
    """What a refusal says of the stock; nothing where it says nothing of it."""
    known = error.metadata
    match error.reason:
        case "INSUFFICIENT_STOCK":
            return tuple(
                Fact(keys, value)
                for short in error.shortages
                for keys, value in (
                    (cells(short.sku, WAREHOUSES, ("available",)), short.available_here),
                    (cells(short.sku, WAREHOUSES, ("locked",)), short.locked),
                )
            )
        case "RESERVATION_NOT_FOUND":
            return (Fact((("known", known["reservation"]),), 0),)
        case "STALE_VALUE":
            return (Fact(cells(known["sku"], (known["warehouse"],), ("available",)), int(known["current"])),)
        case "QUANTITY_NOT_HELD" if command.HasField("unlock"):
            owner = command.unlock.reservation_id
            return (Fact((("line", owner, "1", "locked"),), int(known["held"])),)
        case "QUANTITY_NOT_HELD" if known.get("warehouse") and known.get("sku"):
            place = cells(known["sku"], (known["warehouse"],), (known["state"],))
            return (Fact(place, int(known["held"])),)
        case _:
            return ()
