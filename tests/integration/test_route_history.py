"""Past orders read from a real database are those of the shop that wrote them."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.projection import schema
from lockstock_server.reports import routes
from lockstock_server.reports.routes import RouteHistory
from lockstock_server.routing.explain_past import explain_past
from lockstock_server.routing.past import Filters, History
from lockstock_server.routing.trial import Policy, try_policy
from sqlalchemy import create_engine
from support import chooser
from support.random_history import SKUS, a_shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from support.past_shop import PastShop

SECOND = 1_000_000


def write(connection: Connection, shop: PastShop) -> None:
    """Writes what the projection would have written; an order is placed at the second of its sequence."""
    schema.metadata.create_all(connection)
    rows: dict[str, list[dict[str, object]]] = {
        "document_versions": [
            {"sequence": at, "ordinal": 0, "kind": kind, "id": name, "body": body.decode()}
            for at, kind, name, body in shop.put
        ],
        "movements": [
            {
                "sequence": it.sequence,
                "ordinal": ordinal,
                "kind": it.kind,
                "sku": it.sku,
                "warehouse": it.warehouse,
                "pool": "",
                "owner": it.owner,
                "line": it.line,
                "quantity": it.units,
            }
            for ordinal, it in enumerate(shop.moved)
        ],
        "skus": [{"sku": sku, "category": "", "claimed": units} for sku, units in shop.claimed_.items()],
        "stock": [
            {"sku": sku, "warehouse": name, **dict.fromkeys(_counters("stock"), 0), "available": units}
            for (sku, name), units in shop.available.items()
        ],
        "reservations": [
            {
                "reservation": order.order_id,
                "no": order.sequence,
                "created_at": order.sequence * SECOND,
                "deadline": 0,
                "extensions": 0,
                "version": order.sequence,
                "refund_due": False,
                "region": order.region,
                "warehouses": json.dumps(order.warehouses) if order.warehouses else "",
                "destination": order.destination,
                "max_parcels": order.max_parcels,
                "channel": shop.channels[order.order_id],
                "buyer": "",
                "attributes": "",
            }
            for order in (photograph.order for photograph in shop.photographs)
        ],
    }
    for table, values in rows.items():
        if values:
            connection.execute(schema.metadata.tables[table].insert(), values)


def _counters(table: str) -> list[str]:
    return [column.name for column in schema.columns_of(schema.metadata.tables[table], schema.ADD)]


@pytest.fixture(scope="module")
def shop() -> PastShop:
    return a_shop(random.Random(11), 300)


@pytest.fixture
def history(url: str, shop: PastShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[RouteHistory]:
    # Chunks and fetches that are passed within a small shop.
    monkeypatch.setattr(routes, "NAMED_MAX", 2)
    monkeypatch.setattr(routes, "FETCHED", 5)
    engine = create_engine(url)
    with engine.begin() as connection:
        write(connection, shop)
    with engine.connect() as connection:
        yield RouteHistory(connection)
    engine.dispose()


def test_every_question_gets_the_shops_own_answer(history: RouteHistory, shop: PastShop) -> None:
    twin: History = shop
    orders = [photograph.order for photograph in shop.photographs]
    assert len(orders) > 20
    assert [history.order(order.order_id) for order in orders] == orders
    assert history.order("none") is None
    for filters in (Filters(1_000), Filters(7), Filters(5, channel="web"), Filters(5, channel="none")):
        assert history.newest(filters) == twin.newest(filters)
    assert list(history.placing(orders)) == list(twin.placing(orders))
    some_skus: list[tuple[str, ...]] = [(), SKUS[:1], SKUS]
    for skus in some_skus:
        assert sorted(history.stock(skus)) == sorted(twin.stock(skus))
        assert sorted(history.claimed(skus)) == sorted(twin.claimed(skus))
        for sequence in (0, shop.sequence // 2, shop.sequence):
            assert sorted(history.sums_after(skus, sequence)) == sorted(twin.sums_after(skus, sequence))
            assert list(history.back_to(skus, sequence)) == list(twin.back_to(skus, sequence))
    ids: list[list[str] | None] = [None, [], ["north", "a", SKUS[0]]]
    for kind in ("WAREHOUSE", "REGION", "SKU", "ROUTE_PLAN"):
        for sequence in (3, shop.sequence // 2, shop.sequence):
            assert list(history.changes(kind, 3, sequence)) == list(twin.changes(kind, 3, sequence))
            for some in ids:
                assert dict(history.documents(kind, some, sequence)) == dict(
                    twin.documents(kind, some, sequence)
                )


def test_orders_are_found_by_when_they_were_placed(history: RouteHistory, shop: PastShop) -> None:
    times = sorted(photograph.order.sequence for photograph in shop.photographs)
    first, last = times[3] * SECOND, times[-3] * SECOND
    found = history.newest(Filters(1_000, created_from=first, created_before=last))
    assert [order.sequence for order in found] == times[3:-3][::-1]


def test_explaining_and_trying_over_the_database_is_explaining_and_trying_over_the_shop(
    history: RouteHistory, shop: PastShop
) -> None:
    """Several queries stand open at once, and others run in between."""
    for photograph in shop.photographs:
        order_id = photograph.order.order_id
        assert explain_past(history, order_id, shop.table, chooser.route) == explain_past(
            shop, order_id, shop.table, chooser.route
        )
    policy = Policy(max_parcels=2, allow_partial=True, ranks={"a": 5}, tiers={"b": pb.TIER_CENTRAL})
    for newest in (10, 1_000):
        filters = Filters(newest)
        assert try_policy(history, policy, filters, shop.table, chooser.route) == try_policy(
            shop, policy, filters, shop.table, chooser.route
        )
