"""Redis: what most flash sales are built on. A Lua script makes each step atomic."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.load import SERVER_CPU, BenchmarkError, Target, on_cpu
from lockstock_server.flash_sale.server_process import free_port

UNITS = 10**12
READY_SECONDS_MAX = 20.0

# Idempotency key, stock check, reservation: the least that is comparable. A deadline is written but nothing
# sweeps it, and there is neither routing nor history, which all favours Redis.
LOCK = """
local known = redis.call('GET', KEYS[1])
if known then return known end
local units = tonumber(ARGV[1])
local available = tonumber(redis.call('HGET', KEYS[2], 'available') or '0')
if available < units then return redis.error_reply('SHORT available ' .. available) end
if redis.call('EXISTS', KEYS[3]) == 1 then return redis.error_reply('EXISTS') end
redis.call('HINCRBY', KEYS[2], 'available', -units)
redis.call('HINCRBY', KEYS[2], 'locked', units)
local now = redis.call('TIME')
redis.call('HSET', KEYS[3], 'state', 'locked', 'units', units, 'deadline', now[1] + 1800)
redis.call('SET', KEYS[1], 'locked', 'EX', 345600)
return 'locked'
"""
DEDUCT = """
local known = redis.call('GET', KEYS[1])
if known then return known end
local held = redis.call('HMGET', KEYS[3], 'state', 'units')
if held[1] ~= 'locked' then return redis.error_reply('STATE') end
redis.call('HINCRBY', KEYS[2], 'locked', -held[2])
redis.call('HINCRBY', KEYS[2], 'allocated', held[2])
redis.call('HSET', KEYS[3], 'state', 'deducted')
redis.call('SET', KEYS[1], 'deducted', 'EX', 345600)
return 'deducted'
"""


@dataclass(frozen=True, slots=True)
class Redis:
    """A server with its log synced before every answer, or without any persistence."""

    name: str
    durable: bool

    @property
    def acknowledgement(self) -> str:
        if self.durable:
            return (
                "The script has run and its writes are synced to the append-only file (`appendfsync always`)."
            )
        return "The script has run in memory; a crash of the process loses everything."

    def missing(self) -> str:
        if shutil.which("redis-server") and shutil.which("redis-cli"):
            return ""
        return "redis-server is not installed (on Debian: apt install redis-server)"

    def version(self) -> str:
        words = _output("redis-server", "--version").split()
        return f"Redis {words[2].removeprefix('v=')}, {' '.join(self._settings()) or 'no persistence'}"

    def _settings(self) -> list[str]:
        if not self.durable:
            return ["--appendonly", "no"]
        return ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"]

    @contextmanager
    def running(self, directory: Path, skus: int) -> Iterator[Target]:
        port = str(free_port())
        command = [
            "redis-server",
            "--port",
            port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(directory),
        ]
        with on_cpu(SERVER_CPU), (directory / "redis.log").open("ab") as log:
            process = subprocess.Popen([*command, *self._settings()], stdout=log, stderr=log)
        try:
            _wait(port, process)
            fill = f"for n = 0, {skus - 1} do redis.call('HSET', string.format('stock:SKU-%07d', n),"
            _output("redis-cli", "-p", port, "EVAL", f"{fill} 'available', {UNITS}) end", "0")
            digests = [
                _output("redis-cli", "-p", port, "SCRIPT", "LOAD", script) for script in (LOCK, DEDUCT)
            ]
            yield Target(f"127.0.0.1:{port}", process.pid, more={"scripts": digests})
        finally:
            process.terminate()
            process.wait()


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _wait(port: str, process: subprocess.Popen[bytes]) -> None:
    gives_up = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < gives_up and process.poll() is None:
        answer = subprocess.run(
            ["redis-cli", "-p", port, "PING"], check=False, capture_output=True, text=True
        )
        if answer.stdout.strip() == "PONG":
            return
    raise BenchmarkError("redis-server did not come up")
