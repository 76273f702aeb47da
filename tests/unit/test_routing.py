"""Route plans: their order, and that compiling only what changed is the same as compiling everything."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockstock_server.routing.distance import Point, distance_km
from lockstock_server.routing.network import Network, Place, Site

FRONT, LOCAL, CITY, REGIONAL, CENTRAL = range(1, 6)
CODES = ["cn", "cn-sh", "cn-sh-1", "cn-bj", "de", "de-be"]
POINTS = st.none() | st.builds(Point, st.integers(-90, 90).map(float), st.integers(-180, 180).map(float))


def network(sites: list[Site], places: list[Place]) -> Network:
    made = Network()
    for place in places:
        made.put_place(place.region, place)
    for site in sites:
        made.put_site(site.warehouse, site)
    return made


def obvious_plan(region: str, sites: dict[str, Site], places: dict[str, Place]) -> tuple[str, ...]:
    """The rule as domain.md words it, without an index."""
    codes = []
    at = region
    while at:
        codes.append(at)
        at = places[at].parent if at in places else ""
    centroid = places[region].centroid

    def distance(site: Site) -> float:
        if centroid is None or site.location is None:
            return math.inf
        return distance_km(centroid, site.location)

    covering = [s for s in sites.values() if not s.closed and (s.everywhere or s.regions & set(codes))]
    covering.sort(key=lambda s: s.warehouse)
    covering.sort(key=distance)
    covering.sort(key=lambda s: s.rank)
    covering.sort(key=lambda s: s.tier)
    return tuple(s.warehouse for s in covering)


SITES = st.builds(
    Site,
    warehouse=st.sampled_from([f"W{n}" for n in range(6)]),
    tier=st.integers(FRONT, CENTRAL),
    rank=st.integers(0, 2),
    regions=st.frozensets(st.sampled_from(CODES), max_size=3),
    everywhere=st.booleans(),
    location=POINTS,
    closed=st.booleans(),
)


@st.composite
def places_(draw: st.DrawFn) -> Place:
    # A parent always stands before its child in CODES: no cycles, as the catalogue guarantees.
    at = draw(st.integers(0, len(CODES) - 1))
    return Place(CODES[at], draw(st.sampled_from(["", *CODES[:at]])), draw(POINTS))


@settings(max_examples=300)
@given(st.lists(SITES | places_(), max_size=25))
def test_after_any_changes_every_plan_is_the_obvious_sort_and_only_touched_regions_changed(
    changes: list[Site | Place],
) -> None:
    incremental = Network()
    sites: dict[str, Site] = {}
    places: dict[str, Place] = {}
    plans: dict[str, tuple[str, ...]] = {}
    for change in changes:
        if isinstance(change, Site):
            sites[change.warehouse] = change
            touched = incremental.put_site(change.warehouse, change)
        else:
            places[change.region] = change
            touched = incremental.put_place(change.region, change)
        plans.update({region: incremental.plan(region) for region in touched})
        assert plans == {region: obvious_plan(region, sites, places) for region in places}


@given(st.lists(SITES, max_size=8), SITES)
def test_taking_a_change_back_gives_the_plans_from_before(standing: list[Site], change: Site) -> None:
    places = [Place("cn"), Place("cn-sh", "cn"), Place("de")]
    made = network(standing, places)
    before = {region: made.plan(region) for region in made.regions()}
    old = made.site(change.warehouse)
    made.put_site(change.warehouse, change)
    made.put_site(change.warehouse, old)
    assert {region: made.plan(region) for region in made.regions()} == before


def test_the_order_is_tier_then_rank_then_distance_then_id() -> None:
    here = Point(31.2, 121.5)
    sites = [
        Site("central", CENTRAL, everywhere=True),
        Site("front-b", FRONT, regions=frozenset({"sh"})),
        Site("front-a", FRONT, regions=frozenset({"sh"})),
        Site("city-far", CITY, regions=frozenset({"sh"}), location=Point(39.9, 116.4)),
        Site("city-near", CITY, regions=frozenset({"sh"}), location=Point(31.3, 121.4)),
        Site("city-unknown", CITY, regions=frozenset({"sh"})),
        Site("city-first", CITY, rank=0, regions=frozenset({"sh"}), location=here),
        Site("city-ranked", CITY, rank=1, regions=frozenset({"sh"}), location=here),
        Site("regional", REGIONAL, regions=frozenset({"cn"})),
        Site("closed", FRONT, regions=frozenset({"sh"}), closed=True),
        Site("elsewhere", LOCAL, regions=frozenset({"bj"})),
    ]
    made = network(sites, [Place("cn"), Place("sh", "cn", here), Place("bj", "cn")])
    assert made.plan("sh") == (
        "front-a",
        "front-b",
        "city-first",
        "city-near",
        "city-far",
        "city-unknown",
        "city-ranked",
        "regional",
        "central",
    )
    assert made.plan("cn") == ("regional", "central")


def test_a_change_of_a_warehouse_touches_only_the_regions_it_covers() -> None:
    made = network([], [Place("cn"), Place("sh", "cn"), Place("de")])
    assert made.put_site("W", Site("W", CITY, regions=frozenset({"cn"}))) == {"cn", "sh"}
    assert made.put_site("W", Site("W", CITY, regions=frozenset({"cn"}))) == set()
    assert made.put_site("W", Site("W", CITY, regions=frozenset({"de"}))) == {"cn", "sh", "de"}


@pytest.mark.parametrize(
    ("one", "other", "kilometres"),
    [
        (Point(31.2304, 121.4737), Point(39.9042, 116.4074), 1_067),
        (Point(52.52, 13.405), Point(48.1374, 11.5755), 504),
        (Point(0, 179.5), Point(0, -179.5), 111),
        (Point(10, 10), Point(10, 10), 0),
        (Point(90, 0), Point(-90, 0), 20_015),
    ],
)
def test_distance_is_along_the_great_circle(one: Point, other: Point, kilometres: float) -> None:
    assert distance_km(one, other) == pytest.approx(kilometres, abs=1.5)
