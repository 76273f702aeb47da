"""The catalogue at size: CSV files of a large shop through `lockstock import`, and what they cost.

`python benchmarks/catalogue.py` makes the files, starts a server in a directory of its own, imports them by the
command, once more (nothing changes) and as a preview, restarts the server, and prints seconds, rows a second, CPU,
memory and bytes, as a table and, with `--json FILE`, as JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lockstock
from lockstock.v1 import admin_pb2
from lockstock_server import _core
from lockstock_server.flash_sale.server_process import ServerProcess

SKUS, WAREHOUSES, REGIONS = 1_000_000, 1_000, 5_000
CATEGORIES = 300
LEVELS = (1, 30, 400)
"""Regions of the first three levels, at most; the rest are districts."""
TIERS = {"CENTRAL": 0.01, "REGIONAL": 0.05, "CITY": 0.2, "LOCAL": 0.3, "FRONT": 1.0}
"""The share of the warehouses in each tier; FRONT takes the rest."""
TICKS = os.sysconf("SC_CLK_TCK")
MEBIBYTE = 1 << 20
CAUGHT_UP_SECONDS_MAX = 3_600
READY_SECONDS_MAX = 900.0
"""A start that replays millions of records, on a machine that has other work too."""


@dataclass(frozen=True)
class Shop:
    """How large the shop is."""

    skus: int
    warehouses: int
    regions: int
    stock: int

    def region_levels(self) -> list[list[str]]:
        """The ids of the regions, level by level; each id begins with its parent's."""
        left = self.regions
        levels: list[list[str]] = []
        for bound in (*LEVELS, self.regions):
            count = min(bound, left)
            above = levels[-1] if levels else [""]
            prefix = [above[n % len(above)] for n in range(count)]
            levels.append([f"{up}-{n:04}" if up else f"C{n}" for n, up in enumerate(prefix)])
            left -= count
        return levels

    def region_rows(self) -> Iterator[tuple[object, ...]]:
        for level, ids in enumerate(self.region_levels()):
            for n, region in enumerate(ids):
                parent = region.rpartition("-")[0]
                yield region, f"Region {n} of level {level}", parent, *point(n * 7 + level)

    def warehouse_rows(self) -> Iterator[tuple[object, ...]]:
        _, provinces, cities, districts = self.region_levels()
        covers = {
            "CENTRAL": [],
            "REGIONAL": provinces,
            "CITY": cities,
            "LOCAL": districts,
            "FRONT": districts,
        }
        left = self.warehouses
        for tier, share in TIERS.items():
            count = min(left, max(1, round(self.warehouses * share)))
            left -= count
            for n in range(count):
                regions = covers[tier]
                region = regions[n % len(regions)] if regions else ""
                radius = 5 if tier == "FRONT" else 0
                category = f"category-{n % CATEGORIES:03}" if tier == "FRONT" else ""
                yield f"{tier}-{n:04}", f"{tier} {n}", tier, n % 10, region, radius, category, *point(n * 11)

    def sku_rows(self) -> Iterator[tuple[object, ...]]:
        for n in range(self.skus):
            yield f"SKU-{n:07}", f"A good of the shop, number {n}", f"category-{n % CATEGORIES:03}", ""

    def stock_rows(self) -> Iterator[tuple[object, ...]]:
        ids = [str(row[0]) for row in self.warehouse_rows()]
        for n in range(self.stock):
            yield f"SKU-{n % self.skus:07}", ids[(n + n // self.skus) % len(ids)], 1 + n % 100


def point(n: int) -> tuple[str, str]:
    """A point somewhere."""
    return f"{20 + n * 0.618 % 25:.4f}", f"{90 + n * 0.414 % 35:.4f}"


def write(path: Path, head: str, rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head.split(","))
        writer.writerows(rows)


def make_files(directory: Path, shop: Shop) -> dict[str, Path]:
    """The files, by their option of the command."""
    tables: dict[str, tuple[str, Iterable[tuple[object, ...]]]] = {
        "regions": ("region,title,parent,latitude,longitude", shop.region_rows()),
        "warehouses": (
            "warehouse,title,tier,rank,regions,radius_km,categories,latitude,longitude",
            shop.warehouse_rows(),
        ),
        "channels": ("channel,kind", [("WEB", "OWN"), ("MARKET", "THIRD_PARTY")]),
        "skus": ("sku,title,category,deduction_policy", shop.sku_rows()),
        "stock": ("sku,warehouse,quantity", shop.stock_rows()),
    }
    files = {}
    for name, (head, rows) in tables.items():
        files[name] = directory / f"{name}.csv"
        write(files[name], head, rows)
    return files


@dataclass
class Step:
    """One run of the command."""

    what: str
    rows: int
    seconds: float
    client_cpu_seconds: float
    client_rss_mib: float
    server_cpu_seconds: float
    server_rss_mib: float
    counts: dict[str, int]

    @property
    def rows_a_second(self) -> float:
        return self.rows / self.seconds


@dataclass
class Result:
    """Everything that was measured."""

    machine: str
    shop: Shop
    steps: list[Step] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """A line of a process's memory status."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(what)


def bytes_below(path: Path) -> float:
    """The mebibytes that the files of a directory take on disk."""
    return sum(it.stat().st_blocks * 512 for it in path.rglob("*") if it.is_file()) / MEBIBYTE


def run(server: ServerProcess, what: str, rows: int, arguments: list[str]) -> Step:
    """One import by the command, as a user would."""
    command = [sys.executable, "-m", "lockstock_server.cli", "import", "--server", server.address, "--json"]
    before = cpu_seconds(server.pid)
    began = time.monotonic()
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        report = process.stdout.read()
        # wait4 tells what this one child took; the count of all children would mix the steps.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"{what}: exit code {process.returncode}\n{report.decode()[:2_000]}")
    return Step(
        what,
        rows,
        seconds,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
        cpu_seconds(server.pid) - before,
        memory_mib(server.pid),
        json.loads(report)["counts"],
    )


def wait_for_database(server: ServerProcess) -> float:
    """Seconds until the database has everything."""
    began = time.monotonic()
    with lockstock.connect(server.address) as client:
        while time.monotonic() - began < CAUGHT_UP_SECONDS_MAX:
            info = client.admin.GetServerInfo(admin_pb2.GetServerInfoRequest())
            if info.projection.sequence >= info.durable_sequence:
                return time.monotonic() - began
            time.sleep(0.2)
    raise SystemExit("the database does not catch up")


def measure(shop: Shop, directory: Path) -> Result:
    """Makes the files, imports them, restarts the server."""
    result = Result(machine(), shop)
    files = make_files(directory, shop)
    options = {name: [f"--{name}", str(path)] for name, path in files.items()}
    rows = {"regions": shop.regions, "warehouses": shop.warehouses, "channels": 2, "skus": shop.skus}
    rows["stock"] = shop.stock
    every = [word for option in options.values() for word in option]
    total = sum(rows.values())
    server = ServerProcess(directory, ready_seconds_max=READY_SECONDS_MAX)
    facts = result.facts
    facts["start, empty: seconds"] = server.start()
    facts["server memory, empty: MiB"] = memory_mib(server.pid)
    try:
        result.steps.append(run(server, "preview of all", total, ["--preview", *every]))
        result.steps += [run(server, name, rows[name], option) for name, option in options.items()]
        result.steps.append(run(server, "all again", total, every))
        facts["database behind by then: seconds"] = wait_for_database(server)
        facts["server memory, imported: MiB"] = memory_mib(server.pid)
        facts["server memory, highest: MiB"] = memory_mib(server.pid, "VmHWM")
        server.kill()
        facts["start after kill -9: seconds"] = server.start()
        facts["server memory, after kill -9: MiB"] = memory_mib(server.pid)
        with lockstock.connect(server.address) as client:
            began = time.monotonic()
            client.admin.TakeSnapshot(admin_pb2.TakeSnapshotRequest())
            facts["snapshot: seconds"] = time.monotonic() - began
        facts["journal: MiB"] = bytes_below(server.data_dir / "journal")
        facts["snapshots: MiB"] = bytes_below(server.data_dir / "snapshots")
        facts["database: MiB"] = (directory / "lockstock.db").stat().st_size / MEBIBYTE
        server.stop()
        facts["start from a snapshot: seconds"] = server.start()
        facts["server memory, from a snapshot: MiB"] = memory_mib(server.pid)
    finally:
        server.kill()
    return result


def machine() -> str:
    """What it ran on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, {_core.BUILD_PROFILE} build"


def show(result: Result) -> None:
    """Prints the tables."""
    print(result.machine)
    print(f"{'import of':<16}{'rows':>11}{'seconds':>9}{'rows/s':>9}", end="")
    print(f"{'client CPU':>12}{'client MiB':>12}{'server CPU':>12}{'server MiB':>12}")
    for it in result.steps:
        print(f"{it.what:<16}{it.rows:>11,}{it.seconds:>9.1f}{it.rows_a_second:>9,.0f}", end="")
        print(f"{it.client_cpu_seconds:>12.1f}{it.client_rss_mib:>12,.0f}", end="")
        print(f"{it.server_cpu_seconds:>12.1f}{it.server_rss_mib:>12,.0f}")
    for name, value in result.facts.items():
        print(f"{name:<44}{value:>12,.1f}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skus", type=int, default=SKUS)
    parser.add_argument("--warehouses", type=int, default=WAREHOUSES)
    parser.add_argument("--regions", type=int, default=REGIONS)
    parser.add_argument("--stock", type=int, help="rows of opening stock; as many as SKUs if not given")
    parser.add_argument(
        "--directory", type=Path, help="where files and data go; a temporary one if not given"
    )
    parser.add_argument("--json", type=Path, help="a file for the figures")
    given = parser.parse_args()
    if _core.BUILD_PROFILE == "debug":
        raise SystemExit("The extension is a debug build: measure a release build (`make build`).")
    stock = given.skus if given.stock is None else given.stock
    shop = Shop(given.skus, given.warehouses, given.regions, stock)
    with TemporaryDirectory(prefix="lockstock-catalogue-") as temporary:
        directory = given.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        result = measure(shop, directory)
    show(result)
    if given.json:
        figures: dict[str, Any] = asdict(result)
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
