"""The shop a replay runs on: its regions, its warehouses, and how opening stock is spread over them.

Every country of the file is a region below one of three; the home country has a front and a local
warehouse of its own, Europe a regional one, and the central one serves everybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lockstock.v1 import catalog_pb2 as catalog

from lockstock_server.replay.rows import Kind, Row

HOME_COUNTRIES = frozenset({"United Kingdom", "Channel Islands"})
EUROPE = frozenset(
    {
        *(
            "Austria",
            "Belgium",
            "Cyprus",
            "Denmark",
            "EIRE",
            "Finland",
            "France",
            "Germany",
            "Greece",
            "Iceland",
        ),
        *("Italy", "Lithuania", "Malta", "Netherlands", "Norway", "Poland", "Portugal", "Spain", "Sweden"),
        "Switzerland",
    }
)
HOME, CONTINENT, ELSEWHERE = "HOME", "EUROPE", "WORLD"


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse of the shop, and its share of every SKU's opening stock."""

    warehouse: str
    tier: catalog.Tier.ValueType
    covers: str
    percent: int


PLACES = (
    Place("FRONT-HOME", catalog.TIER_FRONT, HOME, 10),
    Place("LOCAL-HOME", catalog.TIER_LOCAL, HOME, 40),
    Place("REGIONAL-EUROPE", catalog.TIER_REGIONAL, CONTINENT, 15),
    Place("CENTRAL", catalog.TIER_CENTRAL, "", 35),
)
"""In the order of their tiers. The shares add up to 100."""


def group(country: str) -> str:
    """Which of the three regions a country lies in."""
    if country in HOME_COUNTRIES:
        return HOME
    return CONTINENT if country in EUROPE else ELSEWHERE


def warehouses_for(country: str) -> list[str]:
    """The warehouses that serve a country, in the order in which they are tried."""
    return [place.warehouse for place in PLACES if place.covers in {"", group(country)}]


def regions(rows: Iterable[Row]) -> list[catalog.Region]:
    """The three regions, then every country of the file below its own."""
    countries = sorted({row.country for row in rows})
    return [catalog.Region(region=name) for name in (HOME, CONTINENT, ELSEWHERE)] + [
        catalog.Region(region=country, parent=group(country)) for country in countries
    ]


def warehouses() -> list[catalog.Warehouse]:
    """The shop's warehouses."""
    return [
        catalog.Warehouse(
            warehouse=place.warehouse,
            tier=place.tier,
            coverage=catalog.Coverage(regions=[place.covers] if place.covers else []),
        )
        for place in PLACES
    ]


def skus(rows: Iterable[Row]) -> list[str]:
    """Every SKU that something happens to, in order."""
    moving = {Kind.SALE, Kind.RETURN, Kind.INCREASE, Kind.DECREASE}
    return sorted({row.sku for row in rows if row.kind in moving})


def opening_by_percent(rows: Iterable[Row], percent: int) -> dict[str, int]:
    """Opening stock of each SKU: so many percent of all it sells in the file, rounded up."""
    sold: Counter[str] = Counter()
    for row in rows:
        if row.kind is Kind.SALE:
            sold[row.sku] += row.units
    return {sku: -(-units * percent // 100) for sku, units in sorted(sold.items())}


def spread(opening: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """(SKU, warehouse, units): each SKU by the places' shares, rounded down; the central one has the rest."""
    spread_out = []
    for sku, units in opening.items():
        rest = units
        for place in PLACES[:-1]:
            share = units * place.percent // 100
            rest -= share
            spread_out.append((sku, place.warehouse, share))
        spread_out.append((sku, PLACES[-1].warehouse, rest))
    return [(sku, warehouse, units) for sku, warehouse, units in spread_out if units > 0]
