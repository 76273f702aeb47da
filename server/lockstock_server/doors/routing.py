"""RoutingService on this door: a table of methods over the routing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lockstock.v1 import routing_pb2 as pb

from lockstock_server.doors.raw import read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lockstock_server.doors.calls import Payload
    from lockstock_server.doors.raw import Unary
    from lockstock_server.routing.service import Routing

SERVICE = pb.DESCRIPTOR.services_by_name["RoutingService"]


def unary(routing: Routing) -> dict[str, Unary]:
    """Give every method of the service, by its full name."""
    methods: dict[str, Callable[[Any], Awaitable[Any]]] = {
        "ExplainRoute": routing.explain,
        "TryPolicy": routing.try_policy,
        "GetRoutePlan": routing.plan,
    }
    return {
        f"/{SERVICE.full_name}/{method.name}": partial(
            _serve, getattr(pb, method.input_type.name), methods[method.name]
        )
        for method in SERVICE.methods
    }


async def _serve(request: type[Any], method: Callable[[Any], Awaitable[Any]], message: bytes) -> Payload:
    answer = await method(read(request, message))
    return True, answer.SerializeToString(deterministic=True)
