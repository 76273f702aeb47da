"""OrderService on the Python door over an engine with memory: bytes through, plans beside them, states explained."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_core import FakeCore, refusal
from fake_orders import FakeArchive, FakePlanner
from lockstock.internal.v1 import orders_pb2 as seam
from lockstock.v1 import catalog_pb2, operations_pb2, stock_pb2
from lockstock.v1 import orders_pb2 as pb
from lockstock_server.doors import orders as door
from lockstock_server.doors.calls import Calls
from lockstock_server.orders.service import WRONG_STATE, Orders
from lockstock_server.orders.states import VERB_NAMES
from lockstock_server.refusals import Refused

METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["OrderService"].methods]
STEPS = [name for name in METHODS if name not in {"GetOrder", "ListOrders"}]
GEO = pb.Destination(region="CN", coordinates=catalog_pb2.Coordinates(latitude=1, longitude=2))
PICKUP = pb.Destination(pickup="SH")
PAID = stock_pb2.Reservation(
    reservation_id="o",
    lines=[
        stock_pb2.ReservationLine(
            line=1, deducted=1, allocations=[stock_pb2.Allocation(warehouse="SH", allocated=1)]
        )
    ],
)


def public(verb: str) -> str:
    return f"/lockstock.v1.OrderService/{verb}"


def internal(verb: str) -> str:
    return f"/lockstock.internal.v1.Orders/{verb}"


class Served:
    """The methods of the service over fakes."""

    def __init__(self) -> None:
        self.core = FakeCore()
        self.calls = Calls(self.core)
        self.planner = FakePlanner()
        self.archive = FakeArchive()
        orders = Orders(self.calls.call, self.archive, str)
        self.methods = door.unary(self.calls, orders, self.planner)

    async def call(self, verb: str, request: bytes) -> tuple[bool, bytes]:
        return await self.methods[public(verb)](request)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    it = Served()
    yield it
    it.calls.close()
    it.core.close()


def placing(destination: pb.Destination, request_id: str = "") -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(
        cause=operations_pb2.Cause(request_id=request_id),
        order_id="o",
        lines=[operations_pb2.OrderLine(sku="book", quantity=1)],
        destination=destination,
    )


def exchanging(destination: pb.Destination, request_id: str = "") -> pb.ExchangeOrderRequest:
    return pb.ExchangeOrderRequest(
        cause=operations_pb2.Cause(request_id=request_id),
        order_id="old",
        replacement=pb.PlaceOrderRequest(order_id="o", destination=destination),
    )


async def refused(awaitable: Any) -> tuple[str, dict[str, str]]:
    with pytest.raises(Refused) as error:
        await awaitable
    return error.value.reason, error.value.metadata


def test_every_method_of_the_service_is_served(served: Served) -> None:
    assert set(served.methods) == {public(name) for name in METHODS}


@pytest.mark.parametrize("verb", STEPS)
async def test_a_step_goes_to_the_engine_as_it_came_and_its_bytes_come_back(
    served: Served, verb: str
) -> None:
    # No encoder writes an empty field: whoever encodes again leaves a trace.
    request = b"\x0a\x00" + getattr(pb, f"{verb}Request")(order_id="o").SerializeToString()
    granted, payload = await served.call(verb, request)
    assert granted
    assert operations_pb2.Answer.FromString(payload).sequence == 1
    assert served.core.asked == [(public(verb), request)]
    assert served.planner.asked == []


@pytest.mark.parametrize("request_", [b"\xff\xff", b"\x00" * ((8 << 20) + 1)], ids=["malformed", "too long"])
@pytest.mark.parametrize("verb", ["PlaceOrder", "ExchangeOrder"])
async def test_what_cannot_be_read_is_the_engines_to_refuse(
    served: Served, verb: str, request_: bytes
) -> None:
    served.core.refusing[public(verb)] = "MALFORMED_MESSAGE"
    assert await served.call(verb, request_) == (False, refusal("refused", "MALFORMED_MESSAGE"))
    assert served.core.asked == [(public(verb), request_)]


@pytest.mark.parametrize(
    ("destination", "beyond"), [(GEO, "geo:1.000000,2.000000"), (PICKUP, "pickup:SH")], ids=["geo", "pickup"]
)
async def test_an_order_with_coordinates_or_a_pickup_travels_with_its_plan(
    served: Served, destination: pb.Destination, beyond: str
) -> None:
    placed, exchanged = placing(destination), exchanging(destination)
    assert (await served.call("PlaceOrder", placed.SerializeToString()))[0]
    served.core.first_answers.clear()
    assert (await served.call("ExchangeOrder", exchanged.SerializeToString()))[0]
    (one, first), (two, second) = served.core.asked
    assert (one, two) == (internal("PlacePlanned"), internal("ExchangePlanned"))
    planned = seam.Planned(warehouses=["SH", "BJ"], destination=beyond)
    assert seam.PlacePlannedRequest.FromString(first) == seam.PlacePlannedRequest(
        asked=placed, planned=planned
    )
    assert seam.ExchangePlannedRequest.FromString(second) == seam.ExchangePlannedRequest(
        asked=exchanged, planned=planned
    )
    assert served.planner.asked == [(destination, "destination"), (destination, "replacement.destination")]


async def test_what_cannot_be_planned_is_refused(served: Served) -> None:
    served.planner.refuse = "PICKUP_NOT_OFFERED"
    for key in ("", "a key"):
        request = placing(PICKUP, key).SerializeToString()
        assert await refused(served.call("PlaceOrder", request)) == (
            "PICKUP_NOT_OFFERED",
            {"warehouse": "SH"},
        )
    assert served.core.first_answers == {}


async def test_a_retry_gets_its_first_answer_whatever_has_become_of_the_warehouse(served: Served) -> None:
    request = placing(PICKUP, "a key").SerializeToString()
    first = await served.call("PlaceOrder", request)
    served.planner.refuse = "PICKUP_NOT_OFFERED"
    assert await served.call("PlaceOrder", request) == first


@pytest.mark.parametrize("reason", ["REQUEST_ID_REUSED", "REQUEST_TOO_OLD", "REQUEST_ID_INVALID"])
async def test_a_key_that_is_refused_comes_before_a_plan_that_is(served: Served, reason: str) -> None:
    served.planner.refuse = "PICKUP_NOT_OFFERED"
    served.core.refusing[internal("PlacePlanned")] = reason
    request = placing(PICKUP, "a key").SerializeToString()
    assert await served.call("PlaceOrder", request) == (False, refusal("refused", reason))


@pytest.mark.parametrize("reason", sorted(WRONG_STATE))
async def test_a_step_out_of_state_is_refused_with_the_state_and_the_verbs_that_are_right(
    served: Served, reason: str
) -> None:
    served.core.reservations["o"] = PAID
    served.core.refusing[public("PayOrder")] = reason
    request = pb.PayOrderRequest(order_id="o").SerializeToString()
    assert await refused(served.call("PayOrder", request)) == (
        "ORDER_STATE",
        {
            "order": "o",
            "state": "PAID",
            "verb": "PayOrder",
            "allowed": "CancelOrder, AmendOrder, MoveOrder, PushOrder, ShipOrder",
        },
    )


@pytest.mark.parametrize("verb", sorted(VERB_NAMES))
async def test_any_other_refusal_of_the_engine_comes_byte_for_byte(served: Served, verb: str) -> None:
    served.core.reservations["o"] = PAID
    request = getattr(pb, f"{verb}Request")(order_id="o").SerializeToString()
    for reason in ("INSUFFICIENT_STOCK", "STALE_VERSION", "DRAINING", ""):
        served.core.refusing[public(verb)] = reason
        assert await served.call(verb, request) == (False, refusal("refused", reason))


async def test_too_many_units_of_a_step_that_is_right_are_the_engines_to_refuse(served: Served) -> None:
    served.core.reservations["o"] = PAID
    served.core.refusing[public("ShipOrder")] = "QUANTITY_NOT_HELD"
    request = pb.ShipOrderRequest(order_id="o").SerializeToString()
    assert await served.call("ShipOrder", request) == (False, refusal("refused", "QUANTITY_NOT_HELD"))


async def test_orders_are_read_through_the_same_door(served: Served) -> None:
    served.core.reservations["o"] = PAID
    granted, payload = await served.call("GetOrder", pb.GetOrderRequest(order_id="o").SerializeToString())
    assert granted
    assert pb.Order.FromString(payload).state == pb.ORDER_STATE_PAID
    granted, payload = await served.call("ListOrders", b"")
    assert granted
    assert not pb.ListOrdersResponse.FromString(payload).orders
    reason, _metadata = await refused(served.call("GetOrder", b"\xff"))
    assert reason == "MALFORMED_MESSAGE"
