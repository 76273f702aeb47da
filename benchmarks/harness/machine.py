"""The machine under the figures, and whether anybody else is at work on it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from harness.load import LOAD_CPU, SERVER_CPU, BenchmarkError

IDLE_SAMPLE_SECONDS = 3.0
BUSY_MAX = 0.05
"""A machine that does more than this by itself is not idle: no figure of it stands on a page."""
IN_MEMORY = {"tmpfs", "ramfs"}
IDLE = slice(3, 5)
"""Among the ticks: nothing to do, and waiting for the disk."""
STOLEN = 7
"""Among the ticks: there was something to do, and the host gave no processor."""


def describe(directory: Path) -> dict[str, str]:
    """What a reader must know to compare."""
    model = _field(Path("/proc/cpuinfo"), "model name")
    kind, place = file_system(directory)
    memory = int(_field(Path("/proc/meminfo"), "MemTotal").split()[0]) / (1 << 20)
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": f"{kind} at {place}",
        "python": platform.python_version(),
        "cores": f"server on core {SERVER_CPU}, load on core {LOAD_CPU}",
    }


def check(directory: Path) -> None:
    """Refuses a machine on which nothing would mean what the page says."""
    if not {SERVER_CPU, LOAD_CPU} <= os.sched_getaffinity(0):
        raise BenchmarkError(
            f"The benchmark needs the cores {SERVER_CPU} and {LOAD_CPU}: one for the server, one for the load."
        )
    kind, place = file_system(directory)
    if kind in IN_MEMORY:
        raise BenchmarkError(f"{place} is a {kind}, where a sync costs nothing: name a directory on a disk.")


def busy(seconds: float = IDLE_SAMPLE_SECONDS) -> float:
    """The share of all cores that others use now, ourselves at rest."""
    before = ticks()
    time.sleep(seconds)
    spent = _since(before)
    return 1 - sum(spent[IDLE]) / sum(spent) if sum(spent) else 0.0


def taken_by_the_host(before: list[int]) -> float:
    """The share of all cores' time since `before` (`ticks`) in which the host let them stand still."""
    spent = _since(before)
    return spent[STOLEN] / sum(spent) if sum(spent) else 0.0


def free_memory() -> int:
    """Bytes that can be had without taking them from somebody."""
    return int(_field(Path("/proc/meminfo"), "MemAvailable").split()[0]) << 10


def stalled_for_memory() -> float:
    """Seconds since the machine's start in which something waited until memory was free; 0 where it does not say."""
    pressure = Path("/proc/pressure/memory")
    if not pressure.exists():
        return 0.0
    return int(pressure.read_text().partition("total=")[2].split()[0]) / 1e6


def file_system(directory: Path) -> tuple[str, str]:
    """Its kind, and where it is mounted."""
    place = directory.resolve()
    mounts = dict(line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines())
    while str(place) not in mounts and place != place.parent:
        place = place.parent
    return mounts.get(str(place), "unknown"), str(place)


def _field(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return "unknown"


def _since(before: list[int]) -> list[int]:
    return [now - then for now, then in zip(ticks(), before, strict=True)]


def ticks() -> list[int]:
    """Of all cores, by what they were spent on: see `IDLE` and `STOLEN`."""
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
