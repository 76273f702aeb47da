"""What the commands for orders have in common: how lines, places and times are written."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as orders

from lockstock_server.cli.output import Exit, as_dict, console, fail, show_json, show_table

Order = Annotated[str, typer.Argument(help="The order's id.")]
Lines = Annotated[
    list[str] | None,
    typer.Option("--line", help="LINE or LINE=QUANTITY; may be repeated. None: everything."),
]
Document = Annotated[str, typer.Option(help="The step's document: a payment's, parcel's or RMA's number.")]
Reason = Annotated[str, typer.Option(help="Why, in your words.")]
Warehouse = Annotated[str, typer.Option(help="Only this warehouse's part.")]
RequestId = Annotated[str, typer.Option(help="The idempotency key; made if left out.")]


def pairs(values: list[str], form: str) -> list[tuple[str, int]]:
    """NAME=UNITS, in the order given; anything else ends the command with a sentence."""
    found = []
    for value in values:
        name, equals, units = value.rpartition("=")
        if not equals or not name or not re.fullmatch(r"[0-9]+", units):
            fail(f"{value!r} is not of the form {form}.", Exit.USAGE)
        found.append((name, int(units)))
    return found


def number(text: str) -> int:
    """A line's number."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        fail(f"{text!r} is no line number.", Exit.USAGE)
    return int(text)


def quantities(lines: list[str] | None) -> list[op.LineQuantity]:
    """LINE or LINE=QUANTITY."""
    parts = []
    for line in lines or []:
        if "=" in line:
            [(name, units)] = pairs([line], "LINE=QUANTITY")
            parts.append(op.LineQuantity(line=number(name), quantity=units))
        else:
            parts.append(op.LineQuantity(line=number(line)))
    return parts


def destination(region: str, at: str, pickup: str) -> orders.Destination:
    """Where an order goes; `at` is LATITUDE,LONGITUDE."""
    place = orders.Destination(region=region, pickup=pickup)
    if at:
        try:
            latitude, longitude = (float(part) for part in at.split(","))
        except ValueError:
            fail(f"{at!r} is not of the form LATITUDE,LONGITUDE.", Exit.USAGE)
        place.coordinates.CopyFrom(catalog.Coordinates(latitude=latitude, longitude=longitude))
    return place


def moment(text: str) -> datetime | None:
    """A time of ISO 8601, in UTC where it does not say; None of nothing."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time of ISO 8601, like 2026-11-28 or 2026-11-28T06:00:00+00:00.", Exit.USAGE)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def show_answer(answer: op.Answer, *, json: bool) -> None:
    """What a step did."""
    if json:
        show_json(as_dict(answer))
        return
    outcome = op.Outcome.Name(answer.outcome).removeprefix("OUTCOME_")
    again = " (answered again)" if answer.replayed else ""
    console.print(f"{answer.owner}: {outcome} at sequence {answer.sequence}{again}", markup=False)
    if answer.HasField("deadline"):
        console.print(f"locked until {answer.deadline.ToJsonString()}", markup=False)
    if answer.movements:
        show_table(
            "moved",
            [
                {
                    "line": moved.line,
                    "movement": moved.kind,
                    "sku": moved.sku,
                    "warehouse": moved.warehouse,
                    "units": f"{moved.quantity:,}",
                }
                for moved in answer.movements
            ],
        )
    for short in answer.exceptions:
        console.print(f"{short.kind}: {short.quantity:,} of {short.sku} at {short.warehouse}", markup=False)
