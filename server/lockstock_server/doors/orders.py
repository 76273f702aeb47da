"""OrderService on this door: steps go to the engine as bytes, reads to the orders.

An order is decoded only to see whether it must be planned first; then the request travels with its plan.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from lockstock.internal.v1 import orders_pb2 as seam
from lockstock.v1 import orders_pb2 as pb

from lockstock_server.doors.raw import MESSAGE_BYTES_MAX, read
from lockstock_server.orders.service import WRONG_STATE
from lockstock_server.orders.states import VERB_NAMES
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    from lockstock_server.doors.calls import Calls, Payload
    from lockstock_server.doors.raw import Unary
    from lockstock_server.orders.planner import Planner
    from lockstock_server.orders.service import Orders

    Step = Callable[[bytes], Awaitable[Payload]]

SERVICE = pb.DESCRIPTOR.services_by_name["OrderService"]
_ABOUT_THE_KEY: Final = frozenset(
    {"REQUEST_ID_REUSED", "REQUEST_ID_INVALID", "REQUEST_ID_AHEAD", "REQUEST_TOO_OLD"}
)
"""Refusals by which the engine judged the request's key, not the request."""


@dataclass(frozen=True, slots=True)
class Planning:
    """A call that may need a plan: where its destination stands, and as what it travels with its plan."""

    request: type[Any]
    path: str
    destination: Callable[[Any], pb.Destination]
    planned: type[Any]
    method: str


_PLANNING: Final = {
    "PlaceOrder": Planning(
        pb.PlaceOrderRequest,
        "destination",
        lambda request: request.destination,
        seam.PlacePlannedRequest,
        "/lockstock.internal.v1.Orders/PlacePlanned",
    ),
    "ExchangeOrder": Planning(
        pb.ExchangeOrderRequest,
        "replacement.destination",
        lambda request: request.replacement.destination,
        seam.ExchangePlannedRequest,
        "/lockstock.internal.v1.Orders/ExchangePlanned",
    ),
}


def unary(calls: Calls, orders: Orders, planner: Planner) -> dict[str, Unary]:
    """Give every method of the service, by its full name."""
    reads: dict[str, Unary] = {
        "GetOrder": partial(_read, pb.GetOrderRequest, orders.get),
        "ListOrders": partial(_read, pb.ListOrdersRequest, orders.page),
    }
    table: dict[str, Unary] = {}
    for method in SERVICE.methods:
        name = f"/{SERVICE.full_name}/{method.name}"
        if method.name in reads:
            table[name] = reads[method.name]
            continue
        step: Step = partial(calls.payload, name)
        if method.name in _PLANNING:
            step = partial(_planned, calls, planner, _PLANNING[method.name], step)
        if method.name in VERB_NAMES:
            step = partial(_step, orders, method.name, getattr(pb, method.input_type.name), step)
        table[name] = step
    return table


async def _read(request: type[Any], method: Callable[[Any], Awaitable[Any]], message: bytes) -> Payload:
    answer = await method(read(request, message))
    return True, answer.SerializeToString(deterministic=True)


async def _step(orders: Orders, verb: str, request: type[Any], step: Step, message: bytes) -> Payload:
    """Have the engine judge a step; where its refusal is one of the order's state, say so instead."""
    granted, payload = await step(message)
    if not granted and _reason(payload) in WRONG_STATE:
        refused = await orders.out_of_state(verb, request.FromString(message).order_id)
        if refused is not None:
            raise refused
    return granted, payload


async def _planned(calls: Calls, planner: Planner, planning: Planning, step: Step, message: bytes) -> Payload:
    """Have an order planned where no installed plan serves it; all others go on as they came."""
    request = _decoded(planning.request, message)
    destination = None if request is None else planning.destination(request)
    if destination is None or not (destination.pickup or destination.HasField("coordinates")):
        return await step(message)
    try:
        plan = planner.plan(destination, planning.path)
    except Refused as refused:
        first = await _first_answer(calls, planning, request)
        if first is None:
            raise refused from None
        return first
    if plan is None:
        return await step(message)
    return await calls.payload(planning.method, _with(planning, request, plan))


async def _first_answer(calls: Calls, planning: Planning, request: Any) -> Payload | None:
    """Ask what a request that cannot be planned (any more) was answered when it came first.

    A retry gets its first answer, whatever has become of the warehouses since. The key is known by the request
    alone; one that is new is refused, for nothing can be taken from a plan without warehouses.
    """
    if not request.cause.request_id:
        return None
    granted, payload = await calls.payload(planning.method, _with(planning, request, seam.Planned()))
    if granted or _reason(payload) in _ABOUT_THE_KEY:
        return granted, payload
    return None


def _reason(status: bytes) -> str:
    return Refused.by(status_pb2.Status.FromString(status)).reason


def _with(planning: Planning, request: Any, plan: seam.Planned) -> bytes:
    message: bytes = planning.planned(asked=request, planned=plan).SerializeToString()
    return message


def _decoded(message: type[Any], request: bytes) -> Any:
    """Decode a request; None where it is too long or cannot be read: the engine has the words for that."""
    try:
        return message.FromString(request) if len(request) <= MESSAGE_BYTES_MAX else None
    except DecodeError:
        return None
