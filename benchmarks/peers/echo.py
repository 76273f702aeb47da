"""The bare echoes: a gRPC server that does nothing but send the message back, in Rust and in Python.

What ours costs above its echo is what the stock, the journal and the sync cost; what the echo costs nobody who
speaks gRPC gets around.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from harness.load import PROGRAM, SERVER_CPU, BenchmarkError, Target, on_cpu

AIO_SERVER = Path(__file__).with_name("aio_echo_server.py")


@dataclass(frozen=True, slots=True)
class Echo:
    """`tonic` (one thread, no router, as our fast lane) or `grpc.aio` (bytes in, bytes out, as our Python door)."""

    name: str

    @property
    def acknowledgement(self) -> str:
        return "Nothing: the bytes of the request are sent back."

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        if self.name == "grpc.aio echo":
            return f"grpcio {metadata.version('grpcio')} on asyncio, Python {sys.version.split()[0]}"
        lock = (PROGRAM.parents[2] / "Cargo.lock").read_text()
        version = lock.partition('name = "tonic"\nversion = "')[2].partition('"')[0]
        return f"tonic {version} on one thread of tokio"

    @contextmanager
    def running(self, directory: Path, skus: int) -> Iterator[Target]:
        command = (
            [sys.executable, str(AIO_SERVER)] if self.name == "grpc.aio echo" else [str(PROGRAM), "echo"]
        )
        with on_cpu(SERVER_CPU), (directory / f"echo-{skus}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            if not address:
                raise BenchmarkError(f"The {self.name} did not come up")
            yield Target(address, process.pid, more={"echo": True})
        finally:
            process.terminate()
            process.wait()
