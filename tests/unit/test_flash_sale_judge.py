"""The judge of the flash sale is not lenient."""

from __future__ import annotations

import pytest
from lockstock.v1 import stock_pb2 as stock
from lockstock_server.flash_sale.buyers import Behaviour, crowd
from lockstock_server.flash_sale.judge import EMPTY, Entry, Found, Verb, judge, percentiles

PAID = Found(locked=0, deducted=1, unlocked=0, expired=0, cancelled=0)
LAPSED = Found(locked=0, deducted=0, unlocked=0, expired=1, cancelled=0)
SOLD_OUT = stock.StockLevel(available=0, locked=0, allocated=2)


def paid(buyer: int) -> list[Entry]:
    return [Entry(buyer, Verb.LOCKED, 1, 0.1), Entry(buyer, Verb.PAID, 2, 0.1)]


def test_a_sale_that_sold_every_unit_once_has_no_faults() -> None:
    entries = [
        *paid(1),
        *paid(2),
        Entry(3, Verb.REFUSED, 0, 0.1, "INSUFFICIENT_STOCK"),
        Entry(4, Verb.LOCKED, 3, 0.1),
    ]
    verdict = judge(2, entries, {1: PAID, 2: PAID, 4: LAPSED}, SOLD_OUT)
    assert verdict.faults == []
    assert (verdict.sold, verdict.oversold, verdict.lost, verdict.answers) == (2, 0, 0, 6)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({1: PAID}, "acknowledged and is not there"),
        ({1: PAID, 2: EMPTY}, "acknowledged and is not there"),
        ({1: PAID, 2: LAPSED}, "paid and is not deducted"),
    ],
)
def test_an_acknowledged_payment_that_is_gone_is_lost(found: dict[int, Found], words: str) -> None:
    verdict = judge(2, [*paid(1), *paid(2)], found, SOLD_OUT)
    assert verdict.lost == 1
    assert words in verdict.faults[0]


def test_one_unit_sold_twice_is_oversold() -> None:
    verdict = judge(1, [*paid(1), *paid(2)], {1: PAID, 2: PAID}, SOLD_OUT)
    assert verdict.oversold == 1
    assert verdict.faults


def test_units_that_stay_locked_are_a_fault() -> None:
    level = stock.StockLevel(available=0, locked=1, allocated=1)
    assert any("available or locked" in fault for fault in judge(1, paid(1), {1: PAID}, level).faults)


def test_a_cancelled_lock_that_still_stands_is_a_fault() -> None:
    entries = [Entry(1, Verb.LOCKED, 1, 0.1), Entry(1, Verb.CANCELLED, 2, 0.1)]
    held = Found(locked=1, deducted=0, unlocked=0, expired=0, cancelled=0)
    assert judge(0, entries, {1: held}, stock.StockLevel()).lost == 1


def test_the_same_seed_is_the_same_crowd_and_every_behaviour_is_in_it() -> None:
    whole = list(crowd(seed=3, buyers=1_000, of=1, worker=0))
    parts = [buyer for worker in range(3) for buyer in crowd(seed=3, buyers=1_000, of=3, worker=worker)]
    assert sorted(parts, key=lambda buyer: buyer.number) == whole
    assert {buyer.behaviour for buyer in whole} == set(Behaviour)


def test_percentiles_are_of_the_ordered_values_in_milliseconds() -> None:
    assert percentiles([seconds / 1000 for seconds in range(1, 101)])["p50"] == pytest.approx(51)
    assert percentiles([]) == {}
