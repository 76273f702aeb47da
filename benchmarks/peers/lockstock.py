"""Ours: the server as `lockstock serve` starts it, on a data directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import lockstock
from harness.load import SERVER_CPU, BenchmarkError, Shape, Target, load, on_cpu
from lockstock.v1 import admin_pb2 as admin
from lockstock.v1 import catalog_pb2 as catalog
from lockstock_server import _core
from lockstock_server.flash_sale.server_process import ServerProcess

AWAY = "postgresql+psycopg://nobody@127.0.0.1:1/away"
"""A database that nobody serves: the server sells without it, and the projection costs nothing."""
QUANTITY = 1_000_000_000
ROWS_A_COMMAND = 500


class Server(ServerProcess):
    """One that says which process it is."""

    @property
    def pid(self) -> int:
        if self._process is None:
            raise BenchmarkError("The server has not been started.")
        return self._process.pid


@dataclass(frozen=True, slots=True)
class Lockstock:
    """One server, by the door that is loaded and the settings that differ from the defaults."""

    name: str
    door: str = "fast lane"
    settings: dict[str, str] = field(default_factory=dict)
    projection: str = "away"
    """`away`, `sqlite`, or the URL of a database."""
    warehouses: int = 1
    stocked: str = "last"
    """Which warehouses have units: the `last` of the plan, or `all`. Every row exists in either case."""

    @property
    def acknowledgement(self) -> str:
        if self.settings.get("LOCKSTOCK_DURABILITY") == "async":
            return "Applied in memory and handed to the journal; a crash of the machine may lose it."
        return "Applied, journalled and synced to disk (fdatasync); the idempotency key is kept 96 hours."

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        settings = " ".join(f"{name}={value}" for name, value in self.settings.items())
        projection = {"away": "the projection's database away"}.get(self.projection, self.projection)
        return f"Lockstock, {_core.BUILD_PROFILE} build, {self.door}, {projection} {settings}".strip()

    @contextmanager
    def running(self, directory: Path, skus: int) -> Iterator[Target]:
        with self.served(directory, skus) as (_, target):
            yield target

    @contextmanager
    def served(self, directory: Path, skus: int) -> Iterator[tuple[Server, Target]]:
        """The same, with the process in hand, to be killed or asked."""
        if _core.BUILD_PROFILE == "debug":
            raise BenchmarkError("The extension is a debug build: measure a release build (`make build`).")
        server = Server(directory, self._environment())
        try:
            with on_cpu(SERVER_CPU):
                server.start()
            stock_up(server, skus, self.warehouses, self.stocked)
            yield server, self.target(server)
        finally:
            server.stop()

    def target(self, server: Server) -> Target:
        """Where to load a server that has been started, or started again."""
        if info(server).build_profile == "debug":
            raise BenchmarkError("The server is a debug build: measure a release build (`make build`).")
        return Target(server.fast_lane if self.door == "fast lane" else server.address, server.pid)

    def _environment(self) -> dict[str, str]:
        database = {"away": {"LOCKSTOCK_DATABASE_URL": AWAY}, "sqlite": {}}
        return {
            "LOCKSTOCK_LOG_LEVEL": "error",
            **database.get(self.projection, {"LOCKSTOCK_DATABASE_URL": self.projection}),
            **self.settings,
        }


def info(server: Server) -> admin.GetServerInfoResponse:
    """How a server stands."""
    with lockstock.connect(server.address) as shop:
        answer: admin.GetServerInfoResponse = shop.admin.GetServerInfo(admin.GetServerInfoRequest())
    return answer


def stock_up(server: Server, skus: int, warehouses: int, stocked: str) -> None:
    """A region, warehouses planned in the order of their numbers, SKUs, and a row for each pair."""
    names = [f"WH-{number:05}" for number in range(warehouses)]
    with lockstock.connect(server.address) as shop:
        shop.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region="CN")))
        for rank, name in enumerate(names):
            warehouse = catalog.Warehouse(warehouse=name, tier=catalog.TIER_CENTRAL, rank=rank)
            shop.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=warehouse))
        for first in range(0, skus, 8_000):
            rows = [catalog.Sku(sku=f"SKU-{number:07}") for number in range(first, min(skus, first + 8_000))]
            shop.catalog.ImportSkus(catalog.ImportSkusRequest(skus=rows))
    target = Target(server.fast_lane, server.pid)
    if stocked == "last" and warehouses > 1:
        # In and out again: the row is there and empty, as it is where a shop has sold out.
        _move(target, ("receive", "issue"), skus, 0, warehouses - 1, 1)
    first = 0 if stocked == "all" else warehouses - 1
    _move(target, ("receive",), skus, first, warehouses - first, QUANTITY)


def _move(
    target: Target, work: tuple[str, ...], skus: int, first: int, warehouses: int, quantity: int
) -> None:
    rows = skus * warehouses
    lines = min(ROWS_A_COMMAND, rows)
    commands = -(-rows // lines)
    shape = Shape("batch", batch=min(20, commands), work=work, lines=lines, skus=skus)
    load(
        target,
        shape,
        commands=commands,
        warehouse_first=first,
        warehouses=warehouses,
        quantity=quantity,
    )
