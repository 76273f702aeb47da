"""How soon a changed warehouse that is on every plan is installed, and what buyers feel of it meanwhile.

    python benchmarks/route_plans.py [--warehouses 1000] [--regions 5000] [--longest]

One process holds the engine, the catalogue and buyers who lock one after the other, as on the Python door. A
CENTRAL warehouse changes its rank, which changes every plan. `--longest` makes every warehouse a CENTRAL one, so
that every plan holds all of them: the most there can be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from dataclasses import dataclass, field
from statistics import quantiles

from lockstock.v1 import catalog_pb2 as pb
from lockstock.v1 import operations_pb2 as op
from lockstock_server import _core
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.imports import ROWS_MAX, Import
from lockstock_server.catalog.kinds import REGION, SKU, WAREHOUSE, Document, Kind
from lockstock_server.catalog.service import Catalog
from lockstock_server.doors.calls import Calls

PROVINCES, CITIES = 30, 300
CENTRAL_RANK = 500
LOCK = "/lockstock.v1.StockService/Lock"


def a_tree(count: int) -> list[pb.Region]:
    """A country, its provinces, their cities, and districts for the rest."""
    rows = [pb.Region(region="cn")]
    for number in range(count - 1):
        draw = random.Random(number)
        place = pb.Coordinates(latitude=draw.uniform(20, 45), longitude=draw.uniform(80, 125))
        if number < PROVINCES:
            rows.append(pb.Region(region=f"p{number:02}", parent="cn", centroid=place))
        elif number < PROVINCES + CITIES:
            rows.append(pb.Region(region=f"c{number:03}", parent=f"p{number % PROVINCES:02}", centroid=place))
        else:
            city = PROVINCES + number % CITIES
            rows.append(pb.Region(region=f"d{number:05}", parent=f"c{city:03}", centroid=place))
    return rows


def warehouses(count: int, regions: list[pb.Region], *, longest: bool) -> list[pb.Warehouse]:
    """Six in ten FRONT, one in a hundred CENTRAL; or all of them CENTRAL."""
    rows = []
    by_tier = {
        pb.TIER_FRONT: [row.region for row in regions if row.region[0] == "d"],
        pb.TIER_LOCAL: [row.region for row in regions if row.region[0] == "d"],
        pb.TIER_CITY: [row.region for row in regions if row.region[:2] != "cn" and row.region[0] == "c"],
        pb.TIER_REGIONAL: [row.region for row in regions if row.region[0] == "p"],
    }
    for number in range(count):
        draw = random.Random(number)
        share = number / count
        tier = next(
            tier
            for tier, upto in zip(pb.Tier.values()[1:], (0.6, 0.85, 0.95, 0.99, 1.0), strict=True)
            if share < upto
        )
        row = pb.Warehouse(warehouse=f"warehouse-{number:04}", tier=pb.TIER_CENTRAL if longest else tier)
        row.location.latitude, row.location.longitude = draw.uniform(20, 45), draw.uniform(80, 125)
        row.rank = CENTRAL_RANK if row.tier == pb.TIER_CENTRAL else draw.randint(0, 3)
        if row.tier != pb.TIER_CENTRAL:
            codes = by_tier[row.tier]
            row.coverage.regions.extend(draw.sample(codes, min(len(codes), draw.randint(2, 12))))
        rows.append(row)
    return rows


@dataclass
class Buyers:
    """Locks, one after the other; what each took, in seconds."""

    calls: Calls
    regions: list[str]
    took: list[float] = field(default_factory=list)
    number: int = 0

    async def buy(self) -> None:
        """Locks until it is cancelled."""
        while True:
            self.number += 1
            request = op.LockRequest(
                reservation_id=f"order-{self.number}",
                lines=[op.OrderLine(sku="sku", quantity=1)],
                region=self.regions[self.number % len(self.regions)],
            )
            began = time.perf_counter()
            await self.calls.call(LOCK, request.SerializeToString())
            self.took.append(time.perf_counter() - began)


async def take_in(catalog: Catalog, kind: Kind, rows: list[Document]) -> None:
    """Imports rows in calls of the largest size."""
    for first in range(0, len(rows), ROWS_MAX):
        await Import(catalog, kind).run(rows[first : first + ROWS_MAX])


def milliseconds(took: list[float]) -> dict[str, float]:
    """The middle, the 99th hundredth and the longest."""
    cuts = quantiles(took, n=100)
    named = {"p50": cuts[49], "p99": cuts[98], "longest": max(took)}
    return {name: round(seconds * 1_000, 2) for name, seconds in named.items()}


async def measure(data_dir: str, asked: argparse.Namespace) -> dict[str, object]:
    """Builds the network, then changes the warehouse with and without buyers."""
    core = _core.Engine.open(json.dumps({"data_dir": data_dir, "disk_floor_bytes": 0}))
    calls = Calls(core)
    catalog = Catalog(Documents(calls.call))
    await catalog.load()
    regions = a_tree(asked.regions)
    rows = warehouses(asked.warehouses, regions, longest=asked.longest)
    await take_in(catalog, REGION, list(regions))
    began = time.perf_counter()
    await take_in(catalog, WAREHOUSE, list(rows))
    built = time.perf_counter() - began
    await catalog.create(SKU, pb.Sku(sku="sku"), "")
    central = rows[-1].warehouse
    opening = [op.StockLine(sku="sku", warehouse=central, quantity=10**9)]
    await calls.call(
        "/lockstock.v1.StockService/OtherReceipt",
        op.OtherReceiptRequest(lines=opening).SerializeToString(),
    )
    codes = [row.region for row in regions]
    lengths = [len(catalog.plans.network.plan(code)) for code in codes]

    buyers = Buyers(calls, codes)
    alone, installs, spent, beside = [], [], [], []
    for rank in range(asked.times):
        buying = asyncio.create_task(buyers.buy())
        await asyncio.sleep(0.5)
        alone += buyers.took
        buyers.took = []
        began, used = time.perf_counter(), time.process_time()
        # First of its tier, then last: every plan is another one.
        changed = pb.Warehouse(warehouse=central, rank=rank % 2 * 2 * CENTRAL_RANK)
        await catalog.update(WAREHOUSE, changed, ["rank"], "")
        installs.append(time.perf_counter() - began)
        spent.append(time.process_time() - used)
        beside += buyers.took
        buyers.took = []
        buying.cancel()
    calls.close()
    core.close()
    return {
        "warehouses": len(rows),
        "regions": len(regions),
        "warehouses_a_plan": round(sum(lengths) / len(lengths), 1),
        "import_of_warehouses_seconds": round(built, 2),
        "change_installed_everywhere_seconds": [round(seconds, 3) for seconds in installs],
        "of_processor_time_buyers_included": [round(seconds, 3) for seconds in spent],
        "lock_ms_meanwhile": milliseconds(beside),
        "lock_ms_without": milliseconds(alone),
        "locks_meanwhile": len(beside),
    }


def main() -> None:
    """Measures and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouses", type=int, default=1_000)
    parser.add_argument("--regions", type=int, default=5_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--longest", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as data_dir:
        print(json.dumps(asyncio.run(measure(data_dir, asked)), indent=2))


main()
