"""Reading the database: at a sequence or not at all; pages of orders against the same filters in Python."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from lockstock.v1 import stock_pb2
from lockstock_server.orders.listing import Filters, Place
from lockstock_server.orders.matrix import small_orders
from lockstock_server.orders.reservations import order_of, sums_of_reservation
from lockstock_server.orders.states import STATES, state_of
from lockstock_server.projection import schema
from lockstock_server.refusals import Refused
from lockstock_server.reports import orders, reader
from lockstock_server.reports.orders import OrderReports
from lockstock_server.reports.reader import Reports
from order_rows import JOURNAL, Follower, Rows, chance_order
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import SQLAlchemyError

MOVEMENTS = ["LOCK", "DEDUCT", "EXPIRE", "SHIP_ALLOCATED"]


@contextmanager
def reading(url: str, follower: Follower, newest: int = 1_000) -> Iterator[Reports]:
    reports = Reports(url, journal_id=JOURNAL, follower=follower, newest=lambda: newest)
    try:
        yield reports
    finally:
        reports.close()


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


async def refused_reading(reports: Reports, min_sequence: int) -> tuple[str, dict[str, str]]:
    with pytest.raises(Refused) as refused:
        await reports.read(one, min_sequence=min_sequence)
    return refused.value.reason, refused.value.metadata


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "WAIT_SECONDS", 0.05)


async def test_a_read_says_at_which_sequence_it_stands(url: str) -> None:
    Rows(url).write(7)
    with reading(url, Follower(7)) as reports:
        assert await reports.read(one) == (1, 7)
        assert await reports.read(one, min_sequence=7) == (1, 7)


async def test_a_read_waits_for_the_sequence_it_wants_and_wakes_the_projector(url: str) -> None:
    rows, follower = Rows(url), Follower(7)
    rows.write(7)
    with reading(url, follower) as reports:
        waiting = asyncio.ensure_future(reports.read(one, min_sequence=9))
        await follower.waited_for()
        assert not waiting.done()
        rows.write(9)
        follower.sequence = 9
        assert await waiting == (1, 9)


@pytest.mark.usefixtures("impatient")
async def test_a_database_that_stays_behind_is_away(url: str) -> None:
    Rows(url).write(7)
    with reading(url, Follower(7)) as reports:
        assert await refused_reading(reports, 8) == ("DATABASE_AWAY", {"wanted": "8", "as_of": "7"})
        assert await reports.read(one) == (1, 7)


@pytest.mark.usefixtures("impatient")
async def test_a_database_that_is_built_anew_is_behind_whatever_the_projector_last_knew(url: str) -> None:
    Rows(url).write(3)
    with reading(url, Follower(9)) as reports:
        assert (await refused_reading(reports, 8))[0] == "DATABASE_AWAY"


async def test_a_database_of_another_journal_is_away(url: str) -> None:
    Rows(url).write(7, journal_id="another")
    with reading(url, Follower(7)) as reports:
        assert (await refused_reading(reports, 0))[0] == "DATABASE_AWAY"


async def test_a_database_without_tables_is_away(url: str) -> None:
    with reading(url, Follower(7)) as reports:
        assert await refused_reading(reports, 5) == ("DATABASE_AWAY", {"wanted": "5", "as_of": "7"})


async def test_a_database_that_nobody_answers_at_is_away() -> None:
    with reading("postgresql://127.0.0.1:1/none", Follower(7)) as reports:
        assert await refused_reading(reports, 5) == ("DATABASE_AWAY", {"wanted": "5", "as_of": "7"})


@pytest.mark.parametrize("wanted", [-1, 8, 2**62])
async def test_a_sequence_that_there_is_not_yet_is_refused_at_once(
    new_sqlite: Callable[[], str], wanted: int
) -> None:
    with reading(new_sqlite(), Follower(7), newest=7) as reports:
        expected = {"field": "min_sequence", "value": str(wanted), "limit": "0 to 7"}
        assert await refused_reading(reports, wanted) == ("NUMBER_OUT_OF_RANGE", expected)


async def test_more_readers_than_may_wait_are_refused(
    new_sqlite: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "READS_MAX", 1)
    url = new_sqlite()
    rows, follower = Rows(url), Follower(7)
    rows.write(7)
    with reading(url, follower) as reports:
        waiting = asyncio.ensure_future(reports.read(one, min_sequence=8))
        await follower.waited_for()
        assert await refused_reading(reports, 0) == ("OVERLOADED", {"limit": "reports"})
        rows.write(8)
        follower.sequence = 8
        assert await waiting == (1, 8)
        assert await reports.read(one) == (1, 8)


async def test_nothing_can_be_written_through_it(url: str) -> None:
    Rows(url).write(7)

    def write(connection: Connection) -> None:
        connection.execute(insert(schema.skus).values(sku="a", category="", claimed=0))

    with reading(url, Follower(7)) as reports, pytest.raises(Refused) as refused:
        await reports.read(write)
    assert isinstance(refused.value.__cause__, SQLAlchemyError)


async def test_what_a_read_sees_is_of_one_moment(url: str) -> None:
    rows = Rows(url)
    rows.order("o", 1)
    rows.write(7)

    def twice(connection: Connection) -> list[int]:
        count = text("SELECT COUNT(*) FROM reservations")
        before = connection.execute(count).scalar_one()
        rows.order("p", 2)
        rows.write(8)
        return [before, connection.execute(count).scalar_one()]

    with reading(url, Follower(7)) as reports:
        assert await reports.read(twice) == ([1, 1], 7)


# --- the history of one order ---


async def test_a_history_is_what_named_the_order_and_what_moved_its_units_up_to_a_sequence(url: str) -> None:
    rows = Rows(url)
    rows.step(1, "PLACE_ORDER", "o", request_id="key", reason="\\x5c78", document="d", attributes="\\xff00")
    rows.movement(1, 0, "LOCK", "o", 3)
    rows.movement(1, 1, "LOCK", "o", 2)
    rows.step(2, "EXTEND_ORDER", "o")
    rows.step(3, "PLACE_ORDER", "another")
    rows.movement(3, 0, "LOCK", "another")
    rows.step(4, "DRAFT_TRANSFER", "o")
    rows.movement(4, 0, "DRAFT_TRANSFER", "o")
    rows.step(5, "SWEEP")
    rows.movement(5, 0, "EXPIRE", "o", 5)
    rows.movement(5, 1, "EXPIRE", "another")
    rows.step(6, "EXCHANGE_ORDER", "another")
    rows.movement(6, 0, "SHIP_ALLOCATED", "o")
    rows.step(7, "PAY_ORDER", "o", outcome="RELOCKED")
    rows.write(7)
    with reading(url, Follower(7)) as reports:
        steps = await OrderReports(reports, MOVEMENTS).history("o", 6, 5)
    assert [(step.sequence, step.operation, step.at) for step in steps] == [
        (1, "PLACE_ORDER", 1_000_000),
        (2, "EXTEND_ORDER", 2_000_000),
        (5, "SWEEP", 5_000_000),
        (6, "EXCHANGE_ORDER", 6_000_000),
    ]
    assert [[(it.kind, it.quantity) for it in step.movements] for step in steps] == [
        [("LOCK", 3), ("LOCK", 2)],
        [],
        [("EXPIRE", 5)],
        [("SHIP_ALLOCATED", 1)],
    ]
    first = steps[0]
    assert (first.request_id, first.reason, first.document, first.attributes) == (
        "key",
        "\\x",
        "d",
        b"\xff\x00",
    )


# --- pages of many ---


def fits(filters: Filters, order: stock_pb2.Reservation, buyers: dict[str, str]) -> bool:
    """The filters, said again over whole orders."""
    held = {
        place.warehouse
        for line in order.lines
        for place in line.allocations
        if place.locked + place.allocated + place.picking + place.shipped
    }
    created_at = order.created_at.ToMicroseconds()
    return all(
        (
            not filters.states or state_of(sums_of_reservation(order)) in filters.states,
            filters.channel in {"", order.channel},
            filters.region in {"", order.region},
            filters.buyer in {"", buyers[order.reservation_id]},
            not filters.sku or filters.sku in {line.sku for line in order.lines},
            not filters.warehouse or filters.warehouse in held,
            filters.created_from is None or created_at >= filters.created_from,
            filters.created_before is None or created_at < filters.created_before,
        )
    )


FILTERS = [
    Filters(),
    *(Filters(states=frozenset({row.state})) for row in STATES),
    Filters(states=frozenset(row.state for row in STATES[3:9]), sku="pen"),
    Filters(channel="web"),
    Filters(buyer="a" * 32),
    Filters(region="DE", warehouse="BJ"),
    Filters(sku="book", created_from=20, created_before=60),
    Filters(created_before=0),
]


async def walk(archive: OrderReports, filters: Filters, size: int) -> list[stock_pb2.Reservation]:
    found: list[stock_pb2.Reservation] = []
    after: Place | None = None
    while True:
        page = await archive.page(filters, size, after, 0)
        assert len(page.orders) <= size
        found += page.orders
        if page.following is None:
            return found
        after = page.following


@pytest.mark.parametrize("candidates", [1_000, 7])
async def test_pages_under_any_filters_give_each_order_that_fits_once_newest_first(
    url: str, candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few candidates a query, and few queries a page, pages are short, and nothing is lost."""
    monkeypatch.setattr(orders, "CANDIDATES", candidates)
    monkeypatch.setattr(orders, "ROUNDS", 2)
    chance, rows = random.Random(f"pages {candidates}"), Rows(url)
    small = list(small_orders())
    for number in range(156):
        # As many of each state, mixed; several of one moment: the id decides.
        wanted = STATES[number % len(STATES)].state
        order = chance.choice([it for it in small if state_of(it) == wanted])
        chance_order(rows, f"o-{number}", number // 3, order, chance)
    rows.write(500)
    buyers = {row["reservation"]: row["buyer"] for row in rows.rows["reservations"]}
    with reading(url, Follower(500)) as reports:
        archive = OrderReports(reports, MOVEMENTS)
        everything = await walk(archive, Filters(), 1_000)
        assert len(everything) == 156
        places = [(order.created_at.ToMicroseconds(), order.reservation_id) for order in everything]
        assert places == sorted(places, reverse=True)
        assert {state_of(sums_of_reservation(order)) for order in everything} == {row.state for row in STATES}
        for filters in FILTERS:
            expected = [order for order in everything if fits(filters, order, buyers)]
            assert await walk(archive, filters, chance.choice([7, 40])) == expected


async def test_an_order_is_read_as_the_engine_would_give_it(url: str) -> None:
    rows = Rows(url)
    rows.order(
        "o",
        1_000_000,
        version=5,
        deadline=9_000_000,
        extensions=2,
        region="CN",
        destination="geo:31.230000,121.470000",
        max_parcels=2,
        channel="web",
        attributes="\\xff",
    )
    rows.line("o", 2, sku="pen", policy="ON_PAYMENT", wanted=4, refused=1)
    rows.line("o", 1, requested=3, locked=3)
    rows.place("o", 1, warehouse="BJ", position=1, locked=1)
    rows.place("o", 1, warehouse="SH", position=0, locked=2)
    rows.write(7)
    with reading(url, Follower(7)) as reports:
        page = await OrderReports(reports, MOVEMENTS).page(Filters(), 10, None, 7)
    order = order_of(page.orders[0])
    assert (order.sequence, order.version, order.extensions, order.max_parcels) == (7, 5, 2, 2)
    assert (order.destination.region, order.destination.coordinates.latitude) == ("CN", 31.23)
    assert (order.channel, order.attributes, order.deadline.seconds) == ("web", b"\xff", 9)
    first, second = order.lines
    assert [(place.warehouse, place.locked) for place in first.allocations] == [("SH", 2), ("BJ", 1)]
    assert (second.sku, second.wanted, second.refused, second.deduction_policy) == ("pen", 4, 1, 2)
