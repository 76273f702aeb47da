"""Who gives what to an order, by trying every set of warehouses: the naive twin of the engine's chooser."""

from __future__ import annotations

import json
import sys
from itertools import combinations

EXACT_CANDIDATES = 16
EXACT_PARCELS = 3

Offers = list[list[tuple[int, int]]]


def route(
    asks: list[tuple[int, int]],
    offers: Offers,
    free: list[int],
    max_parcels: int,
    allow_partial: bool,  # noqa: FBT001 - as the core has it
) -> str:
    """The face of `_core.route`."""
    asked = [sum(units for sku, units in asks if sku == at) for at in range(len(offers))]
    here = [min(sum(units for _, units in row), free[at]) for at, row in enumerate(offers)]
    short = [at for at in range(len(offers)) if here[at] < asked[at]]
    if short and (not allow_partial or not any(here)):
        return json.dumps({"short": short})
    left = [min(one, other) for one, other in zip(asked, here, strict=True)]
    needs = list(left)
    granted, refused = [], []
    for line, (sku, units) in enumerate(asks, start=1):
        grant = min(units, left[sku])
        left[sku] -= grant
        granted.append((line, sku, grant))
        if grant < units:
            refused.append([line, units - grant])
    positions, exact = fewest(needs, offers, max_parcels or sys.maxsize)
    if max_parcels and len(positions) > max_parcels:
        return json.dumps({"parcels_needed": len(positions)})
    return json.dumps({"takes": takes(granted, positions, offers), "refused": refused, "split_exact": exact})


def covers(needs: list[int], offers: Offers, positions: tuple[int, ...]) -> bool:
    """Whether these warehouses together have everything."""
    return all(
        sum(units for at, units in row if at in positions) >= need
        for need, row in zip(needs, offers, strict=True)
    )


def exhaustive(needs: list[int], offers: Offers, parcels: int) -> tuple[int, ...] | None:
    """The first set, of the fewest, in the order of sorted positions; None where so many parcels do not do."""
    useful = useful_positions(needs, offers)
    for count in range(1, parcels + 1):
        for positions in combinations(useful, count):
            if covers(needs, offers, positions):
                return positions
    return None


def useful_positions(needs: list[int], offers: Offers) -> list[int]:
    """Who has anything of what is needed."""
    return sorted({at for need, row in zip(needs, offers, strict=True) if need for at, _ in row})


def fewest(needs: list[int], offers: Offers, most: int) -> tuple[tuple[int, ...], bool]:
    """Exact as far as it is promised, greedy beyond: in plan order; where that makes more than `most`, the fullest
    first, if these are fewer."""
    useful = useful_positions(needs, offers)
    parcels = EXACT_PARCELS if len(useful) <= EXACT_CANDIDATES else 1
    found = exhaustive(needs, offers, parcels)
    if found is not None:
        return found, True
    chosen = greedy(needs, offers, useful)
    if len(chosen) > most:
        helps = {
            at: sum(min(n, dict(row).get(at, 0)) for n, row in zip(needs, offers, strict=True))
            for at in useful
        }
        fullest = greedy(needs, offers, sorted(useful, key=lambda at: -helps[at]))
        chosen = min(chosen, sorted(fullest), key=len)
    return tuple(chosen), False


def greedy(needs: list[int], offers: Offers, order: list[int]) -> list[int]:
    """Who gives something that is still missing, in this order."""
    chosen: list[int] = []
    left = list(needs)
    for position in order:
        gives = [min(need, dict(row).get(position, 0)) for need, row in zip(left, offers, strict=True)]
        if any(gives):
            chosen.append(position)
        left = [need - given for need, given in zip(left, gives, strict=True)]
    return chosen


def takes(granted: list[tuple[int, int, int]], positions: tuple[int, ...], offers: Offers) -> list[list[int]]:
    """Each line takes all it can from the earlier warehouse."""
    left = [dict(row) for row in offers]
    taken = []
    for line, sku, wanted in granted:
        missing = wanted
        for position in positions:
            units = min(missing, left[sku].get(position, 0))
            if units:
                taken.append([line, position, units])
                left[sku][position] -= units
                missing -= units
    return taken
