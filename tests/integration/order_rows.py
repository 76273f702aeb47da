"""A database with orders in it, written as the projection writes them: rows by hand, no engine."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from lockstock_server.orders.states import Sums
from lockstock_server.projection import schema
from lockstock_server.projection.database import ROW, open_database
from lockstock_server.projection.schema import metadata
from sqlalchemy import Table, delete, insert

JOURNAL = "0190a000-0000-4000-8000-000000000002"


@dataclass
class Follower:
    """A projector with memory: where it stands, and whether it was woken."""

    sequence: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> Follower:
        return replace(self)

    def wake(self) -> None:
        self.woken.set()

    async def waited_for(self) -> None:
        """Waits until somebody waits for it."""
        await self.woken.wait()


@dataclass
class Rows:
    """Rows to be written; `write` puts them and the position in."""

    url: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def put(self, table: Table, **values: Any) -> None:
        """Keeps a row; what is not said is 0 or empty, as the projection writes it."""
        defaults = {
            column.name: "" if column.type.python_type is str else column.type.python_type(0)
            for column in table.columns
        }
        assert values.keys() <= defaults.keys(), values
        self.rows.setdefault(table.name, []).append(defaults | values)

    def write(self, sequence: int, journal_id: str = JOURNAL) -> None:
        engine = open_database(self.url)
        metadata.create_all(engine)
        with engine.begin() as connection:
            for table in (schema.projection, *schema.PROJECTED.values()):
                connection.execute(delete(table))
            for name, rows in self.rows.items():
                connection.execute(insert(metadata.tables[name]), rows)
            position = {"id": ROW, "journal_id": journal_id, "sequence": sequence, "applied_at": 0}
            connection.execute(insert(schema.projection), position)
        engine.dispose()

    # --- orders ---

    def order(self, name: str, created_at: int, **values: Any) -> None:
        """Keeps the head of an order."""
        self.put(schema.reservations, reservation=name, created_at=created_at, **values)

    def line(
        self, name: str, line: int = 1, *, sku: str = "book", policy: str = "ON_ORDER", **counters: int
    ) -> None:
        self.put(
            schema.reservation_lines,
            reservation=name,
            line=line,
            sku=sku,
            pool="SHARED",
            deduction_policy=policy,
            **counters,
        )

    def place(
        self, name: str, line: int = 1, *, warehouse: str = "SH", position: int = 0, **counters: int
    ) -> None:
        self.put(
            schema.allocations,
            reservation=name,
            line=line,
            warehouse=warehouse,
            position=position,
            **counters,
        )

    def step(self, sequence: int, operation: str, owner: str = "", **values: Any) -> None:
        """Keeps a record of the journal."""
        self.put(
            schema.operations,
            sequence=sequence,
            at=sequence * 1_000_000,
            operation=operation,
            owner=owner,
            **{"outcome": "DONE", **values},
        )

    def movement(self, sequence: int, ordinal: int, kind: str, owner: str, quantity: int = 1) -> None:
        self.put(
            schema.movements,
            sequence=sequence,
            ordinal=ordinal,
            kind=kind,
            sku="book",
            warehouse="SH",
            pool="SHARED",
            owner=owner,
            line=1,
            quantity=quantity,
        )


def chance_order(rows: Rows, name: str, created_at: int, order: Sums, chance: random.Random) -> None:
    """An order with these counters, spread over two lines and two warehouses as chance will have it."""
    region = chance.choice(["CN", "DE", ""])
    rows.order(
        name,
        created_at,
        refund_due=bool(order.refund_due),
        version=created_at,
        deadline=created_at + 1,
        region=region,
        warehouses="" if region else json.dumps(["SH", "BJ"]),
        channel=chance.choice(["web", "app", ""]),
        buyer=chance.choice(["a", "b"]) * 32,
        max_parcels=chance.randrange(3),
        attributes=chance.choice(["", "{}", "\\xff00"]),
    )
    lines = [Counter[str](), Counter[str]()]
    places = {(line, warehouse): Counter[str]() for line in (1, 2) for warehouse in ("SH", "BJ")}
    for counter in ("locked", "allocated", "picking", "shipped", "returning"):
        for _ in range(getattr(order, counter)):
            line, warehouse = chance.choice(list(places))
            places[line, warehouse][counter] += 1
            lines[line - 1][counter] += 1
    for counter in ("wanted", "expired", "cancelled", "claimed", "returned"):
        for _ in range(getattr(order, counter)):
            chance.choice(lines)[counter] += 1
    for number, counters in enumerate(lines, start=1):
        deducted = sum(counters[it] for it in ("allocated", "picking", "shipped", "cancelled", "claimed"))
        kept: Any = {
            it: counters[it] for it in ("locked", "wanted", "expired", "cancelled", "claimed", "returned")
        }
        rows.line(name, number, sku=chance.choice(["book", "pen"]), deducted=deducted, **kept)
    for position, ((line, warehouse), held) in enumerate(places.items()):
        if held:
            rows.place(name, line, warehouse=warehouse, position=position, **held)
