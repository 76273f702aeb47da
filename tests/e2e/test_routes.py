"""RoutingService on a real server: what it explains is what is available, what is locked, and what was."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import lockstock
import pytest
from conftest import Server
from lockstock.v1 import catalog_pb2 as catalog
from lockstock.v1 import errors_pb2 as errors
from lockstock.v1 import operations_pb2 as op
from lockstock.v1 import orders_pb2 as orders
from lockstock.v1 import routing_pb2 as pb
from lockstock.v1 import stock_pb2 as stock
from test_cli import lockstock as command

HERE = catalog.Coordinates(latitude=31.2, longitude=121.4)
Given = dict[tuple[str, str], int]


@dataclass
class Town:
    """A region of its own with some warehouses, drawn from a seed."""

    client: lockstock.Client
    draw: random.Random
    name: str = field(default_factory=lambda: f"town-{uuid.uuid4().hex[:8]}")
    warehouses: list[str] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)

    def settle(self) -> Town:
        """Makes the region, its warehouses, their stock; some pause."""
        draw, made = self.draw, self.client.catalog
        made.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=self.name)))
        for number in range(draw.randint(1, 3)):
            sku = catalog.Sku(sku=f"{self.name}-sku-{number}", category=draw.choice(["soft", "hard"]))
            made.CreateSku(catalog.CreateSkuRequest(sku=sku))
            self.skus.append(sku.sku)
        for number in range(draw.randint(2, 7)):
            self.open(f"{self.name}-{number}")
        lines = [
            op.StockLine(sku=sku, warehouse=warehouse, quantity=draw.randint(1, 6))
            for sku in self.skus
            for warehouse in self.warehouses
            if draw.random() < 0.7
        ]
        if lines:
            self.client.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))
        for warehouse in self.warehouses:
            if draw.random() < 0.15:
                self.update(warehouse, "state", state=catalog.WAREHOUSE_STATE_PAUSED)
        return self

    def open(self, warehouse: str) -> None:
        draw = self.draw
        made = catalog.Warehouse(
            warehouse=warehouse,
            tier=draw.choice(catalog.Tier.values()[1:]),
            rank=draw.randint(0, 2),
            coverage=catalog.Coverage(regions=[self.name]),
            pickup=True,
        )
        if draw.random() < 0.6:
            made.location.latitude = HERE.latitude + draw.uniform(-0.05, 0.05)
            made.location.longitude = HERE.longitude
        if draw.random() < 0.25:
            made.assortment.categories.append(draw.choice(["soft", "hard"]))
        self.client.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=made))
        self.warehouses.append(warehouse)

    def update(self, warehouse: str, *mask: str, **values: object) -> None:
        changed = catalog.Warehouse(warehouse=warehouse, **values)  # type: ignore[arg-type]
        request = catalog.UpdateWarehouseRequest(warehouse=changed)
        request.update_mask.paths.extend(mask)
        self.client.catalog.UpdateWarehouse(request)

    def demand(self) -> pb.RouteDemand:
        draw = self.draw
        where = orders.Destination(region=self.name)
        match draw.randint(0, 3):
            case 0:
                where.coordinates.CopyFrom(HERE)
            case 1:
                where = orders.Destination(pickup=draw.choice(self.warehouses))
        demand = pb.RouteDemand(destination=where)
        demand.split.max_parcels = draw.choice([0, 0, 1, 2])
        demand.split.allow_partial = draw.random() < 0.4
        for _ in range(draw.randint(1, 4)):
            demand.lines.add(sku=draw.choice(self.skus), quantity=draw.randint(1, 8))
        return demand

    # --- the four who must agree ---

    def explain(self, demand: pb.RouteDemand) -> pb.ExplainRouteResponse:
        return self.client.routing.ExplainRoute(pb.ExplainRouteRequest(demand=demand))

    def explain_order(self, order_id: str) -> pb.ExplainRouteResponse:
        return self.client.routing.ExplainRoute(pb.ExplainRouteRequest(order_id=order_id))

    def check(self, demand: pb.RouteDemand, plan: list[str]) -> stock.CheckAvailabilityResponse:
        request = stock.CheckAvailabilityRequest(lines=demand.lines, split=demand.split)
        if plan:
            request.warehouses.warehouses.extend(plan)
        else:
            request.region = demand.destination.region
        return self.client.stock.CheckAvailability(request)

    def place(self, demand: pb.RouteDemand, **fields: object) -> tuple[str, op.Answer]:
        order_id = f"order-{uuid.uuid4()}"
        request = orders.PlaceOrderRequest(
            order_id=order_id,
            lines=demand.lines,
            destination=demand.destination,
            split=demand.split,
            **fields,  # type: ignore[arg-type]
        )
        return order_id, self.client.orders.PlaceOrder(request)


def given(explained: pb.ExplainRouteResponse) -> Given:
    return {(it.warehouse, row.sku): row.given for it in explained.candidates for row in it.skus if row.given}


def taken(answer: op.Answer) -> Given:
    units: Counter[tuple[str, str]] = Counter()
    for it in answer.movements:
        if it.kind == "LOCK":
            units[it.warehouse, it.sku] += it.quantity
    return dict(units)


def chosen(explained: pb.ExplainRouteResponse) -> set[str]:
    return {it.warehouse for it in explained.candidates if it.verdict == pb.VERDICT_CHOSEN}


def unsequenced(explained: pb.ExplainRouteResponse) -> pb.ExplainRouteResponse:
    """What was said, whenever."""
    copy = pb.ExplainRouteResponse()
    copy.CopyFrom(explained)
    copy.sequence = 0
    return copy


@pytest.fixture(scope="module")
def routes(server: Server) -> Iterator[lockstock.Client]:
    with server.client() as client:
        yield client


@pytest.mark.parametrize("seed", range(30))
def test_what_is_explained_is_what_is_available_what_is_locked_and_what_was(
    routes: lockstock.Client, seed: int
) -> None:
    """Field note 10: a sum says yes, a place says no. Here nobody can say anything else than the lock."""
    town = Town(routes, random.Random(seed)).settle()
    for _ in range(4):
        demand = town.demand()
        explained = town.explain(demand)
        plan = [it.warehouse for it in explained.candidates if it.position]
        planned = plan if demand.destination.pickup or demand.destination.HasField("coordinates") else []
        checked = town.check(demand, planned)
        assert (checked.lockable, checked.reason) == (explained.granted, explained.reason)
        if not explained.granted:
            with pytest.raises(lockstock.LockstockError) as refused:
                town.place(demand)
            assert refused.value.reason == errors.Reason.Name(explained.reason).removeprefix("REASON_")
            if explained.reason == errors.REASON_PARCEL_LIMIT:
                assert checked.parcels_needed == explained.parcels
            continue
        order_id, answer = town.place(demand)
        assert given(explained) == taken(answer)
        assert chosen(explained) == {warehouse for warehouse, _ in taken(answer)}
        assert explained.parcels == len(chosen(explained))
        assert explained.split_exact == answer.split_exact
        assert list(explained.refused) == list(answer.refused) == list(checked.refused)
        past = town.explain_order(order_id)
        assert past.sequence == answer.sequence - 1
        assert unsequenced(past) == unsequenced(explained)


def test_a_past_order_is_explained_by_then_whatever_has_happened_since(routes: lockstock.Client) -> None:
    town = Town(routes, random.Random(1)).settle()
    before: list[tuple[str, pb.ExplainRouteResponse]] = []
    for _ in range(8):
        demand = town.demand()
        explained = town.explain(demand)
        if explained.granted:
            policy = {"deduction_policy": catalog.DEDUCTION_POLICY_ON_PAYMENT} if len(before) % 2 else {}
            before.append((town.place(demand, **policy)[0], explained))
        lines = [op.StockLine(sku=sku, warehouse=town.warehouses[0], quantity=5) for sku in town.skus]
        routes.stock.OtherReceipt(op.OtherReceiptRequest(lines=lines))
    assert len(before) > 3
    for number, warehouse in enumerate(town.warehouses):
        town.update(warehouse, "rank", "state", rank=9 - number, state=catalog.WAREHOUSE_STATE_PAUSED)
    town.open(f"{town.name}-late")
    for order_id, _ in before:
        routes.orders.CancelOrder(orders.CancelOrderRequest(order_id=order_id))
    for order_id, explained in before:
        assert unsequenced(town.explain_order(order_id)) == unsequenced(explained)


def test_orders_routed_again_as_they_were_change_nothing_and_without_their_warehouse_they_do(
    routes: lockstock.Client,
) -> None:
    channel = f"channel-{uuid.uuid4().hex[:8]}"
    made = catalog.Channel(channel=channel, kind=catalog.CHANNEL_KIND_OWN)
    routes.catalog.CreateChannel(catalog.CreateChannelRequest(channel=made))
    town = Town(routes, random.Random(3)).settle()
    placed: list[tuple[str, set[str]]] = []
    units, last = 0, 0
    for _ in range(12):
        demand = town.demand()
        demand.split.allow_partial = False
        if town.explain(demand).granted:
            order_id, answer = town.place(demand, channel=channel)
            placed.append((order_id, {warehouse for warehouse, _ in taken(answer)}))
            units += sum(taken(answer).values())
        line = op.StockLine(sku=town.skus[0], warehouse=town.warehouses[1], quantity=3)
        routes.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))
        last = routes.stock.GetStock(stock.GetStockRequest(sku=town.skus[0])).sequence
    same = routes.routing.TryPolicy(pb.TryPolicyRequest(channel=channel, min_sequence=last))
    assert (same.orders, list(same.changes), same.before) == (len(placed), [], same.after)
    assert same.as_of_sequence >= last
    assert sum(use.units for use in same.before.warehouses) == units
    assert same.before.parcels == sum(len(warehouses) for _, warehouses in placed)
    popular = Counter(it for _, warehouses in placed for it in warehouses).most_common(1)[0][0]
    policy = pb.RoutingPolicy(excluded_warehouses=[popular])
    without = routes.routing.TryPolicy(pb.TryPolicyRequest(channel=channel, policy=policy, min_sequence=last))
    changed = {change.order_id for change in without.changes}
    assert changed == {order_id for order_id, warehouses in placed if popular in warehouses}
    assert popular not in {use.warehouse for use in without.after.warehouses}
    shipped = sum(use.units for use in without.after.warehouses)
    assert shipped + without.after.refused_units == units


def test_a_changed_warehouse_is_on_the_plan_when_the_change_is_answered(routes: lockstock.Client) -> None:
    town = Town(routes, random.Random(5)).settle()
    request = pb.GetRoutePlanRequest(destination=orders.Destination(region=town.name))
    first = routes.routing.GetRoutePlan(request)
    assert {it.warehouse for it in first.entries} == set(town.warehouses)
    last = first.entries[-1].warehouse
    town.update(last, "tier", "rank", tier=catalog.TIER_FRONT, rank=0)
    for warehouse in town.warehouses:
        if warehouse != last:
            town.update(warehouse, "tier", tier=catalog.TIER_REGIONAL)
    moved = routes.routing.GetRoutePlan(request)
    assert moved.entries[0].warehouse == last
    assert moved.version > first.version
    town.update(last, "state", state=catalog.WAREHOUSE_STATE_PAUSED)
    assert routes.routing.GetRoutePlan(request).entries[0].state == catalog.WAREHOUSE_STATE_PAUSED


def test_a_buyer_whom_nobody_reaches_is_told_so_whichever_way_he_is_planned(routes: lockstock.Client) -> None:
    town = Town(routes, random.Random(4))
    routes.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=town.name)))
    sku = f"{town.name}-sku"
    routes.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=sku)))
    for where in (
        orders.Destination(region=town.name),
        orders.Destination(region=town.name, coordinates=HERE),
    ):
        demand = pb.RouteDemand(destination=where)
        demand.lines.add(sku=sku, quantity=1)
        assert town.explain(demand).reason == errors.REASON_NOT_ROUTABLE
        with pytest.raises(lockstock.LockstockError) as refused:
            town.place(demand)
        assert (refused.value.reason, refused.value.metadata["sku"]) == ("NOT_ROUTABLE", sku)


def test_pain_16_one_shelf_behind_two_channels_is_sold_once(routes: lockstock.Client) -> None:
    """Magento sold one source's units through each of two sales channels."""
    town = Town(routes, random.Random(7))
    routes.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=town.name)))
    town.open(f"{town.name}-shelf")
    town.update(town.warehouses[0], "assortment")
    sku = f"{town.name}-sku"
    routes.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=sku)))
    line = op.StockLine(sku=sku, warehouse=town.warehouses[0], quantity=3)
    routes.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))
    for name in ("one", "two"):
        made = catalog.Channel(channel=f"{town.name}-{name}", kind=catalog.CHANNEL_KIND_OWN)
        routes.catalog.CreateChannel(catalog.CreateChannelRequest(channel=made))
    demand = pb.RouteDemand(destination=orders.Destination(region=town.name))
    demand.lines.add(sku=sku, quantity=2)
    town.place(demand, channel=f"{town.name}-one")
    with pytest.raises(lockstock.LockstockError) as refused:
        town.place(demand, channel=f"{town.name}-two")
    assert refused.value.reason == "INSUFFICIENT_STOCK"


