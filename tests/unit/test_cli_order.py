"""The commands about orders: what each of them asks of the server, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from lockstock.v1 import admin_pb2 as admin
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as orders
from lockstock_server.cli import app
from lockstock_server.cli.order import steps, views
from typer.testing import CliRunner

NEWEST = 41
"""What the server has made durable: what a list must have seen."""


@dataclass
class FakeOrders:
    """Takes every step, and keeps what it was asked."""

    asked: list[tuple[str, Any]] = field(default_factory=list)

    def __getattr__(self, verb: str) -> Any:
        def take(request: Any) -> Any:
            self.asked.append((verb, request))
            return orders.ListOrdersResponse() if verb == "ListOrders" else op.Answer(owner="O", sequence=7)

        return take

    def GetServerInfo(self, _: admin.GetServerInfoRequest) -> admin.GetServerInfoResponse:  # noqa: N802
        return admin.GetServerInfoResponse(durable_sequence=NEWEST)

    @property
    def orders(self) -> FakeOrders:
        return self

    admin = orders


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeOrders:
    fake = FakeOrders()

    @contextmanager
    def connected(_: str, **__: bool) -> Iterator[FakeOrders]:
        yield fake

    monkeypatch.setattr(steps, "connected", connected)
    monkeypatch.setattr(views, "connected", connected)
    return fake


def run(command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["order", *command.split()], env={"COLUMNS": "200"})
    return result.exit_code, result.output


BOOKS = [op.OrderLine(sku="BOOK", quantity=2), op.OrderLine(sku="A=B", quantity=1)]
PART = [op.LineQuantity(line=1), op.LineQuantity(line=2, quantity=3)]
PAPERS = op.Cause(document="D", reason="why", request_id="K")

STEPS = [
    (
        (
            "place O --line BOOK=2 --line A=B=1 --region R --lat 31.5 --lon -7 --channel WEB --buyer ada "
            "--policy on-payment --hold 90 --max-parcels 2 --allow-partial --reason why"
        ),
        "PlaceOrder",
        orders.PlaceOrderRequest(
            cause=op.Cause(reason="why"),
            order_id="O",
            lines=BOOKS,
            destination=orders.Destination(
                region="R", coordinates=catalog.Coordinates(latitude=31.5, longitude=-7)
            ),
            split=op.Split(max_parcels=2, allow_partial=True),
            channel="WEB",
            buyer="ada",
            deduction_policy=catalog.DEDUCTION_POLICY_ON_PAYMENT,
            hold=Duration(seconds=90),
        ),
    ),
    (
        "place O --line BOOK=2 --pickup SHOP",
        "PlaceOrder",
        orders.PlaceOrderRequest(
            cause=op.Cause(),
            order_id="O",
            lines=BOOKS[:1],
            destination=orders.Destination(pickup="SHOP"),
            split=op.Split(),
        ),
    ),
    (
        "extend O --hold 1.5",
        "ExtendOrder",
        orders.ExtendOrderRequest(
            cause=op.Cause(), order_id="O", hold=Duration(seconds=1, nanos=500_000_000)
        ),
    ),
    (
        "pay O --document D --reason why --request-id K --line 1 --line 2=3",
        "PayOrder",
        orders.PayOrderRequest(cause=PAPERS, order_id="O", lines=PART),
    ),
    ("cancel O", "CancelOrder", orders.CancelOrderRequest(cause=op.Cause(), order_id="O")),
    (
        "amend O --delta 1=2 --delta 2=-1 --add PEN=4 --version 9",
        "AmendOrder",
        orders.AmendOrderRequest(
            cause=op.Cause(),
            order_id="O",
            expected_version=9,
            deltas=[op.LineDelta(line=1, delta=2), op.LineDelta(line=2, delta=-1)],
            additions=[op.OrderLine(sku="PEN", quantity=4)],
        ),
    ),
    (
        "move O --line 1=2 --from A --to B",
        "MoveOrder",
        orders.MoveOrderRequest(
            cause=op.Cause(), order_id="O", line=1, from_warehouse="A", to_warehouse="B", quantity=2
        ),
    ),
    (
        "push O --warehouse A",
        "PushOrder",
        orders.PushOrderRequest(cause=op.Cause(), order_id="O", warehouse="A"),
    ),
    ("recall O", "RecallOrder", orders.RecallOrderRequest(cause=op.Cause(), order_id="O")),
    (
        "confirm-picking O --warehouse A --picked 1=2 --short 1=1 --short 2=3",
        "ConfirmPicking",
        orders.ConfirmPickingRequest(
            cause=op.Cause(),
            order_id="O",
            warehouse="A",
            lines=[orders.PickedLine(line=1, picked=2, short=1), orders.PickedLine(line=2, short=3)],
        ),
    ),
    (
        "ship O --warehouse A --document D --reason why --request-id K --line 1 --line 2=3",
        "ShipOrder",
        orders.ShipOrderRequest(cause=PAPERS, order_id="O", warehouse="A", lines=PART),
    ),
    (
        "expect-return O --warehouse A --line 2=3",
        "ExpectOrderReturn",
        orders.ExpectOrderReturnRequest(cause=op.Cause(), order_id="O", warehouse="A", lines=PART[1:]),
    ),
    (
        "cancel-return O --warehouse A",
        "CancelOrderReturn",
        orders.CancelOrderReturnRequest(cause=op.Cause(), order_id="O", warehouse="A"),
    ),
    (
        "take-return O --warehouse A --line 1=2:sellable --line 1=1:lost",
        "TakeOrderReturn",
        orders.TakeOrderReturnRequest(
            cause=op.Cause(),
            order_id="O",
            warehouse="A",
            lines=[
                op.ReturnLine(line=1, quantity=2, disposition=op.DISPOSITION_SELLABLE),
                op.ReturnLine(line=1, quantity=1, disposition=op.DISPOSITION_LOST),
            ],
        ),
    ),
    (
        (
            "exchange O --warehouse A --line 2=3 --replacement P --add BOOK=2 --region R --document D --reason why "
            "--request-id K"
        ),
        "ExchangeOrder",
        orders.ExchangeOrderRequest(
            cause=PAPERS,
            order_id="O",
            warehouse="A",
            lines=PART[1:],
            replacement=orders.PlaceOrderRequest(
                order_id="P", lines=BOOKS[:1], destination=orders.Destination(region="R")
            ),
        ),
    ),
    (
        "list --state paid --state refund-due --channel WEB --sku BOOK --warehouse A --region R --limit 5",
        "ListOrders",
        orders.ListOrdersRequest(
            page_size=5,
            states=[orders.ORDER_STATE_PAID, orders.ORDER_STATE_REFUND_DUE],
            channel="WEB",
            sku="BOOK",
            warehouse="A",
            region="R",
            min_sequence=NEWEST,
        ),
    ),
]


@pytest.mark.parametrize(
    ("command", "verb", "request_"), STEPS, ids=[row[0].split(" --")[0] for row in STEPS]
)
def test_a_command_asks_what_it_says(server: FakeOrders, command: str, verb: str, request_: Any) -> None:
    code, output = run(command)
    assert code == 0, output
    assert server.asked == [(verb, request_)]


def test_every_verb_of_the_service_has_a_command() -> None:
    asked = {verb for _, verb, _ in STEPS} | {"GetOrder"}
    assert asked == {method.name for method in orders.DESCRIPTOR.services_by_name["OrderService"].methods}


@pytest.mark.parametrize(
    "command",
    [
        "place O --line BOOK --region R",
        "place O --line BOOK=-1 --region R",
        "place O --line BOOK=1 --region R --lat 3",
        "place O --line BOOK=1 --policy sometimes",
        "pay O --line one",
        "pay O --line 1=many",
        "take-return O --warehouse A --line 1=2",
        "list --state happy",
        "list --since yesterday",
    ],
)
def test_what_cannot_be_read_is_a_sentence_and_asks_nothing(server: FakeOrders, command: str) -> None:
    code, output = run(command)
    assert code == 2
    assert output.strip()
    assert "Traceback" not in output
    assert server.asked == []
