"""Reading a running server: `stock`, `reservation`."""

from typing import Annotated

import typer
from lockstock.v1 import stock_pb2 as stock

from lockstock_server.cli.doors import UNSET, FastLane
from lockstock_server.cli.output import (
    Json,
    as_dict,
    connected,
    console,
    show_json,
    show_table,
)

SHOWN = (
    "available",
    "locked",
    "allocated",
    "picking",
    "defective",
    "on_hand",
    "in_transit",
    "returning",
    "shipped",
)


def show_stock(
    sku: Annotated[str, typer.Argument(help="The SKU.")],
    warehouse: Annotated[list[str] | None, typer.Option(help="Only this warehouse; may be repeated.")] = None,
    fast_lane: FastLane = UNSET,
    json: Json = False,
) -> None:
    """The counters of a SKU, by warehouse."""
    with connected(fast_lane, json=json) as client:
        answer = client.stock.GetStock(stock.GetStockRequest(sku=sku, warehouses=warehouse or []))
    if json:
        show_json(as_dict(answer))
        return
    levels = [
        {"warehouse": level.warehouse, **{name: f"{getattr(level, name):,}" for name in SHOWN}}
        for level in answer.levels
    ]
    show_table(f"{answer.sku} at sequence {answer.sequence}", levels)
    console.print(f"free {answer.free:,}, claimed {answer.claimed:,}")


def show_reservation(
    reservation: Annotated[str, typer.Argument(help="The reservation's id.")],
    fast_lane: FastLane = UNSET,
    json: Json = False,
) -> None:
    """A reservation, its lines and where their units stand."""
    with connected(fast_lane, json=json) as client:
        answer = client.stock.GetReservation(stock.GetReservationRequest(reservation_id=reservation))
    if json:
        show_json(as_dict(answer))
        return
    state = stock.ReservationState.Name(answer.state).removeprefix("RESERVATION_STATE_")
    console.print(f"{answer.reservation_id}: {state}, version {answer.version}", markup=False)
    if answer.HasField("deadline"):
        console.print(f"locked until {answer.deadline.ToJsonString()}", markup=False)
    counters = ("requested", "locked", "deducted", "unlocked", "expired", "cancelled", "claimed", "returned")
    show_table(
        "lines",
        [
            {
                "line": line.line,
                "sku": line.sku,
                **{name: f"{getattr(line, name):,}" for name in counters},
                "at": ", ".join(
                    f"{at.warehouse} {at.locked + at.allocated + at.picking + at.shipped:,}"
                    for at in line.allocations
                ),
            }
            for line in answer.lines
        ],
    )


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("stock")(show_stock)
    app.command("reservation")(show_reservation)
