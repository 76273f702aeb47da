"""The tests start programs while their own threads call gRPC."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent import futures
from typing import Any

import grpc

CALLERS = 8
CHILDREN = 300
OWN = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own, as a client in another process has


def test_a_child_that_changes_its_user_lives_while_other_threads_call_grpc() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    echo: Any = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", {"C": echo}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ended = threading.Event()

    def call_on() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=OWN) as channel:
            call: Any = channel.unary_unary("/a.B/C")
            while not ended.is_set():
                call(b"again", wait_for_ready=True)

    with futures.ThreadPoolExecutor(CALLERS) as callers:
        calling = [callers.submit(call_on) for _ in range(CALLERS)]
        try:
            # A change of user, to whom it already is, is what makes subprocess fork.
            codes = {
                subprocess.run(["true"], user=os.getuid(), check=False).returncode for _ in range(CHILDREN)
            }
        finally:
            ended.set()
    server.stop(None).wait()
    assert codes == {0}
    assert [each.result() for each in calling] == [None] * CALLERS
