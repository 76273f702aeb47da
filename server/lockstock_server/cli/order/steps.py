"""The steps of an order, from its placing to its return: `order place`, `order pay`, ..."""

from datetime import timedelta
from typing import Annotated, Any

import lockstock
import typer
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as orders

from lockstock_server.cli.doors import UNSET, Server
from lockstock_server.cli.order.words import (
    Document,
    Lines,
    Order,
    Reason,
    RequestId,
    Warehouse,
    number,
    quantities,
    show_answer,
)
from lockstock_server.cli.output import Exit, Json, connected, fail
from lockstock_server.cli.written import (
    Latitude,
    Longitude,
    Pickup,
    Region,
    Wanted,
    destination,
    named,
    whole,
)

POLICIES = {
    "": catalog.DEDUCTION_POLICY_UNSPECIFIED,
    "on-order": catalog.DEDUCTION_POLICY_ON_ORDER,
    "on-payment": catalog.DEDUCTION_POLICY_ON_PAYMENT,
}
DISPOSITIONS = {
    "sellable": op.DISPOSITION_SELLABLE,
    "defective": op.DISPOSITION_DEFECTIVE,
    "lost": op.DISPOSITION_LOST,
}


def place(
    order: Order,
    line: Wanted = None,
    region: Region = "",
    latitude: Latitude = None,
    longitude: Longitude = None,
    pickup: Pickup = "",
    channel: Annotated[str, typer.Option(help="Where it is sold.")] = "",
    buyer: Annotated[str, typer.Option(help="Who buys; only a keyed hash is kept.")] = "",
    policy: Annotated[str, typer.Option(help="When stock is taken: on-order or on-payment.")] = "",
    hold: Annotated[float | None, typer.Option(help="How long the lock stands, in seconds.")] = None,
    max_parcels: Annotated[int, typer.Option(help="The most parcels; 1 is whole or not at all.", min=0)] = 0,
    allow_partial: Annotated[bool, typer.Option(help="Take what there is.")] = False,
    reason: Reason = "",
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Place an order: lock its units, or check them where payment takes them."""
    if policy not in POLICIES:
        fail(f"There is no policy {policy}; there are on-order and on-payment.", Exit.USAGE)
    request = orders.PlaceOrderRequest(
        cause=op.Cause(request_id=request_id, reason=reason),
        order_id=order,
        lines=[op.OrderLine(sku=sku, quantity=units) for sku, units in named(line, "--line", whole)],
        destination=destination(region, latitude, longitude, pickup),
        split=op.Split(max_parcels=max_parcels, allow_partial=allow_partial),
        channel=channel,
        buyer=buyer,
        deduction_policy=POLICIES[policy],
    )
    if hold is not None:
        request.hold.FromTimedelta(timedelta(seconds=hold))
    with connected(server, json=json) as client:
        answer = client.orders.PlaceOrder(request)
    show_answer(answer, json=json)


def extend(
    order: Order,
    hold: Annotated[float, typer.Option(help="From now, in seconds.")],
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Give the buyer more time to pay."""
    request = orders.ExtendOrderRequest(cause=op.Cause(request_id=request_id), order_id=order)
    request.hold.FromTimedelta(timedelta(seconds=hold))
    with connected(server, json=json) as client:
        answer = client.orders.ExtendOrder(request)
    show_answer(answer, json=json)


def _step(verb: str, help_text: str, *, by_warehouse: bool) -> Any:
    """A command for a verb that takes an order and parts of its lines, at a warehouse or at all."""
    request_type = getattr(orders, f"{verb}Request")

    def run(client: lockstock.Client, request: Any, json: bool) -> None:
        show_answer(getattr(client.orders, verb)(request), json=json)

    def everywhere(
        order: Order,
        line: Lines = None,
        document: Document = "",
        reason: Reason = "",
        request_id: RequestId = "",
        server: Server = UNSET,
        json: Json = False,
    ) -> None:
        cause = op.Cause(request_id=request_id, reason=reason, document=document)
        with connected(server, json=json) as client:
            run(client, request_type(cause=cause, order_id=order, lines=quantities(line)), json)

    def at_warehouse(
        order: Order,
        warehouse: Warehouse = "",
        line: Lines = None,
        document: Document = "",
        reason: Reason = "",
        request_id: RequestId = "",
        server: Server = UNSET,
        json: Json = False,
    ) -> None:
        cause = op.Cause(request_id=request_id, reason=reason, document=document)
        request = request_type(cause=cause, order_id=order, warehouse=warehouse, lines=quantities(line))
        with connected(server, json=json) as client:
            run(client, request, json)

    command = at_warehouse if by_warehouse else everywhere
    command.__doc__ = help_text
    return command


STEPS = {
    "pay": ("PayOrder", "Record a payment.", False),
    "cancel": ("CancelOrder", "Cancel what has not shipped, paid or not.", False),
    "push": ("PushOrder", "Hand the fulfilment to its warehouses.", True),
    "recall": ("RecallOrder", "Take a fulfilment back from its warehouses.", True),
    "ship": ("ShipOrder", "Record that a parcel has left a warehouse.", True),
    "expect-return": ("ExpectOrderReturn", "Announce a return to a warehouse.", True),
    "cancel-return": ("CancelOrderReturn", "Withdraw an announced return.", True),
}
"""Commands whose requests have the same fields."""


def confirm_picking(
    order: Order,
    warehouse: Annotated[str, typer.Option(help="The warehouse that picked.")],
    picked: Annotated[list[str] | None, typer.Option(help="LINE=UNITS that lie ready.")] = None,
    short: Annotated[list[str] | None, typer.Option(help="LINE=UNITS that cannot be found.")] = None,
    reason: Reason = "",
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Record what a warehouse has picked and what it could not find."""
    found: dict[int, orders.PickedLine] = {}
    for field, given in (("picked", picked), ("short", short)):
        for name, units in named(given, f"--{field}", whole):
            line = found.setdefault(number(name), orders.PickedLine(line=number(name)))
            setattr(line, field, getattr(line, field) + units)
    request = orders.ConfirmPickingRequest(
        cause=op.Cause(request_id=request_id, reason=reason),
        order_id=order,
        warehouse=warehouse,
        lines=list(found.values()),
    )
    with connected(server, json=json) as client:
        answer = client.orders.ConfirmPicking(request)
    show_answer(answer, json=json)


def take_return(
    order: Order,
    warehouse: Annotated[str, typer.Option(help="The warehouse that took the goods.")],
    line: Annotated[list[str], typer.Option(help="LINE=UNITS:sellable|defective|lost; may be repeated.")],
    document: Document = "",
    reason: Reason = "",
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Record that units have come back, and in what condition."""
    lines = []
    for value in line:
        counted, _, disposition = value.partition(":")
        if disposition not in DISPOSITIONS:
            fail(f"{value!r} is not of the form LINE=UNITS:sellable|defective|lost.", Exit.USAGE)
        [(name, units)] = named([counted], "--line", whole)
        lines.append(op.ReturnLine(line=number(name), quantity=units, disposition=DISPOSITIONS[disposition]))
    request = orders.TakeOrderReturnRequest(
        cause=op.Cause(request_id=request_id, reason=reason, document=document),
        order_id=order,
        warehouse=warehouse,
        lines=lines,
    )
    with connected(server, json=json) as client:
        answer = client.orders.TakeOrderReturn(request)
    show_answer(answer, json=json)


def amend(
    order: Order,
    delta: Annotated[
        list[str] | None, typer.Option(help="LINE=UNITS more, or LINE=-UNITS less; may be repeated.")
    ] = None,
    add: Annotated[list[str] | None, typer.Option(help="SKU=QUANTITY: a new line; may be repeated.")] = None,
    version: Annotated[int, typer.Option(help="Only if the order stands at this version.")] = 0,
    reason: Reason = "",
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Edit an order by delta; an increase that cannot be had changes nothing."""
    deltas = [op.LineDelta(line=number(name), delta=units) for name, units in named(delta, "--delta", int)]
    request = orders.AmendOrderRequest(
        cause=op.Cause(request_id=request_id, reason=reason),
        order_id=order,
        expected_version=version,
        deltas=deltas,
        additions=[op.OrderLine(sku=sku, quantity=units) for sku, units in named(add, "--add", whole)],
    )
    with connected(server, json=json) as client:
        answer = client.orders.AmendOrder(request)
    show_answer(answer, json=json)


def move(
    order: Order,
    line: Annotated[str, typer.Option(help="LINE or LINE=QUANTITY.")],
    from_warehouse: Annotated[str, typer.Option("--from", help="The warehouse that gives the promise up.")],
    to_warehouse: Annotated[str, typer.Option("--to", help="The warehouse that takes it over.")],
    reason: Reason = "",
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Re-route units of a line to another warehouse."""
    [part] = quantities([line])
    request = orders.MoveOrderRequest(
        cause=op.Cause(request_id=request_id, reason=reason),
        order_id=order,
        line=part.line,
        from_warehouse=from_warehouse,
        to_warehouse=to_warehouse,
    )
    if part.HasField("quantity"):
        request.quantity = part.quantity
    with connected(server, json=json) as client:
        answer = client.orders.MoveOrder(request)
    show_answer(answer, json=json)


def exchange(
    order: Order,
    warehouse: Annotated[str, typer.Option(help="The warehouse that will take the goods.")],
    line: Annotated[list[str], typer.Option(help="LINE=QUANTITY that comes back; may be repeated.")],
    replacement: Annotated[str, typer.Option(help="The id of the order that goes out instead.")],
    add: Annotated[list[str], typer.Option(help="SKU=QUANTITY that goes out; may be repeated.")],
    region: Region = "",
    latitude: Latitude = None,
    longitude: Longitude = None,
    pickup: Pickup = "",
    document: Document = "",
    reason: Reason = "",
    request_id: RequestId = "",
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Swap shipped units for others, in one step or not at all."""
    request = orders.ExchangeOrderRequest(
        cause=op.Cause(request_id=request_id, reason=reason, document=document),
        order_id=order,
        warehouse=warehouse,
        lines=quantities(line),
        replacement=orders.PlaceOrderRequest(
            order_id=replacement,
            lines=[op.OrderLine(sku=sku, quantity=units) for sku, units in named(add, "--add", whole)],
            destination=destination(region, latitude, longitude, pickup),
        ),
    )
    with connected(server, json=json) as client:
        answer = client.orders.ExchangeOrder(request)
    show_answer(answer, json=json)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("place")(place)
    app.command("extend")(extend)
    for name, (verb, help_text, by_warehouse) in STEPS.items():
        app.command(name)(_step(verb, help_text, by_warehouse=by_warehouse))
    app.command("amend")(amend)
    app.command("move")(move)
    app.command("confirm-picking")(confirm_picking)
    app.command("take-return")(take_return)
    app.command("exchange")(exchange)
