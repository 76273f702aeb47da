"""A grpc.aio server that sends every message back: bytes in, bytes out. Prints its address, serves until killed."""

from __future__ import annotations

import asyncio
import sys

import grpc


async def echo(request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    """What came."""
    return request


class Everything(grpc.GenericRpcHandler):
    """Every method."""

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The same for all."""
        return grpc.unary_unary_rpc_method_handler(echo)


async def main(address: str) -> None:
    """Serves until killed."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Everything(),))
    port = server.add_insecure_port(address)
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


asyncio.run(main(sys.argv[1]))