def test_pain_16_a_shop_that_only_hands_out_keeps_its_units_from_orders_that_are_sent(
    routes: lockstock.Client,
) -> None:
    """Saleor reserved a franchise's shelf for online orders. A warehouse that covers nothing is on no plan."""
    town = Town(routes, random.Random(8))
    routes.catalog.CreateRegion(catalog.CreateRegionRequest(region=catalog.Region(region=town.name)))
    sku, franchise, sender = f"{town.name}-sku", f"{town.name}-franchise", f"{town.name}-sender"
    routes.catalog.CreateSku(catalog.CreateSkuRequest(sku=catalog.Sku(sku=sku)))
    for warehouse, regions, units in ((franchise, [], 5), (sender, [town.name], 1)):
        made = catalog.Warehouse(
            warehouse=warehouse,
            tier=catalog.TIER_FRONT,
            coverage=catalog.Coverage(regions=regions),
            pickup=not regions,
        )
        routes.catalog.CreateWarehouse(catalog.CreateWarehouseRequest(warehouse=made))
        line = op.StockLine(sku=sku, warehouse=warehouse, quantity=units)
        routes.stock.OtherReceipt(op.OtherReceiptRequest(lines=[line]))
    sent = pb.RouteDemand(destination=orders.Destination(region=town.name))
    sent.lines.add(sku=sku, quantity=2)
    explained = town.explain(sent)
    assert (explained.granted, explained.reason) == (False, errors.REASON_INSUFFICIENT_STOCK)
    verdicts = {it.warehouse: it.verdict for it in explained.candidates}
    assert verdicts[franchise] == pb.VERDICT_NOT_COVERING
    assert verdicts[sender] == pb.VERDICT_ORDER_REFUSED
    fetched = pb.RouteDemand(destination=orders.Destination(pickup=franchise), lines=sent.lines)
    assert taken(town.place(fetched)[1]) == {(franchise, sku): 2}


