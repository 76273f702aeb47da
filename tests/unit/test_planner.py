"""Planning for coordinates and pickups: who is a candidate, in which order, and what is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockstock.internal.v1 import orders_pb2 as seam
from lockstock.v1 import catalog_pb2, orders_pb2
from lockstock_server.refusals import Refused
from lockstock_server.routing.beyond import geo, pickup_of, point_of
from lockstock_server.routing.distance import EARTH_RADIUS_KM, Point, distance_km
from lockstock_server.routing.network import Network, Place, Site
from lockstock_server.routing.planner import CANDIDATES_MAX, Planner
from lockstock_server.routing.reach import DEGREE_KM, Reaches

FRONT, LOCAL, CITY, REGIONAL, CENTRAL = range(1, 6)
HALF_ROUND_KM = 20_015.1
POINTS = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
BUYER = Point(31.23, 121.47)


def network(*sites: Site) -> Network:
    made = Network()
    made.put_place("cn", Place("cn"))
    made.put_place("sh", Place("sh", "cn", Point(31.0, 121.0)))
    for site in sites:
        made.put_site(site.warehouse, site)
    return made


def destination(region: str = "", at: Point | None = None, pickup: str = "") -> orders_pb2.Destination:
    made = orders_pb2.Destination(region=region, pickup=pickup)
    if at is not None:
        made.coordinates.CopyFrom(catalog_pb2.Coordinates(latitude=at.latitude, longitude=at.longitude))
    return made


def planned(made: Network, where: orders_pb2.Destination) -> list[str]:
    plan = Planner(made).plan(where)
    assert plan is not None
    return list(plan.warehouses)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 11), st.none() | POINTS, st.floats(0, HALF_ROUND_KM)), max_size=40),
    POINTS,
)
def test_the_index_finds_exactly_those_whose_radius_reaches_the_buyer(
    changes: list[tuple[int, Point | None, float]], buyer: Point
) -> None:
    reaches = Reaches()
    known: dict[str, tuple[Point, float]] = {}
    for number, location, radius in changes:
        reaches.put(f"W{number}", location, radius)
        known.pop(f"W{number}", None)
        if location is not None and radius > 0:
            known[f"W{number}"] = (location, radius)
    obvious = [name for name, (location, radius) in known.items() if distance_km(buyer, location) <= radius]
    assert sorted(reaches.around(buyer)) == sorted(obvious)


@given(POINTS, st.floats(0.001, 100))
def test_a_buyer_due_north_at_the_radius_itself_is_not_lost_to_the_index(shop: Point, radius: float) -> None:
    buyer = Point(min(90.0, shop.latitude + radius / DEGREE_KM), shop.longitude)
    reaches = Reaches()
    reaches.put("shop", shop, radius)
    reached = distance_km(buyer, shop) <= radius
    assert list(reaches.around(buyer)) == (["shop"] if reached else [])


def test_a_degree_of_latitude_is_its_length_on_the_sphere() -> None:
    assert distance_km(Point(10, 7), Point(11, 7)) == pytest.approx(DEGREE_KM)
    assert distance_km(Point(-90, 0), Point(90, 0)) == pytest.approx(DEGREE_KM * 180)
    assert EARTH_RADIUS_KM < DEGREE_KM * 58


def test_a_region_alone_needs_no_plan_of_its_own() -> None:
    assert Planner(network()).plan(destination("sh")) is None


def test_coordinates_bring_in_front_warehouses_by_radius_and_measure_from_the_buyer() -> None:
    made = network(
        Site("front-reaching", FRONT, location=Point(31.24, 121.47), reach_km=3),
        Site("front-too-far", FRONT, location=Point(31.5, 121.47), reach_km=3),
        Site("front-far-but-covering", FRONT, regions=frozenset({"sh"}), location=Point(31.5, 121.47)),
        Site("front-closed", FRONT, location=BUYER, reach_km=3, closed=True),
        # Nearer to the region's middle than the other, but farther from the buyer.
        Site("city-west", CITY, regions=frozenset({"cn"}), location=Point(31.0, 121.1)),
        Site("city-east", CITY, regions=frozenset({"cn"}), location=Point(31.25, 121.6)),
        Site("central", CENTRAL, everywhere=True),
        Site("elsewhere", LOCAL, regions=frozenset({"de"})),
    )
    assert made.plan("sh") == ("front-far-but-covering", "city-west", "city-east", "central")
    assert planned(made, destination("sh", BUYER)) == [
        "front-reaching",
        "front-far-but-covering",
        "city-east",
        "city-west",
        "central",
    ]


def test_a_front_warehouse_that_covers_and_reaches_is_one_candidate() -> None:
    made = network(Site("F", FRONT, regions=frozenset({"sh"}), location=BUYER, reach_km=5))
    assert planned(made, destination("sh", BUYER)) == ["F"]


def test_a_radius_that_is_taken_back_reaches_nobody() -> None:
    made = network(Site("F", FRONT, location=BUYER, reach_km=5))
    made.put_site("F", Site("F", FRONT, location=BUYER))
    assert planned(made, destination("sh", BUYER)) == []


def test_a_buyer_has_no_more_candidates_than_an_order_may_list_and_keeps_the_first() -> None:
    draw = random.Random(7)
    shops = [
        Site(f"F{n:04}", FRONT, location=Point(31.2 + draw.random() / 10, 121.4), reach_km=50)
        for n in range(CANDIDATES_MAX + 200)
    ]
    made = network(*shops, Site("central", CENTRAL, everywhere=True))
    found = planned(made, destination("sh", BUYER))
    nearest = sorted(shops, key=lambda site: site.rung(BUYER))
    assert found == [site.warehouse for site in nearest[:CANDIDATES_MAX]]


def test_an_order_keeps_where_it_goes_as_text_that_explains_it_later() -> None:
    made = network(Site("S", LOCAL, pickup=True))
    planner = Planner(made)
    assert planner.plan(destination("sh", Point(31.23, -121.5))) == seam.Planned(
        destination="geo:31.230000,-121.500000"
    )
    assert planner.plan(destination(pickup="S")) == seam.Planned(warehouses=["S"], destination="pickup:S")
    assert geo(planner.buyer(destination("sh", Point(-0.0000001, -0.0)))) == "geo:0.000000,0.000000"


@given(POINTS)
def test_what_an_order_keeps_of_the_buyers_place_is_what_distances_were_measured_from(at: Point) -> None:
    buyer = Planner(network()).buyer(destination("sh", at))
    assert point_of(geo(buyer)) == buyer
    assert pickup_of(geo(buyer)) == ""


def test_a_pickup_has_no_point_and_names_its_warehouse() -> None:
    assert point_of("pickup:S") is None
    assert point_of("") is None
    assert pickup_of("pickup:S") == "S"


@pytest.mark.parametrize(
    "site", [Site("S", FRONT, pickup=True, closed=True), Site("S", CENTRAL, pickup=True)]
)
def test_a_pickup_is_that_warehouse_alone_and_whether_it_works_is_judged_with_its_stock(site: Site) -> None:
    assert planned(network(site, Site("other", CENTRAL, everywhere=True)), destination(pickup="S")) == ["S"]


@pytest.mark.parametrize(
    ("where", "reason", "facts"),
    [
        (destination("sh", pickup="S"), "FIELDS_CONFLICT", {"field": "destination.region"}),
        (destination("", BUYER, "S"), "FIELDS_CONFLICT", {"field": "destination.coordinates"}),
        (destination(pickup="none"), "WAREHOUSE_NOT_FOUND", {"warehouse": "none"}),
        (destination(pickup="no\nid"), "ID_INVALID", {"field": "destination.pickup"}),
        (destination(pickup="W"), "PICKUP_NOT_OFFERED", {"warehouse": "W"}),
        (destination("", BUYER), "FIELD_REQUIRED", {"field": "destination.region"}),
        (destination("none", BUYER), "REGION_NOT_FOUND", {"region": "none"}),
        (
            destination("sh", Point(90.5, 0)),
            "NUMBER_OUT_OF_RANGE",
            {"field": "destination.coordinates.latitude", "value": "90.5", "limit": "-90 to 90"},
        ),
        (
            destination("sh", Point(0, float("nan"))),
            "NUMBER_OUT_OF_RANGE",
            {"field": "destination.coordinates.longitude", "value": "nan", "limit": "-180 to 180"},
        ),
    ],
)
def test_a_destination_that_cannot_be_planned_is_refused(
    where: orders_pb2.Destination, reason: str, facts: dict[str, str]
) -> None:
    made = network(Site("S", FRONT, pickup=True), Site("W", FRONT))
    with pytest.raises(Refused) as refused:
        Planner(made).plan(where)
    assert (refused.value.reason, refused.value.metadata) == (reason, facts)
