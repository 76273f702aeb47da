"""Past orders: explained, and routed again under a policy, against what stood when each was placed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockstock.v1 import catalog_pb2 as pb
from lockstock.v1 import errors_pb2, routing_pb2
from lockstock_server.refusals import Refused
from lockstock_server.routing import trial
from lockstock_server.routing.explain_past import explain_past
from lockstock_server.routing.past import Filters, Placed
from lockstock_server.routing.trial import Policy, try_policy
from support import chooser
from support.past_shop import PastShop, Photograph
from support.random_history import TIERS, WAREHOUSES, a_shop


def a_policy(draw: random.Random) -> Policy:
    return Policy(
        max_parcels=draw.choice([None, 0, 1, 2]),
        allow_partial=draw.random() < 0.5,
        excluded=frozenset(draw.sample(WAREHOUSES, draw.randint(0, 2))),
        ranks={name: draw.randint(0, 2) for name in WAREHOUSES if draw.random() < 0.3},
        tiers={name: draw.choice(TIERS) for name in WAREHOUSES if draw.random() < 0.3},
    )


def obvious_plan(photograph: Photograph, policy: Policy) -> list[str]:
    plan = [name for name in photograph.plan if name not in policy.excluded]
    if photograph.order.region and (policy.ranks or policy.tiers):
        plan.sort(
            key=lambda name: (
                policy.tiers.get(name, photograph.warehouses[name].tier),
                policy.ranks.get(name, photograph.warehouses[name].rank),
                photograph.distance(name),
                name,
            )
        )
    return plan


def tried(shop: PastShop, policy: Policy, **filters: object) -> routing_pb2.TryPolicyResponse:
    return try_policy(shop, policy, Filters(**{"newest": 1_000, **filters}), shop.table, chooser.route)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_policy_is_tried_on_each_order_against_what_stood_when_it_was_placed(seed: int, steps: int) -> None:
    draw = random.Random(seed)
    shop, policy = a_shop(draw, steps), a_policy(draw)
    response = tried(shop, policy)
    refused_orders, units, parcels, refused_units = 0, 0, 0, 0
    before_parcels, before_units, before_refused = 0, 0, 0
    changes = []
    for photograph in reversed(shop.photographs):
        asked = sum(quantity for _, quantity in photograph.lines)
        order, had = photograph.order, photograph.outcome
        parcels_max = order.max_parcels if policy.max_parcels is None else policy.max_parcels
        plan = obvious_plan(photograph, policy)
        outcome = photograph.route(plan, parcels_max, policy.allow_partial)
        was = [name for name in photograph.plan if name in {at for _, at in had.takes}]
        would_be = [name for name in plan if name in {at for _, at in outcome.takes}]
        before_parcels += len(was)
        before_units += sum(had.takes.values())
        before_refused += sum(had.refused.values())
        refused_orders += bool(outcome.reason)
        refused_units += asked if outcome.reason else sum(outcome.refused.values())
        parcels += len(would_be)
        units += sum(outcome.takes.values())
        if outcome.reason or was != would_be:
            reason = f"REASON_{outcome.reason or 'UNSPECIFIED'}"
            changes.append((order.order_id, was, would_be, errors_pb2.Reason.Value(reason)))
    before, after = response.before, response.after
    assert response.orders == len(shop.photographs)
    assert (before.parcels, before.refused_units) == (before_parcels, before_refused)
    assert sum(use.units for use in before.warehouses) == before_units
    assert (after.refused_orders, after.refused_units) == (refused_orders, refused_units)
    assert (after.parcels, sum(use.units for use in after.warehouses)) == (parcels, units)
    found = [(it.order_id, list(it.before), list(it.after), it.reason) for it in response.changes]
    # Those that only give other quantities from the same warehouses stand there too.
    assert [row for row in found if row in changes] == changes
    assert all(row in changes or row[1] == row[2] for row in found)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_the_policy_that_was_in_force_changes_nothing(seed: int, steps: int) -> None:
    shop = a_shop(random.Random(seed), steps)
    for allow_partial in (False, True):
        response = tried(shop, Policy(allow_partial=allow_partial))
        orders = {it.order.order_id for it in shop.photographs if it.allow_partial == allow_partial}
        assert not orders & {change.order_id for change in response.changes if not change.reason}
        whole = {it.order.order_id for it in shop.photographs if not it.outcome.refused}
        if not allow_partial:
            assert not whole & {change.order_id for change in response.changes}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_past_order_is_explained_as_it_was_decided(seed: int, steps: int) -> None:
    shop = a_shop(random.Random(seed), steps)
    for photograph in shop.photographs:
        order, outcome = photograph.order, photograph.outcome
        explained = explain_past(shop, order.order_id, shop.table, chooser.route)
        assert (explained.sequence, explained.granted, explained.reason) == (order.sequence - 1, True, 0)
        assert {it.line: it.quantity for it in explained.refused} == outcome.refused
        on_plan = [it for it in explained.candidates if it.position]
        assert [it.warehouse for it in on_plan] == photograph.plan
        gave = {at for _, at in outcome.takes}
        assert {it.warehouse for it in on_plan if it.verdict == routing_pb2.VERDICT_CHOSEN} == gave
        assert explained.parcels == len(gave)
        for candidate in on_plan:
            for row in candidate.skus:
                assert row.available == photograph.units(row.sku, candidate.warehouse)
                given_ = sum(
                    units
                    for (line, at), units in outcome.takes.items()
                    if at == candidate.warehouse and photograph.lines[line - 1][0] == row.sku
                )
                assert row.given == given_
        others = {it.warehouse for it in explained.candidates if not it.position}
        assert others == (set(WAREHOUSES) - set(photograph.plan) if order.region else set())


def two_warehouses(first: int, second: int) -> PastShop:
    shop = PastShop()
    shop.change("SKU", pb.Sku(sku="book"))
    shop.change("REGION", pb.Region(region="cn"))
    shop.change("REGION", pb.Region(region="sh", parent="cn"))
    for name, units in (("near", first), ("far", second)):
        made = pb.Warehouse(warehouse=name, tier=pb.TIER_CITY, state=pb.WAREHOUSE_STATE_ACTIVE)
        made.coverage.regions.append("cn")
        shop.change("WAREHOUSE", made)
        shop.move("OTHER_RECEIPT", "book", name, units)
    shop.install("sh", ["near", "far"])
    return shop


def verdicts(explained: routing_pb2.ExplainRouteResponse) -> dict[str, str]:
    name = routing_pb2.Verdict.Name
    return {it.warehouse: name(it.verdict).removeprefix("VERDICT_") for it in explained.candidates}


def test_a_past_order_is_explained_by_the_warehouses_and_the_plan_of_then() -> None:
    shop = two_warehouses(5, 5)
    shop.place(Placed("order", 0, "sh"), [("book", 5)])
    # All of this came later.
    shop.install("sh", ["far"])
    shop.change(
        "WAREHOUSE", pb.Warehouse(warehouse="near", tier=pb.TIER_CITY, state=pb.WAREHOUSE_STATE_PAUSED)
    )
    shop.change(
        "WAREHOUSE", pb.Warehouse(warehouse="new", tier=pb.TIER_CITY, state=pb.WAREHOUSE_STATE_ACTIVE)
    )
    shop.move("OTHER_RECEIPT", "book", "far", 100)
    explained = explain_past(shop, "order", shop.table, chooser.route)
    assert verdicts(explained) == {"near": "CHOSEN", "far": "NOT_NEEDED"}
    assert [row.available for it in explained.candidates for row in it.skus] == [5, 5]


def test_a_journal_that_disagrees_with_the_decision_is_shown_beside_it() -> None:
    shop = two_warehouses(5, 5)
    shop.place(Placed("order", 0, "sh"), [("book", 5)])
    # An older engine, say, took it from elsewhere.
    shop.moved = [
        moved._replace(warehouse="far") if moved.owner == "order" else moved for moved in shop.moved
    ]
    shop.available["book", "near"], shop.available["book", "far"] = 5, 0
    explained = explain_past(shop, "order", shop.table, chooser.route)
    assert verdicts(explained) == {"near": "CHOSEN", "far": "NOT_NEEDED"}
    assert {it.warehouse: it.skus[0].given for it in explained.candidates} == {"near": 0, "far": 5}
    assert tried(shop, Policy()).changes[0] == routing_pb2.RoutingChange(
        order_id="order", before=["far"], after=["near"]
    )


def test_lines_that_the_payment_takes_are_explained_by_what_was_checked() -> None:
    shop = two_warehouses(2, 5)
    shop.place(Placed("order", 0, "sh"), [("book", 2), ("book", 3)], wanted=[2])
    explained = explain_past(shop, "order", shop.table, chooser.route)
    assert {it.warehouse: it.skus[0].given for it in explained.candidates} == {"near": 0, "far": 5}


def test_a_pickup_and_a_list_are_explained_over_themselves() -> None:
    shop = two_warehouses(5, 5)
    shop.place(Placed("fetched", 0, "", ("far",), 0, "pickup:far"), [("book", 1)])
    shop.place(Placed("listed", 0, "", ("far",)), [("book", 1)])
    fetched = explain_past(shop, "fetched", shop.table, chooser.route)
    assert verdicts(fetched) == {"far": "CHOSEN", "near": "NOT_THE_PICKUP"}
    assert verdicts(explain_past(shop, "listed", shop.table, chooser.route)) == {"far": "CHOSEN"}


def test_distances_of_a_past_order_are_measured_from_where_its_buyer_was() -> None:
    shop = two_warehouses(5, 5)
    made = pb.Warehouse(warehouse="near", tier=pb.TIER_CITY, state=pb.WAREHOUSE_STATE_ACTIVE)
    made.location.latitude = 31.0
    shop.change("WAREHOUSE", made)
    shop.place(Placed("order", 0, "sh", ("near", "far"), 0, "geo:32.000000,0.000000"), [("book", 1)])
    near, far = explain_past(shop, "order", shop.table, chooser.route).candidates
    assert round(near.distance_km) == 111
    assert not far.HasField("distance_km")


def test_an_order_that_the_database_does_not_know_is_not_found() -> None:
    with pytest.raises(Refused, match="RESERVATION_NOT_FOUND"):
        explain_past(PastShop(), "none", {}, chooser.route)


def test_no_orders_are_tried_to_no_effect() -> None:
    assert tried(PastShop(), Policy()).orders == 0


def test_only_the_newest_orders_of_the_channel_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = two_warehouses(50, 50)
    for number in range(8):
        shop.place(Placed(f"order-{number}", 0, "sh"), [("book", 1)], channel="web" if number % 2 else "app")
    everything = Policy(excluded=frozenset({"near", "far"}))
    refused = [it.order_id for it in tried(shop, everything, newest=2, channel="web").changes]
    assert refused == ["order-7", "order-5"]
    monkeypatch.setattr(trial, "LINES_MAX", 3)
    monkeypatch.setattr(trial, "CHUNK", 2)
    assert tried(shop, everything).orders == 3


def test_an_excluded_warehouse_refuses_what_it_alone_kept() -> None:
    shop = two_warehouses(5, 5)
    shop.place(Placed("order", 0, "sh"), [("book", 8)])
    response = tried(shop, Policy(excluded=frozenset({"far"})))
    assert response.changes[0] == routing_pb2.RoutingChange(
        order_id="order", before=["near", "far"], reason=errors_pb2.REASON_INSUFFICIENT_STOCK
    )
    assert (response.before.parcels, response.after.refused_units, response.after.refused_lines) == (2, 8, 1)
    partly = tried(shop, Policy(excluded=frozenset({"far"}), allow_partial=True))
    assert (partly.after.parcels, partly.after.refused_units, partly.after.refused_orders) == (1, 3, 0)
