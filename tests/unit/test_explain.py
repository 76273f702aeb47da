"""Explaining an order to be placed, trying and showing: the service over a catalogue and an engine's numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar

import pytest
from fake_documents import FakeDocuments
from fake_stock import FakeStock
from google.protobuf.timestamp_pb2 import Timestamp
from lockstock.v1 import catalog_pb2 as pb
from lockstock.v1 import errors_pb2, operations_pb2, orders_pb2, routing_pb2
from lockstock_server.catalog.documents import Documents
from lockstock_server.catalog.kinds import REGION, WAREHOUSE
from lockstock_server.catalog.service import Catalog
from lockstock_server.refusals import Refused
from lockstock_server.routing.explain import VERDICTS, Facts, verdict
from lockstock_server.routing.past import History, Placed
from lockstock_server.routing.service import Routing
from support import chooser
from support.past_shop import PastShop, table

_T = TypeVar("_T")

ACTIVE, PAUSED, CLOSED = (
    pb.WAREHOUSE_STATE_ACTIVE,
    pb.WAREHOUSE_STATE_PAUSED,
    pb.WAREHOUSE_STATE_CLOSED,
)


@dataclass
class FakeArchive:
    """A database that stands at the shop's last sequence."""

    shop: PastShop = field(default_factory=PastShop)
    asked: list[int] = field(default_factory=list)

    async def read(self, query: Callable[[History], _T], min_sequence: int) -> tuple[_T, int]:
        self.asked.append(min_sequence)
        return query(self.shop), self.shop.sequence


@dataclass
class Shop:
    """A catalogue, an engine's numbers and a database, with the routing over them."""

    catalog: Catalog
    stock: FakeStock
    archive: FakeArchive
    routing: Routing

    async def warehouse(self, name: str, tier: pb.Tier.ValueType, *regions: str, **fields: object) -> None:
        made = pb.Warehouse(warehouse=name, tier=tier, **fields)  # type: ignore[arg-type]
        made.coverage.regions.extend(regions)
        await self.catalog.create(WAREHOUSE, made, "")

    async def explain(
        self, lines: dict[str, int], *, split: operations_pb2.Split | None = None, **where: object
    ) -> routing_pb2.ExplainRouteResponse:
        destination = orders_pb2.Destination(**where)  # type: ignore[arg-type]
        demand = routing_pb2.RouteDemand(destination=destination, split=split)
        for sku, units in lines.items():
            demand.lines.add(sku=sku, quantity=units)
        return await self.routing.explain(routing_pb2.ExplainRouteRequest(demand=demand))


@pytest.fixture
async def shop() -> Shop:
    """Books and pens; two warehouses in Shanghai, one for the country, one in Beijing, one closed."""
    catalog = Catalog(Documents(FakeDocuments().call))
    stock = FakeStock(skus={"book": pb.Sku(sku="book", category="paper"), "pen": pb.Sku(sku="pen")})
    archive = FakeArchive()
    routing = Routing(catalog.plans, catalog.view, stock.call, archive, table(), chooser.route)
    made = Shop(catalog, stock, archive, routing)
    await catalog.create(REGION, pb.Region(region="cn"), "")
    sh = pb.Region(region="sh", parent="cn", centroid=pb.Coordinates(latitude=31, longitude=121))
    await catalog.create(REGION, sh, "")
    await catalog.create(REGION, pb.Region(region="bj", parent="cn"), "")
    at = pb.Coordinates(latitude=31, longitude=121.5)
    await made.warehouse("sh-1", pb.TIER_CITY, "sh", location=at)
    await made.warehouse("sh-2", pb.TIER_CITY, "sh", rank=1)
    await made.warehouse("cn-1", pb.TIER_CENTRAL)
    await made.warehouse("bj-1", pb.TIER_CITY, "bj", pickup=True)
    await made.warehouse("sh-0", pb.TIER_FRONT, "sh", state=CLOSED)
    return made


def verdicts(explained: routing_pb2.ExplainRouteResponse) -> dict[str, str]:
    name = routing_pb2.Verdict.Name
    return {it.warehouse: name(it.verdict).removeprefix("VERDICT_") for it in explained.candidates}


def reason(explained: routing_pb2.ExplainRouteResponse) -> str:
    return errors_pb2.Reason.Name(explained.reason).removeprefix("REASON_")


