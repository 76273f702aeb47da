"""A server of our own: started as a user would, killed as no user would."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

READY_SECONDS_MAX = 60.0


class ServerProcessError(Exception):
    """The server did not come up; the sentence has its last words."""


PORTS = range(20_000, 32_000)
"""Below those that the system gives to outgoing connections: a server that is started again must find its port free."""


def free_port() -> int:
    """A port of the loopback that nobody uses now. Raises OSError where there is none."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as listener:
            # As servers do: what is left of a closed connection keeps nobody out.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port of the loopback is free")


class ServerProcess:
    """One data directory and two ports, over as many lives as needed."""

    def __init__(
        self,
        directory: Path,
        settings: dict[str, str] | None = None,
        ready_seconds_max: float = READY_SECONDS_MAX,
    ) -> None:
        self.directory = directory
        self.address = f"127.0.0.1:{free_port()}"
        self.fast_lane = f"127.0.0.1:{free_port()}"
        self.log = directory / "server.log"
        self.data_dir = directory / "data"
        self.database_url = f"sqlite:///{directory / 'lockstock.db'}"
        self._settings = settings or {}
        self._ready_seconds_max = ready_seconds_max
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Starts it and waits until both doors serve; the seconds that took."""
        began = time.monotonic()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")},
            "LOCKSTOCK_DATA_DIR": str(self.data_dir),
            "LOCKSTOCK_DATABASE_URL": self.database_url,
            "LOCKSTOCK_ADDRESS": self.address,
            "LOCKSTOCK_FAST_LANE_ADDRESS": self.fast_lane,
            "LOCKSTOCK_METRICS_ADDRESS": "127.0.0.1:0",
            **self._settings,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lockstock_server"], env=environment, stdout=log, stderr=log
            )
        for address in (self.address, self.fast_lane):
            self._wait_serving(address)
        return time.monotonic() - began

    def _wait_serving(self, address: str) -> None:
        deadline = time.monotonic() + self._ready_seconds_max
        with grpc.insecure_channel(address, options=[("grpc.max_reconnect_backoff_ms", 100)]) as channel:
            # The stubs of the types do not know its methods.
            stub: Any = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < deadline:
                if self._process is None or self._process.poll() is not None:
                    break
                try:
                    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True)
                except grpc.RpcError:
                    continue
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
        words = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        raise ServerProcessError("The server did not come up. Its last words: " + " / ".join(words))

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process that was started last."""
        if self._process is None:
            raise ServerProcessError("The server was not started.")
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`: no goodbye, nothing flushed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> int:
        """A graceful stop; the exit code."""
        if self._process is None:
            return 0
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait()
