"""Who may call what: one hook in front of every method of both doors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import grpc

from lockstock_server.doors.status import abort
from lockstock_server.refusals import Refused

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]

Caller = Mapping[str, str | bytes]
"""What a caller says of itself: the metadata of the call."""

Authorize = Callable[[Caller, str], bool]
"""Whether a caller may call a method, by its full name."""


def everybody(_caller: Caller, _method: str) -> bool:
    """Let everybody call everything: the default, for a server in a network of its own."""
    return True


class Authorizing(grpc.aio.ServerInterceptor):
    """Asks the hook before a call is decoded; PERMISSION_DENIED where it says no.

    The fast lane asks the same hook in Rust.
    """

    def __init__(self, authorize: Authorize, serialised: Callable[[Refused], bytes]) -> None:
        self._authorize = authorize
        self._serialised = serialised

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Find the handler of a call, ours where it is not allowed."""
        caller = dict(handler_call_details.invocation_metadata or ())
        if self._authorize(caller, handler_call_details.method):
            return await continuation(handler_call_details)
        payload = self._serialised(Refused("PERMISSION_DENIED", method=handler_call_details.method))

        async def refuse(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            await abort(context, payload)
            return payload

        return grpc.unary_unary_rpc_method_handler(refuse)