async def test_every_warehouse_has_a_verdict_those_on_the_plan_first(shop: Shop) -> None:
    shop.stock.units = {("book", "sh-1"): 3, ("book", "cn-1"): 9, ("pen", "sh-1"): 1}
    explained = await shop.explain({"book": 3, "pen": 1}, region="sh")
    assert list(verdicts(explained).items()) == [
        ("sh-1", "CHOSEN"),
        ("sh-2", "NO_STOCK"),
        ("cn-1", "NOT_NEEDED"),
        ("bj-1", "NOT_COVERING"),
        ("sh-0", "CLOSED"),
    ]
    assert (explained.sequence, explained.granted, explained.parcels, explained.split_exact) == (
        7,
        True,
        1,
        True,
    )
    first = explained.candidates[0]
    assert (first.position, first.tier, first.rank, round(first.distance_km, 1)) == (1, pb.TIER_CITY, 0, 47.7)
    assert [(row.sku, row.kept, row.available, row.given) for row in first.skus] == [
        ("book", True, 3, 3),
        ("pen", True, 1, 1),
    ]
    assert not explained.candidates[1].HasField("distance_km")
    assert [(it.position, len(it.skus)) for it in explained.candidates[3:]] == [(0, 0), (0, 0)]


async def test_lines_of_one_sku_are_one_demand_and_each_is_given_its_part(shop: Shop) -> None:
    shop.stock.units = {("book", "sh-1"): 3, ("book", "cn-1"): 9}
    demand = routing_pb2.RouteDemand(destination=orders_pb2.Destination(region="sh"))
    for units in (2, 2):
        demand.lines.add(sku="book", quantity=units)
    explained = await shop.routing.explain(routing_pb2.ExplainRouteRequest(demand=demand))
    # One parcel from far away comes before two: no warehouse nearer has all four.
    assert verdicts(explained)["cn-1"] == "CHOSEN"
    assert verdicts(explained)["sh-1"] == "NOT_NEEDED"
    assert [row.given for it in explained.candidates for row in it.skus] == [0, 0, 4]


async def test_a_paused_warehouse_and_one_that_does_not_keep_the_sku_are_passed_over(shop: Shop) -> None:
    await shop.catalog.update(WAREHOUSE, pb.Warehouse(warehouse="sh-1", state=PAUSED), ["state"], "")
    kept = pb.Warehouse(warehouse="sh-2", assortment=pb.Assortment(skus=["cup"], categories=["toys"]))
    await shop.catalog.update(WAREHOUSE, kept, ["assortment"], "")
    shop.stock.units = {("book", name): 5 for name in ("sh-1", "sh-2", "cn-1")}
    found = verdicts(await shop.explain({"book": 1}, region="sh"))
    assert (found["sh-1"], found["sh-2"], found["cn-1"]) == ("PAUSED", "NOT_KEPT", "CHOSEN")


async def test_a_category_is_enough_to_be_kept(shop: Shop) -> None:
    kept = pb.Warehouse(warehouse="sh-1", assortment=pb.Assortment(categories=["paper"]))
    await shop.catalog.update(WAREHOUSE, kept, ["assortment"], "")
    shop.stock.units = {("book", "sh-1"): 5}
    assert verdicts(await shop.explain({"book": 1}, region="sh"))["sh-1"] == "CHOSEN"


async def test_a_refused_order_says_why_and_names_who_had_units(shop: Shop) -> None:
    shop.stock.units = {("book", "sh-1"): 3, ("book", "cn-1"): 3}
    short = await shop.explain({"book": 7}, region="sh")
    assert (short.granted, reason(short), short.parcels) == (False, "INSUFFICIENT_STOCK", 0)
    assert verdicts(short)["sh-1"] == verdicts(short)["cn-1"] == "ORDER_REFUSED"
    assert verdicts(short)["sh-2"] == "NO_STOCK"
    complete = operations_pb2.Split(max_parcels=1)
    split = await shop.explain({"book": 6}, region="sh", split=complete)
    assert (split.granted, reason(split), split.parcels) == (False, "PARCEL_LIMIT", 2)
    partial = operations_pb2.Split(allow_partial=True)
    part = await shop.explain({"book": 7}, region="sh", split=partial)
    assert (part.granted, part.parcels) == (True, 2)
    assert list(part.refused) == [operations_pb2.RefusedLine(line=1, quantity=1)]


async def test_what_is_claimed_by_others_is_not_free_although_it_lies_there(shop: Shop) -> None:
    shop.stock.units, shop.stock.free = {("book", "sh-1"): 3}, {"book": 1}
    assert reason(await shop.explain({"book": 2}, region="sh")) == "INSUFFICIENT_STOCK"
    assert (await shop.explain({"book": 1}, region="sh")).granted


async def test_not_routable_wins_over_short_stock_as_it_does_in_the_engine(shop: Shop) -> None:
    for name in ("sh-1", "sh-2", "cn-1"):
        kept = pb.Warehouse(warehouse=name, assortment=pb.Assortment(categories=["paper"]))
        await shop.catalog.update(WAREHOUSE, kept, ["assortment"], "")
    explained = await shop.explain({"book": 5, "pen": 1}, region="sh")
    assert reason(explained) == "NOT_ROUTABLE"
    # A paused warehouse keeps it still: there is no stock, but a way.
    everything = pb.Warehouse(warehouse="sh-2", state=PAUSED)
    await shop.catalog.update(WAREHOUSE, everything, ["state", "assortment"], "")
    assert reason(await shop.explain({"book": 5, "pen": 1}, region="sh")) == "INSUFFICIENT_STOCK"


