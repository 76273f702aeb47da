"""Bad input to OrderService, in the form of the table of refusals."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as pb
from refusal_table import PYTHON, TOO_LONG, Case, line

SERVICE = "/lockstock.v1.OrderService/"


def place(**changes: Any) -> pb.PlaceOrderRequest:
    """A good order but for what is changed."""
    wanted: dict[str, Any] = {
        "order_id": "new",
        "lines": [line()],
        "destination": pb.Destination(region="CN"),
    }
    return pb.PlaceOrderRequest(**{**wanted, **changes})


def towards(latitude: float, region: str = "CN", pickup: str = "") -> pb.Destination:
    point = catalog.Coordinates(latitude=latitude, longitude=121.47)
    return pb.Destination(region=region, coordinates=point, pickup=pickup)


def exchange(**replacement: Any) -> pb.ExchangeOrderRequest:
    """A good exchange but for its replacement."""
    return pb.ExchangeOrderRequest(
        order_id="shipped",
        warehouse="SH",
        lines=[op.LineQuantity(line=1, quantity=1)],
        replacement=place(**replacement),
    )


def case(name: str, reason: str, verb: str, request: Any, metadata: dict[str, str] | None = None) -> Case:
    return Case(name, reason, SERVICE + verb, request, metadata or {}, PYTHON)


ORDERS = [
    case("an order that is no message", "MALFORMED_MESSAGE", "PlaceOrder", b"\xff\xff"),
    case("a step that is no message", "MALFORMED_MESSAGE", "PayOrder", b"\xff\xff"),
    case("an order without an id", "FIELD_REQUIRED", "PlaceOrder", place(order_id=""), {"field": "order_id"}),
    case(
        "an order's id too long",
        "ID_INVALID",
        "PayOrder",
        pb.PayOrderRequest(order_id=TOO_LONG),
        {"field": "order_id"},
    ),
    case(
        "an order that goes nowhere",
        "FIELD_REQUIRED",
        "PlaceOrder",
        place(destination=None),
        {"field": "destination"},
    ),
    case(
        "coordinates without a region",
        "FIELD_REQUIRED",
        "PlaceOrder",
        place(destination=towards(31, region="")),
        {"field": "destination.region"},
    ),
    case(
        "coordinates that are not on the earth",
        "NUMBER_OUT_OF_RANGE",
        "PlaceOrder",
        place(destination=towards(91)),
        {"field": "destination.coordinates.latitude", "value": "91"},
    ),
    case(
        "coordinates in a region that is not there",
        "REGION_NOT_FOUND",
        "PlaceOrder",
        place(destination=towards(31, region="NONE")),
        {"region": "NONE"},
    ),
    case(
        "a pickup and a region",
        "FIELDS_CONFLICT",
        "PlaceOrder",
        place(destination=pb.Destination(region="CN", pickup="SH")),
    ),
    case(
        "a pickup where none is offered",
        "PICKUP_NOT_OFFERED",
        "PlaceOrder",
        place(destination=pb.Destination(pickup="SH")),
        {"warehouse": "SH"},
    ),
    case(
        "a pickup at a warehouse that is not there",
        "WAREHOUSE_NOT_FOUND",
        "PlaceOrder",
        place(destination=pb.Destination(pickup="NONE")),
        {"warehouse": "NONE"},
    ),
    case(
        "an exchange that is fetched where none is offered",
        "PICKUP_NOT_OFFERED",
        "ExchangeOrder",
        exchange(destination=pb.Destination(pickup="SH")),
    ),
    case(
        "an exchange with a hold",
        "FIELDS_CONFLICT",
        "ExchangeOrder",
        exchange(hold=Duration(seconds=1)),
        {"field": "replacement.hold"},
    ),
    case("an order that is there", "RESERVATION_EXISTS", "PlaceOrder", place(order_id="locked")),
    case(
        "an order that is not there",
        "RESERVATION_NOT_FOUND",
        "ShipOrder",
        pb.ShipOrderRequest(order_id="none"),
    ),
    case(
        "reading an order that is not there",
        "RESERVATION_NOT_FOUND",
        "GetOrder",
        pb.GetOrderRequest(order_id="none"),
    ),
    case(
        "paying what has shipped",
        "ORDER_STATE",
        "PayOrder",
        pb.PayOrderRequest(order_id="shipped"),
        {
            "order": "shipped",
            "state": "SHIPPED",
            "verb": "PayOrder",
            "allowed": "AmendOrder, ExpectOrderReturn, TakeOrderReturn, ExchangeOrder",
        },
    ),
    case(
        "extending what has expired",
        "ORDER_STATE",
        "ExtendOrder",
        pb.ExtendOrderRequest(order_id="expired", hold=Duration(seconds=1)),
        {"state": "EXPIRED", "allowed": "PayOrder"},
    ),
    case(
        "paying what is to be refunded",
        "ORDER_STATE",
        "PayOrder",
        pb.PayOrderRequest(order_id="refund"),
        {"state": "REFUND_DUE", "allowed": ""},
    ),
    case(
        "unlocking more than is locked",
        "QUANTITY_NOT_HELD",
        "CancelOrder",
        pb.CancelOrderRequest(order_id="locked", lines=[op.LineQuantity(line=1, quantity=3)]),
        {"asked": "3", "held": "2"},
    ),
    case(
        "a page that is too large", "NUMBER_OUT_OF_RANGE", "ListOrders", pb.ListOrdersRequest(page_size=1001)
    ),
    case("a page of nothing", "PAGE_TOKEN_INVALID", "ListOrders", pb.ListOrdersRequest(page_token="x")),  # noqa: S106
    case(
        "a sequence that is yet to come",
        "NUMBER_OUT_OF_RANGE",
        "ListOrders",
        pb.ListOrdersRequest(min_sequence=2**60),
        {"field": "min_sequence"},
    ),
    Case(
        "a list without a database",
        "DATABASE_AWAY",
        SERVICE + "ListOrders",
        pb.ListOrdersRequest(),
        {"wanted": "0", "as_of": "0"},
        PYTHON,
        "without a database",
    ),
]