def test_a_route_is_explained_and_a_plan_shown_on_the_command_line(
    server: Server, routes: lockstock.Client
) -> None:
    town = Town(routes, random.Random(9)).settle()
    address = ("--server", server.address)
    plan = command("plan", "show", "--region", town.name, *address, "--json")
    assert plan.returncode == 0, plan.stderr
    assert [it["warehouse"] for it in json.loads(plan.stdout)["entries"]] == [
        it.warehouse
        for it in routes.routing.GetRoutePlan(
            pb.GetRoutePlanRequest(destination=orders.Destination(region=town.name))
        ).entries
    ]
    asked = ("--line", f"{town.skus[0]}=1", "--region", town.name, "--lat", "31.2", "--lon", "121.4")
    explained = command("route", "explain", *asked, *address)
    assert explained.returncode == 0, explained.stderr
    assert "would be granted: 1 parcel" in explained.stdout
    unknown = command("route", "explain", "--order", "none", *address)
    assert unknown.returncode == 3
    assert "RESERVATION_NOT_FOUND" in unknown.stderr
    channel = catalog.Channel(channel=f"{town.name}-web", kind=catalog.CHANNEL_KIND_OWN)
    routes.catalog.CreateChannel(catalog.CreateChannelRequest(channel=channel))
    demand = pb.RouteDemand(destination=orders.Destination(region=town.name))
    demand.lines.add(sku=town.skus[0], quantity=1)
    order_id, answer = town.place(demand, channel=channel.channel)
    shipping = answer.movements[0].warehouse
    past = command("route", "explain", "--order", order_id, *address, "--json")
    assert past.returncode == 0, past.stderr
    assert {it["warehouse"]: it["verdict"] for it in json.loads(past.stdout)["candidates"]}[
        shipping
    ] == "VERDICT_CHOSEN"
    tried = command("route", "try", "--exclude", shipping, "--channel", channel.channel, *address, "--json")
    assert tried.returncode == 0, tried.stderr
    assert [change["before"] for change in json.loads(tried.stdout)["changes"]] == [[shipping]]
