"""StockService on this door: bytes to the engine and back, nothing is decoded here."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import grpc
from google.rpc import status_pb2
from lockstock.v1 import operations_pb2, stock_pb2

from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from lockstock_server.doors.calls import Calls, Payload
    from lockstock_server.doors.intake import Intake
    from lockstock_server.doors.raw import Context, Stream, Unary

SERVICE = stock_pb2.DESCRIPTOR.services_by_name["StockService"]
END: object = grpc.aio.EOF
WINDOW = 1_024
"""Commands of one stream in flight; the next is read when the first of them is answered."""


def unary(calls: Calls) -> dict[str, Unary]:
    """Give every unary method of the service, by its full name."""
    names = [
        f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods if not method.client_streaming
    ]
    return {name: partial(calls.submit, name) for name in names}


def streams(calls: Calls, intake: Intake) -> dict[str, Stream]:
    """Give every stream of the service, by its full name."""
    names = [f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods if method.client_streaming]
    return {name: partial(_execute, calls, intake, name) for name in names}


async def _execute(calls: Calls, intake: Intake, method: str, context: Context) -> None:
    """Run a stream of commands: submitted as they come, answered in the same order.

    When the door closes, what was submitted is answered and the stream ends. Raises Refused.
    """
    answers: asyncio.Queue[asyncio.Future[Payload] | Exception | None] = asyncio.Queue(WINDOW)

    async def submit() -> None:
        try:
            while (command := await context.read()) is not END:
                await answers.put(calls.submit(method, command))
        except Exception as error:  # noqa: BLE001 - told to the writer, who raises it
            await answers.put(error)
        else:
            await answers.put(None)

    async def end() -> None:
        await intake.closed.wait()
        # Behind everything that was submitted before.
        await answers.put(Refused("DRAINING"))

    reading = asyncio.ensure_future(submit())
    ending = asyncio.ensure_future(end())
    try:
        while (answer := await answers.get()) is not None:
            if isinstance(answer, Exception):
                raise answer
            granted, payload = await answer
            await context.write(payload if granted else _result(payload))
    finally:
        reading.cancel()
        ending.cancel()


def _result(status: bytes) -> bytes:
    """Make a command that could not even be read one refused result: it ends no stream."""
    return operations_pb2.Result(status=status_pb2.Status.FromString(status)).SerializeToString()
