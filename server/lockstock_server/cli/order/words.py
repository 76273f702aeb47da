"""What the commands for orders have in common: how lines, places and times are written."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from lockstock.v1 import operations_pb2 as op

from lockstock_server.cli.output import Exit, as_dict, console, fail, show_json, show_table
from lockstock_server.cli.written import named, time, whole

Order = Annotated[str, typer.Argument(help="The order's id.")]
Lines = Annotated[
    list[str] | None,
    typer.Option("--line", help="LINE or LINE=QUANTITY; may be repeated. None: everything."),
]
Document = Annotated[str, typer.Option(help="The step's document: a payment's, parcel's or RMA's number.")]
Reason = Annotated[str, typer.Option(help="Why, in your words.")]
Warehouse = Annotated[str, typer.Option(help="Only this warehouse's part.")]
RequestId = Annotated[str, typer.Option(help="The idempotency key; made if left out.")]


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
            [(name, units)] = named([line], "--line", whole)
            parts.append(op.LineQuantity(line=number(name), quantity=units))
        else:
            parts.append(op.LineQuantity(line=number(line)))
    return parts


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
        console.print(f"locked until {time(answer.deadline)}", markup=False)
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
