"""Orders as they stand: `order show`, `order list`."""

from typing import Annotated

import typer
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as orders

from lockstock_server.cli.doors import UNSET, Server
from lockstock_server.cli.order.words import Order, moment
from lockstock_server.cli.output import (
    Exit,
    Json,
    as_dict,
    connected,
    console,
    fail,
    newest,
    show_json,
    show_table,
)
from lockstock_server.cli.written import time

COUNTERS = (
    "requested",
    "wanted",
    "locked",
    "deducted",
    "unlocked",
    "expired",
    "cancelled",
    "claimed",
    "returned",
)


def state_of(order: orders.Order) -> str:
    """A state without its prefix."""
    return orders.OrderState.Name(order.state).removeprefix("ORDER_STATE_")


def goes_to(place_: orders.Destination) -> str:
    """A destination in words."""
    if place_.pickup:
        return f"pickup at {place_.pickup}"
    if place_.HasField("coordinates"):
        return f"{place_.region} ({place_.coordinates.latitude:g}, {place_.coordinates.longitude:g})"
    return place_.region


def show(
    order: Order,
    basic: Annotated[bool, typer.Option(help="Without its history (needs no database).")] = False,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """Show an order: its lines, where they stand, and every step of it."""
    view = orders.ORDER_VIEW_BASIC if basic else orders.ORDER_VIEW_FULL
    with connected(server, json=json) as client:
        found = client.orders.GetOrder(orders.GetOrderRequest(order_id=order, view=view))
    if json:
        show_json(as_dict(found))
        return
    where = goes_to(found.destination)
    console.print(
        f"{found.order_id}: {state_of(found)}, version {found.version}" + (f", to {where}" if where else ""),
        markup=False,
    )
    if found.HasField("deadline"):
        console.print(f"locked until {time(found.deadline)}", markup=False)
    show_table(
        "lines",
        [
            {
                "line": line.line,
                "sku": line.sku,
                **{name: f"{getattr(line, name):,}" for name in COUNTERS},
                "at": ", ".join(
                    f"{at.warehouse} {at.locked + at.allocated + at.picking + at.shipped:,}"
                    for at in line.allocations
                ),
            }
            for line in found.lines
        ],
    )
    if found.steps:
        show_table(
            "steps",
            [
                {
                    "sequence": step.sequence,
                    "step": step.operation,
                    "outcome": op.Outcome.Name(step.outcome).removeprefix("OUTCOME_"),
                    "document": step.document,
                    "reason": step.reason,
                    "moved": ", ".join(
                        f"{moved.kind} {moved.quantity:,} {moved.sku}"
                        + (f" at {moved.warehouse}" if moved.warehouse else "")
                        for moved in step.movements
                    ),
                }
                for step in found.steps
            ],
        )


def list_(
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    channel: Annotated[str, typer.Option(help="Sold in this channel.")] = "",
    buyer: Annotated[str, typer.Option(help="Bought by this buyer.")] = "",
    sku: Annotated[str, typer.Option(help="With a line of this SKU.")] = "",
    warehouse: Annotated[str, typer.Option(help="With units at this warehouse.")] = "",
    region: Annotated[str, typer.Option(help="Going to this region.")] = "",
    since: Annotated[str, typer.Option(help="Placed at or after this time (ISO 8601, UTC by default).")] = "",
    before: Annotated[str, typer.Option(help="Placed before this time.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1_000)] = 50,
    server: Server = UNSET,
    json: Json = False,
) -> None:
    """List orders, the newest first."""
    states = []
    for name in state or []:
        try:
            states.append(orders.OrderState.Value(f"ORDER_STATE_{name.upper().replace('-', '_')}"))
        except ValueError:
            known = ", ".join(known.removeprefix("ORDER_STATE_") for known in orders.OrderState.keys()[1:])
            fail(f"There is no state {name}; there are {known}.", Exit.USAGE)
    request = orders.ListOrdersRequest(
        page_size=limit,
        states=states,
        channel=channel,
        buyer=buyer,
        sku=sku,
        warehouse=warehouse,
        region=region,
    )
    for field, when in (("created_from", moment(since)), ("created_before", moment(before))):
        if when is not None:
            getattr(request, field).FromDatetime(when)
    with connected(server, json=json) as client:
        request.min_sequence = newest(client)
        answer = client.orders.ListOrders(request)
    if json:
        show_json(as_dict(answer))
        return
    show_table(
        f"orders as of sequence {answer.as_of_sequence}",
        [
            {
                "order": found.order_id,
                "state": state_of(found),
                "placed": time(found.created_at),
                "to": goes_to(found.destination),
                "channel": found.channel,
                "lines": len(found.lines),
                "units": f"{sum(line.requested + line.wanted for line in found.lines):,}",
            }
            for found in answer.orders
        ],
    )
    if answer.next_page_token:
        console.print(f"There are more: these are the newest {len(answer.orders):,}.")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("show")(show)
    app.command("list")(list_)
