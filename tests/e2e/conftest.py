"""A real server in a process of its own, on free ports: started as a user starts it, waited for by condition."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import lockstock
import pytest

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60

LOCAL = {"ADDRESS": "127.0.0.1:0", "FAST_LANE_ADDRESS": "127.0.0.1:0", "METRICS_ADDRESS": "127.0.0.1:0"}


@dataclass
class Server:
    """One server over one data directory; it may be started again after it ended."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    lines: list[str] = field(default_factory=list)
    _serving: dict[str, Any] = field(default_factory=dict)
    _ended: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _reader: threading.Thread | None = None

    def start(self) -> Server:
        """Starts it and waits until its log says that it serves."""
        self.spawn()
        with self._changed:
            ended = self._changed.wait_for(lambda: self._serving or self._ended, START_SECONDS_MAX)
        assert ended, "the server neither serves nor ended:\n" + "".join(self.lines)
        assert self._serving, "the server ended:\n" + "".join(self.lines)
        return self

    def spawn(self) -> subprocess.Popen[str]:
        """Starts it and waits for nothing."""
        self.lines.clear()
        self._serving = {}
        self._ended = False
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTOCK_")}
        chosen = {**LOCAL, "DATA_DIR": str(self.data_dir), **self.settings}
        environment |= {f"LOCKSTOCK_{name}": value for name, value in chosen.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lockstock_server"], env=environment, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        return self.process

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._changed:
                self.lines.append(line)
                if '"event": "serving"' in line:
                    self._serving = json.loads(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def address(self) -> str:
        return str(self._serving["address"])

    @property
    def fast_lane(self) -> str:
        return str(self._serving["fast_lane_address"])

    def get(self, path: str) -> tuple[int, str]:
        """Asks the metrics endpoint: status and body."""
        url = f"http://{self._serving['metrics_address']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def events(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        with self._changed:
            return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_for_event(self, name: str) -> None:
        """Waits until it has logged an event."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: any(f'"event": "{name}"' in line for line in self.lines), STOP_SECONDS_MAX
            )
        assert found, name

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Waits for its end; the exit code."""
        assert self.process is not None
        assert self._reader is not None
        code = self.process.wait(STOP_SECONDS_MAX)
        self._reader.join(STOP_SECONDS_MAX)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def stop(self) -> int:
        self.terminate()
        return self.wait()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.wait()

    def client(self) -> lockstock.Client:
        return lockstock.connect(self.address)


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers over data directories below the test's own; kills what still runs at the end."""
    started: list[Server] = []

    def begin(name: str = "data", **settings: str) -> Server:
        server = Server(tmp_path / name, settings)
        started.append(server)
        return server.start()

    yield begin
    for server in started:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of a module: each makes ids of its own."""
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def client(server: Server) -> Iterator[lockstock.Client]:
    with server.client() as client:
        yield client