async def test_coordinates_bring_a_front_warehouse_into_the_explanation(shop: Shop) -> None:
    at = pb.Coordinates(latitude=31.2, longitude=121.4)
    reaching = pb.Coverage(radius_km=3)
    front = pb.Warehouse(warehouse="front", tier=pb.TIER_FRONT, location=at, coverage=reaching)
    await shop.catalog.create(WAREHOUSE, front, "")
    shop.stock.units = {("book", "front"): 1}
    assert verdicts(await shop.explain({"book": 1}, region="sh"))["front"] == "NOT_COVERING"
    near = pb.Coordinates(latitude=31.21, longitude=121.4)
    explained = await shop.explain({"book": 1}, region="sh", coordinates=near)
    assert explained.candidates[0].warehouse == "front"
    assert explained.candidates[0].verdict == routing_pb2.VERDICT_CHOSEN
    assert round(explained.candidates[0].distance_km, 1) == 1.1
    await shop.catalog.update(WAREHOUSE, pb.Warehouse(warehouse="front", state=CLOSED), ["state"], "")
    closed = await shop.explain({"book": 1}, region="sh", coordinates=near)
    assert verdicts(closed)["front"] == "CLOSED"


async def test_a_pickup_is_explained_over_its_warehouse(shop: Shop) -> None:
    shop.stock.units = {("book", "bj-1"): 1}
    explained = await shop.explain({"book": 1}, pickup="bj-1")
    found = verdicts(explained)
    assert found.pop("bj-1") == "CHOSEN"
    assert set(found.values()) == {"NOT_THE_PICKUP"}
    assert explained.candidates[0].position == 1


def of(sku: str = "book", units: int = 1, pool: str = "", times: int = 1) -> routing_pb2.RouteDemand:
    demand = routing_pb2.RouteDemand(destination=orders_pb2.Destination(region="sh"))
    for _ in range(times):
        demand.lines.add(sku=sku, quantity=units, pool=pool)
    return demand


def to(**where: object) -> routing_pb2.RouteDemand:
    demand = of()
    demand.destination.CopyFrom(orders_pb2.Destination(**where))  # type: ignore[arg-type]
    return demand


@pytest.mark.parametrize(
    ("demand", "why", "facts"),
    [
        (of(times=0), "FIELD_REQUIRED", {"field": "demand.lines"}),
        (of(times=2_001), "TOO_MANY_LINES", {"field": "demand.lines", "limit": "2000"}),
        (of(""), "FIELD_REQUIRED", {"field": "demand.lines[0].sku"}),
        (of("none"), "SKU_NOT_FOUND", {"sku": "none"}),
        (of(units=0), "QUANTITY_OUT_OF_RANGE", {"field": "demand.lines[0].quantity", "value": "0"}),
        (
            of(units=10**12, times=2),
            "QUANTITY_OUT_OF_RANGE",
            {"field": "demand.lines[1].quantity", "value": "1000000000000"},
        ),
        (of(pool="secret"), "POOL_NOT_FOUND", {"pool": "secret"}),
        (to(), "FIELD_REQUIRED", {"field": "demand.destination.region"}),
        (to(region="none"), "REGION_NOT_FOUND", {"region": "none"}),
        (to(pickup="none"), "WAREHOUSE_NOT_FOUND", {"warehouse": "none"}),
        (to(pickup="sh-1"), "PICKUP_NOT_OFFERED", {"warehouse": "sh-1"}),
        (to(pickup="bj-1", region="bj"), "FIELDS_CONFLICT", {"field": "demand.destination.region"}),
    ],
)
async def test_a_demand_of_wrong_form_is_refused(
    shop: Shop, demand: routing_pb2.RouteDemand, why: str, facts: dict[str, str]
) -> None:
    with pytest.raises(Refused) as refused:
        await shop.routing.explain(routing_pb2.ExplainRouteRequest(demand=demand))
    assert (refused.value.reason, refused.value.metadata) == (why, facts)


async def test_a_call_that_names_no_order_is_refused(shop: Shop) -> None:
    with pytest.raises(Refused, match="FIELD_REQUIRED"):
        await shop.routing.explain(routing_pb2.ExplainRouteRequest())


