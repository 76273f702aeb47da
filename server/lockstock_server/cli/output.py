"""What every command shares: the console, JSON, sentences for errors, exit codes."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import grpc
import lockstock
import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from lockstock.v1 import admin_pb2 as admin
from lockstock.v1 import errors_pb2
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
KEPT = 2
"""So many first columns of a table always stand."""
SHORT = {
    "in warehouses outside its plan": "available_elsewhere",
    "in paused warehouses": "available_paused",
    "locked by others": "locked",
    "promised without stock": "claimed",
    "on their way in": "in_transit",
}
"""What is told of a short SKU beside what was asked, and the counter that has it."""

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """What the exit code of a command says. Documented in docs/cli.md."""

    DONE = 0
    NOT_SO = 1
    """It ran, and what it checked is not so: a figure that does not balance, a refused row, damage."""
    USAGE = 2
    """The command was called wrongly, or a file cannot be read."""
    REFUSED = 3
    """The server refused the call."""
    AWAY = 4
    """No server answered."""


def fail(sentence: str, code: Exit) -> NoReturn:
    """Ends the command with a sentence."""
    errors.print(sentence, style="red", markup=False)
    raise typer.Exit(code)


def show_json(value: object) -> None:
    """Prints a value as JSON, one document."""
    json.dump(value, sys.stdout, indent=2, sort_keys=True, default=str)
    sys.stdout.write("\n")


def as_dict(message: Message) -> dict[str, Any]:
    """A message as JSON's types, under the names of the proto."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _tells(rows: Sequence[Mapping[str, object]], name: str) -> bool:
    return any(str(row[name]) not in {"", "0"} for row in rows)


def show_table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Prints rows as a table; their keys are the head. Columns of nothing but zeros are left out."""
    # A column in which nothing stands only takes room from the others.
    shown = [name for at, name in enumerate(rows[0] if rows else ()) if at < KEPT or _tells(rows, name)]
    table = Table(title=title, title_justify="left")
    for name in shown:
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(row[name]) for name in shown))
    console.print(table)


def newest(client: lockstock.Client) -> int:
    """The sequence that a list must have seen, so that it shows whatever was answered before it was asked."""
    return client.admin.GetServerInfo(admin.GetServerInfoRequest()).durable_sequence


@contextmanager
def connected(address: str, *, json: bool) -> Iterator[lockstock.Client]:
    """A client; failures become sentences and exit codes, and with `json` a document besides."""
    if address.endswith(":0"):
        fail(f"{address} is any free port: name the server's own with --server or --fast-lane.", Exit.USAGE)
    try:
        with lockstock.connect(address) as client:
            yield client
    except lockstock.LockstockError as error:
        sentence, code = _told(error, address)
        if json:
            show_json(_refusal(error))
        errors.print(sentence, style="red", markup=False)
        if not json:
            for short in error.shortages:
                errors.print(f"  {_short(short)}", markup=False, soft_wrap=True)
        raise typer.Exit(code) from error


def _told(error: lockstock.LockstockError, address: str) -> tuple[str, Exit]:
    if error.reason:
        return f"{error.reason}: {error.message}", Exit.REFUSED
    if error.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return f"No server answers at {address}. Is it running (`lockstock serve`)?", Exit.AWAY
    return f"{error.code.name}: {error.message}", Exit.REFUSED


def _refusal(error: lockstock.LockstockError) -> dict[str, Any]:
    """What the server said, as JSON's types; an empty reason where only the transport failed."""
    return {
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "metadata": error.metadata,
        "shortages": [as_dict(short) for short in error.shortages],
    }


def _short(short: errors_pb2.ShortSku) -> str:
    """A short SKU in a line: what was asked, and where units are that the order could not have."""
    lines = ", ".join(map(str, short.lines))
    told = {name: getattr(short, field) for name, field in SHORT.items()}
    elsewhere = "".join(f", {units:,} {name}" for name, units in told.items() if units)
    return (
        f"{short.sku} (line {lines}): {short.asked:,} asked, {short.available_here:,} can be had{elsewhere}"
    )
