"""Orders while their database is away: selling goes on, what needs it is refused, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lockstock
import pytest
from conftest import Start
from lockstock.v1 import admin_pb2
from lockstock.v1 import orders_pb2 as pb
from order_desk import Desk, shop
from support.postgresql import PostgreSQL


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[PostgreSQL]:
    server = PostgreSQL(tmp_path / "postgresql")
    yield server
    server.close()


def away(desk: Desk, order: str) -> None:
    """Whatever needs the database is refused, and whatever does not is answered."""
    stubs = desk.client.orders
    for call in (
        lambda: stubs.ListOrders(pb.ListOrdersRequest()),
        lambda: stubs.GetOrder(pb.GetOrderRequest(order_id=order)),
    ):
        with pytest.raises(lockstock.LockstockError) as error:
            call()
        assert error.value.reason == "DATABASE_AWAY"
        assert error.value.retry_after is not None
    assert desk.state(order) == "AWAITING_PAYMENT"


def test_orders_are_placed_paid_and_shipped_while_the_database_is_away_and_stand_in_it_when_it_is_back(
    start: Start, postgresql: PostgreSQL
) -> None:
    server = start(DATABASE_URL=postgresql.new_database(), PROJECTION_RETRY_MAX="0.2")
    # A client that is not told to wait for the database sees that it is away.
    with lockstock.connect(server.address, lockstock.Retries(attempts=1)) as client:
        shop(client)
        desk = Desk(client)
        book = desk.sku(SH=10)
        before = desk.place({book: 1})
        assert desk.history(before).steps
        postgresql.stop()
        away(desk, before)
        during = desk.place({book: 2})
        desk.pay(during, document="pay")
        newest = desk.ship(during, document="parcel").sequence
        postgresql.start()
        while client.admin.GetServerInfo(admin_pb2.GetServerInfoRequest()).projection.sequence < newest:
            pass
        listed = client.orders.ListOrders(pb.ListOrdersRequest(min_sequence=newest))
        assert [order.order_id for order in listed.orders] == [during, before]
        assert [parcel.parcel_id for parcel in desk.history(during).parcels] == ["parcel"]
    assert server.stop() == 0
