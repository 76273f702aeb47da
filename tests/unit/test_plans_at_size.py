"""Plans at size: a changed warehouse is moved within the plans it touches, and installed in small changes."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from fake_documents import FakeDocuments
from hypothesis import given, settings
from hypothesis import strategies as st
from lockstock.v1 import catalog_pb2 as pb
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.imports import Import
from lockstock_server.catalog.kinds import REGION, WAREHOUSE
from lockstock_server.catalog.plans import PLANS_BYTES
from lockstock_server.catalog.service import Catalog
from lockstock_server.routing.distance import Point
from lockstock_server.routing.network import Network, Place, Site
from test_routing import obvious_plan

CODES = ["cn", "cn-sh", "cn-sh-1", "cn-bj", "de", "de-be"]
PARENTS = {"cn": "", "cn-sh": "cn", "cn-sh-1": "cn-sh", "cn-bj": "cn", "de": "", "de-be": "de"}


def a_site(draw: random.Random, warehouse: str) -> Site:
    return Site(
        warehouse,
        tier=draw.randint(1, 5),
        rank=draw.randint(0, 2),
        regions=frozenset(draw.sample(CODES, draw.randint(0, 3))),
        everywhere=draw.random() < 0.5,
        location=Point(draw.uniform(-60, 60), draw.uniform(-180, 180)) if draw.random() < 0.8 else None,
        closed=draw.random() < 0.1,
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 13), min_size=1, max_size=40))
def test_a_plan_mended_by_bisection_is_the_plan_compiled_from_scratch(seed: int, steps: list[int]) -> None:
    """Plans long enough to be mended, asked for between changes or only after several."""
    draw = random.Random(seed)
    made = Network()
    sites = {f"W{n:03}": a_site(draw, f"W{n:03}") for n in range(200)}
    places = {code: Place(code, PARENTS[code], Point(draw.uniform(-60, 60), 10.0)) for code in CODES}
    for place in places.values():
        made.put_place(place.region, place)
    for site in sites.values():
        made.put_site(site.warehouse, site)
    for code in CODES:
        made.plan(code)
    for step in steps:
        match step:
            case 0:
                code = draw.choice(CODES)
                places[code] = Place(code, PARENTS[code], Point(draw.uniform(-60, 60), 10.0))
                made.put_place(code, places[code])
            case 1 | 2 | 3:
                for code in draw.sample(CODES, step):
                    assert made.plan(code) == obvious_plan(code, sites, places)
            case _:
                site = a_site(draw, f"W{draw.randint(0, 210):03}")
                sites[site.warehouse] = site
                made.put_site(site.warehouse, site)
    assert {code: made.plan(code) for code in CODES} == {
        code: obvious_plan(code, sites, places) for code in CODES
    }


def test_a_change_of_a_warehouse_that_moves_no_plan_touches_none() -> None:
    made = Network()
    made.put_place("cn", Place("cn"))
    made.put_site("W", Site("W", 5, everywhere=True))
    assert made.put_site("W", Site("W", 5, everywhere=True, reach_km=3, pickup=True)) == set()


REGIONS = 120
WAREHOUSES = 90


@dataclass
class SlowDocuments(FakeDocuments):
    """Counts the turns that others had before each change."""

    turns: int = 0
    turns_at: tuple[int, ...] = ()

    async def call(self, method: str, request: bytes) -> bytes:
        if method.endswith("/PutDocuments"):
            self.turns_at += (self.turns,)
            await asyncio.sleep(0)
        return await super().call(method, request)

    async def others(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def a_large_shop(fake: FakeDocuments) -> Catalog:
    catalog = Catalog(Documents(fake.call))
    codes = [f"region-{n:03}" for n in range(REGIONS)]
    await Import(catalog, REGION).run([pb.Region(region=code) for code in codes])
    warehouses = [
        pb.Warehouse(warehouse=f"warehouse-{n:03}", tier=pb.TIER_CENTRAL, rank=n) for n in range(WAREHOUSES)
    ]
    await Import(catalog, WAREHOUSE).run(warehouses)
    return catalog


async def test_a_warehouse_on_every_plan_is_installed_in_small_changes_while_others_have_their_turn() -> None:
    fake = SlowDocuments()
    catalog = await a_large_shop(fake)
    already, fake.turns_at = len(fake.changes), ()
    others = asyncio.create_task(fake.others())
    last = pb.Warehouse(warehouse="warehouse-000", rank=WAREHOUSES)
    await catalog.update(WAREHOUSE, last, ["rank"], "")
    others.cancel()
    changes = fake.changes[already:]
    assert len(changes) > 3
    for change in changes:
        plans = [put for put in change.documents if put.HasField("route_plan")]
        assert change.ByteSize() <= PLANS_BYTES + max(put.ByteSize() for put in change.documents)
        assert all(put.route_plan.warehouses[-1] == "warehouse-000" for put in plans)
        assert all(len(put.route_plan.warehouses) == WAREHOUSES for put in plans)
    assert sorted(fake.turns_at) == list(fake.turns_at)
    assert len(set(fake.turns_at)) == len(changes)
    assert catalog.plans.owed() == set()
    assert {fake.plan(code)[0] for code in catalog.plans.regions()} == {"warehouse-001"}


async def test_an_import_of_many_warehouses_puts_each_plan_once() -> None:
    fake = FakeDocuments()
    await a_large_shop(fake)
    plans = [put.id for change in fake.changes for put in change.documents if put.HasField("route_plan")]
    assert sorted(plans) == sorted(set(plans))
    assert len(plans) == REGIONS


async def test_plans_that_are_refused_after_their_warehouse_was_taken_are_tried_again() -> None:
    fake = FakeDocuments()
    catalog = await a_large_shop(fake)
    fake.refuse["region-119"] = "FROZEN"
    changed = await catalog.update(WAREHOUSE, pb.Warehouse(warehouse="warehouse-000", rank=99), ["rank"], "")
    # The change of the warehouse itself took effect, and the answer says so.
    assert getattr(changed, "rank", 0) == 99
    assert catalog.plans.owed() >= {"region-119"}
    fake.refuse.clear()
    trying = catalog._installer._trying
    assert trying is not None
    await trying
    assert {fake.plan(code)[0] for code in catalog.plans.regions()} == {"warehouse-001"}
