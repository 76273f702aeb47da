"""Every index of the database is there for a query, and both databases find their way by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lockstock_server.orders.listing import Filters
from lockstock_server.projection import schema
from lockstock_server.projection.database import is_sqlite, open_database
from lockstock_server.reports.orders import OrderReports, steps
from lockstock_server.reports.reader import Reports
from lockstock_server.reports.routes import RouteHistory
from lockstock_server.routing import past
from order_rows import JOURNAL, Follower, Rows
from sqlalchemy import Connection, Engine, event, text

ORDERS = 3_000
OF_ITS_KIND = 3
"""So many of all have what is looked for."""
SKU, DOCUMENT = "rare", "R7"

Query = Callable[[Connection], object]
Filtered = dict[str, Any]

LISTED: dict[str, Filtered] = {
    "reservations_by_created_at": {},
    "reservations_by_channel": {"channel": "rare"},
    "reservations_by_region": {"region": "rare"},
    "reservations_by_buyer": {"buyer": "rare"},
    "reservation_lines_by_sku": {"sku": SKU},
    "allocations_by_warehouse": {"warehouse": "rare"},
}
READ: dict[str, Query] = {
    "movements_by_owner": lambda connection: steps(connection, ["LOCK", "DEDUCT"], "o7", 10**9),
    "operations_by_owner": lambda connection: steps(connection, ["LOCK", "DEDUCT"], "o7", 10**9),
    "movements_by_sku": lambda connection: list(RouteHistory(connection).sums_after([SKU], 5)),
    "document_versions_by_id": lambda connection: list(
        RouteHistory(connection).documents("REGION", [DOCUMENT], 10**9)
    ),
    "reservations_by_channel": lambda connection: RouteHistory(connection).newest(
        past.Filters(newest=20, channel="rare")
    ),
}


def many_orders(url: str) -> None:
    """Orders of which few have a channel, a buyer, a certain SKU, warehouse or region."""
    rows = Rows(url)
    for number in range(1, ORDERS + 1):
        rare = number % (ORDERS // OF_ITS_KIND) == 0
        name = f"o{number}"
        some = "rare" if rare else ""
        rows.order(name, number, no=number, channel=some, buyer=some, region=some or f"r{number % 7}")
        rows.line(name, sku=SKU if rare else "book")
        warehouse = "rare" if rare else "SH"
        rows.put(schema.allocations, reservation=name, line=1, warehouse=warehouse, locked=1)
        for sequence, kind in ((number, "LOCK"), (ORDERS + number, "DEDUCT")):
            rows.put(schema.operations, sequence=sequence, operation=kind, owner=name)
            sku = SKU if rare else "book"
            rows.put(schema.movements, sequence=sequence, kind=kind, owner=name, sku=sku, quantity=1)
        rows.put(schema.document_versions, sequence=number, kind="REGION", id=f"R{number % 500}", body="{}")
    rows.write(ORDERS)


@contextmanager
def executed() -> Iterator[list[tuple[str, Any]]]:
    """What is sent to a database meanwhile: statements with their parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def plans(engine: Engine, statements: list[tuple[str, Any]]) -> str:
    explain = "EXPLAIN QUERY PLAN" if is_sqlite(engine) else "EXPLAIN"
    with engine.connect() as connection:
        found = [
            row[-1]
            for statement, parameters in statements
            if statement.startswith(("SELECT", "WITH"))
            for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)
        ]
    return "\n".join(found)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    many_orders(url)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    yield engine
    engine.dispose()


async def test_every_index_is_there_for_a_query_that_uses_it(url: str, engine: Engine) -> None:
    every = {index.name for table in schema.PROJECTED.values() for index in table.indexes}
    assert every == {*LISTED, *READ}
    reports = Reports(url, journal_id=JOURNAL, follower=Follower(ORDERS), newest=lambda: ORDERS)
    unused = {}
    try:
        for index, filtered in LISTED.items():
            with executed() as statements:
                page = await OrderReports(reports, ["LOCK"]).page(Filters(**filtered), 2, None, 0)
            assert len(page.orders) == 2
            if index not in (plan := plans(engine, statements)):
                unused[index] = plan
    finally:
        reports.close()
    for index, query in READ.items():
        with executed() as statements, engine.connect() as connection:
            query(connection)
        if index not in (plan := plans(engine, statements)):
            unused[index] = plan
    assert unused == {}


def test_a_lock_is_in_the_history_of_its_order_although_its_index_leaves_locks_out(engine: Engine) -> None:
    with engine.connect() as connection:
        assert [step.operation for step in steps(connection, ["LOCK", "DEDUCT"], "o7", 10**9)] == [
            "LOCK",
            "DEDUCT",
        ]