async def test_an_order_just_placed_waits_for_the_database_to_hear_of_it(shop: Shop) -> None:
    past = shop.archive.shop
    past.change("SKU", pb.Sku(sku="book"))
    past.change("WAREHOUSE", pb.Warehouse(warehouse="W", state=ACTIVE))
    past.install("sh", ["W"])
    past.move("OTHER_RECEIPT", "book", "W", 1)
    past.place(Placed("order", 0, "sh"), [("book", 1)])
    shop.stock.versions["order"] = 5
    explained = await shop.routing.explain(routing_pb2.ExplainRouteRequest(order_id="order"))
    assert verdicts(explained) == {"W": "CHOSEN"}
    assert shop.archive.asked == [5]


@pytest.mark.parametrize(("order_id", "why"), [("none", "RESERVATION_NOT_FOUND"), ("", "FIELD_REQUIRED")])
async def test_an_order_that_there_is_not_is_not_found(shop: Shop, order_id: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        await shop.routing.explain(routing_pb2.ExplainRouteRequest(order_id=order_id))


async def test_a_policy_is_tried_as_of_a_sequence(shop: Shop) -> None:
    shop.archive.shop.move("OTHER_RECEIPT", "book", "W", 1)
    request = routing_pb2.TryPolicyRequest(min_sequence=1)
    response = await shop.routing.try_policy(request)
    assert (response.as_of_sequence, response.orders, shop.archive.asked) == (1, 0, [1])


@pytest.mark.parametrize(
    ("policy", "others", "why"),
    [
        ({"excluded_warehouses": ["none"]}, {}, "WAREHOUSE_NOT_FOUND"),
        ({"ranks": {"none": 1}}, {}, "WAREHOUSE_NOT_FOUND"),
        ({"tiers": {"none": pb.TIER_CITY}}, {}, "WAREHOUSE_NOT_FOUND"),
        ({"ranks": {"sh-1": -1}}, {}, "NUMBER_OUT_OF_RANGE"),
        ({"tiers": {"sh-1": 0}}, {}, "ENUM_UNKNOWN"),
        ({}, {"orders_max": 10_001}, "NUMBER_OUT_OF_RANGE"),
        ({}, {"channel": "\n"}, "ID_INVALID"),
        ({}, {"created_from": Timestamp(seconds=1 << 62)}, "DURATION_OUT_OF_RANGE"),
    ],
)
async def test_a_policy_of_wrong_form_is_refused(
    shop: Shop, policy: dict[str, object], others: dict[str, object], why: str
) -> None:
    asked = routing_pb2.RoutingPolicy(**policy)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=why):
        await shop.routing.try_policy(routing_pb2.TryPolicyRequest(policy=asked, **others))  # type: ignore[arg-type]


async def test_a_plan_is_shown_as_it_is_installed_with_its_version(shop: Shop) -> None:
    request = routing_pb2.GetRoutePlanRequest(destination=orders_pb2.Destination(region="sh"))
    plan = await shop.routing.plan(request)
    assert [(it.warehouse, it.tier, it.rank) for it in plan.entries] == [
        ("sh-1", pb.TIER_CITY, 0),
        ("sh-2", pb.TIER_CITY, 1),
        ("cn-1", pb.TIER_CENTRAL, 0),
    ]
    assert plan.version == shop.catalog.plans.standing("sh")[1] > 0
    kept = pb.Warehouse(warehouse="sh-1", state=PAUSED, assortment=pb.Assortment(categories=["paper"]))
    await shop.catalog.update(WAREHOUSE, kept, ["assortment", "state"], "")
    of_pens = routing_pb2.GetRoutePlanRequest(destination=request.destination, sku="pen")
    assert [it.warehouse for it in (await shop.routing.plan(of_pens)).entries] == ["sh-2", "cn-1"]
    assert (await shop.routing.plan(request)).entries[0].state == PAUSED
    with pytest.raises(Refused, match="SKU_NOT_FOUND"):
        await shop.routing.plan(routing_pb2.GetRoutePlanRequest(destination=request.destination, sku="none"))


async def test_a_plan_for_coordinates_or_a_pickup_is_nobody_elses_and_has_no_version(shop: Shop) -> None:
    at = pb.Coordinates(latitude=31.2, longitude=121.4)
    for where, first in [
        (orders_pb2.Destination(region="sh", coordinates=at), "sh-1"),
        (orders_pb2.Destination(pickup="bj-1"), "bj-1"),
    ]:
        plan = await shop.routing.plan(routing_pb2.GetRoutePlanRequest(destination=where))
        assert (plan.version, plan.entries[0].warehouse) == (0, first)


def test_every_verdict_is_reached_and_the_table_leaves_no_facts_out() -> None:
    states = (ACTIVE, PAUSED, CLOSED)
    everything = [
        Facts(on_plan, pickup, covers, state, keeps, has_units, gives, granted)
        for on_plan, pickup, covers, keeps, has_units, gives, granted in product((False, True), repeat=7)
        for state in states
    ]
    assert {verdict(facts) for facts in everything} == {row[0] for row in VERDICTS}
    assert len(VERDICTS) == len(routing_pb2.Verdict.values()) - 1
