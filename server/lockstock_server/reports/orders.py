"""Orders in the database: the history of one, and pages of many."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from lockstock.v1 import catalog_pb2, stock_pb2
from sqlalchemy import Integer, and_, case, cast, func, or_, select, union

from lockstock_server.orders.history import OPERATIONS, Moved, Step, time_of
from lockstock_server.orders.listing import Filters, Place
from lockstock_server.orders.service import Page
from lockstock_server.orders.states import STATES, Sums
from lockstock_server.projection import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

    from lockstock_server.reports.reader import Reports

CANDIDATES: Final = 1_000
"""Orders whose state is looked at in one query."""
ROUNDS: Final = 20
"""Such queries a page at most; a page that they do not fill is short, and its token goes on behind them."""
_ESCAPE: Final = "\\x"
_LINE_SUMS: Final = ("locked", "wanted", "deducted", "expired", "cancelled", "claimed", "returned")
_PLACE_SUMS: Final = ("allocated", "picking", "shipped", "returning")
_LINE_COUNTERS: Final = ("refused", "requested", "unlocked", *_LINE_SUMS)
_PLACE_COUNTERS: Final = ("locked", *_PLACE_SUMS)


class OrderReports:
    """The archive of `orders`, over the database."""

    def __init__(self, reports: Reports, movements: Iterable[str]) -> None:
        """Take the reader, and the names of the movements whose owner is a reservation."""
        self._reports = reports
        self._movements = frozenset(movements)

    async def history(self, order_id: str, until: int, min_sequence: int) -> Sequence[Step]:
        """Give the steps of an order up to a sequence, in order."""
        found, _ = await self._reports.read(
            lambda connection: steps(connection, self._movements, order_id, until), min_sequence=min_sequence
        )
        return found

    async def page(self, filters: Filters, size: int, after: Place | None, min_sequence: int) -> Page:
        """Give at most `size` orders after a place; fewer where most of what was looked at does not fit."""

        def query(connection: Connection) -> tuple[list[stock_pb2.Reservation], Place | None]:
            places, following = _places(connection, filters, size, after)
            return reservations(connection, [place.order_id for place in places]), following

        (orders, following), as_of = await self._reports.read(query, min_sequence=min_sequence)
        for order in orders:
            order.sequence = as_of
        return Page(orders, following, as_of)


def movements_of_reservations(table: str) -> list[str]:
    """Read the names of the movements whose owner is a reservation from the core's table, as JSON."""
    return [row["name"] for row in json.loads(table) if row["owner"] == "reservation"]


# --- the history of one ---


def steps(connection: Connection, kinds: Iterable[str], order_id: str, until: int) -> list[Step]:
    """Read the steps of an order: what names it, and what moved units of it (a sweep, an exchange)."""
    operations, movements = schema.operations.c, schema.movements.c
    moving = and_(
        movements.owner == order_id,
        schema.is_not(movements.owner),
        movements.kind.in_(kinds),
        movements.sequence <= until,
    )
    moved: dict[int, list[Moved]] = defaultdict(list)
    for row in connection.execute(
        select(schema.movements).where(moving).order_by(movements.sequence, movements.ordinal)
    ):
        moved[row.sequence].append(Moved(row.kind, row.line, row.sku, row.warehouse, row.pool, row.quantity))
    # A lock is left out of this index: it moves units of its order, so its movements name it.
    named = and_(
        operations.owner == order_id,
        schema.is_not(operations.owner),
        schema.is_not(operations.operation, "LOCK"),
        operations.operation.in_(OPERATIONS),
        operations.sequence <= until,
    )
    sequences = union(select(operations.sequence).where(named), select(movements.sequence).where(moving))
    found = connection.execute(
        select(schema.operations).where(operations.sequence.in_(sequences)).order_by(operations.sequence)
    )
    return [
        Step(
            sequence=row.sequence,
            at=row.at,
            operation=row.operation,
            request_id=row.request_id,
            reason=bytes_of(row.reason).decode(),
            document=bytes_of(row.document).decode(),
            outcome=row.outcome,
            attributes=bytes_of(row.attributes),
            movements=moved[row.sequence],
        )
        for row in found
    ]


# --- pages of many ---


def _places(
    connection: Connection, filters: Filters, size: int, after: Place | None
) -> tuple[list[Place], Place | None]:
    """Find the places of a page, and after which the next one begins."""
    found: list[Place] = []
    # Where every candidate fits, one more than the page tells whether there is another.
    limit = CANDIDATES if filters.states else size + 1
    for _ in range(ROUNDS):
        candidates = list(connection.execute(_candidates(filters, after, limit)))
        for row in candidates:
            if filters.states and row.state not in filters.states:
                continue
            if len(found) == size:
                return found, found[-1]
            found.append(Place(row.created_at, row.reservation))
        if len(candidates) < limit:
            return found, None
        after = Place(candidates[-1].created_at, candidates[-1].reservation)
    return found, after


def _candidates(filters: Filters, after: Place | None, limit: int) -> Select[Any]:
    reservations = schema.reservations.c
    page = (
        select(reservations.reservation, reservations.created_at, reservations.refund_due)
        .where(*_conditions(filters, after))
        .order_by(reservations.created_at.desc(), reservations.reservation.desc())
        .limit(limit)
    )
    if not filters.states:
        return page
    chosen = page.cte("page")
    lines, line_sums = _sums(schema.reservation_lines, chosen.c.reservation, _LINE_SUMS)
    places, place_sums = _sums(schema.allocations, chosen.c.reservation, _PLACE_SUMS)
    return (
        select(
            chosen.c.reservation,
            chosen.c.created_at,
            state(Sums(refund_due=cast(chosen.c.refund_due, Integer), **line_sums, **place_sums)).label(
                "state"
            ),
        )
        .outerjoin_from(chosen, lines, lines.c.reservation == chosen.c.reservation)
        .outerjoin(places, places.c.reservation == chosen.c.reservation)
        .order_by(chosen.c.created_at.desc(), chosen.c.reservation.desc())
    )


def state(order: Sums) -> ColumnElement[int]:
    """The table of states as SQL: the first row that fits."""
    return case(*((row.fits(order), row.state) for row in STATES))


def _sums(table: Table, chosen: ColumnElement[str], names: Iterable[str]) -> tuple[Any, dict[str, Any]]:
    """Sum the counters of the chosen orders' rows; an order without rows has none of anything."""
    sums = (
        select(table.c.reservation, *(func.sum(table.c[name]).label(f"sum_{name}") for name in names))
        .where(table.c.reservation.in_(select(chosen)))
        .group_by(table.c.reservation)
        .cte(f"{table.name}_sums")
    )
    return sums, {name: func.coalesce(sums.c[f"sum_{name}"], 0) for name in names}


def _conditions(filters: Filters, after: Place | None) -> list[ColumnElement[bool]]:
    it, line, place = schema.reservations.c, schema.reservation_lines.c, schema.allocations.c
    conditions: list[ColumnElement[bool]] = [
        and_(column == value, schema.is_not(column))
        for column, value in (
            (it.channel, filters.channel),
            (it.buyer, filters.buyer),
            (it.region, filters.region),
        )
        if value
    ]
    # Lists, made once a query: asked order by order, SQLite would go through all rows of the SKU each time.
    if filters.sku:
        of_sku = select(line.reservation).where(line.sku == filters.sku)
        conditions.append(it.reservation.in_(of_sku))
    if filters.warehouse:
        held = place.locked + place.allocated + place.picking + place.shipped
        at_warehouse = select(place.reservation).where(place.warehouse == filters.warehouse, held > 0)
        conditions.append(it.reservation.in_(at_warehouse))
    if filters.created_from is not None:
        conditions.append(it.created_at >= filters.created_from)
    if filters.created_before is not None:
        conditions.append(it.created_at < filters.created_before)
    if after is not None:
        earlier = and_(it.created_at == after.created_at, it.reservation < after.order_id)
        # The first condition is implied; it lets the index find the place.
        conditions += [it.created_at <= after.created_at, or_(it.created_at < after.created_at, earlier)]
    return conditions


def reservations(connection: Connection, ids: Sequence[str]) -> list[stock_pb2.Reservation]:
    """Read reservations whole, in the order of `ids`, as the engine would give them."""
    lines: dict[str, dict[int, stock_pb2.ReservationLine]] = defaultdict(dict)
    for row in _rows_of(connection, schema.reservation_lines, ids, "line"):
        lines[row.reservation][row.line] = _line(row)
    for row in _rows_of(connection, schema.allocations, ids, "position"):
        place = lines[row.reservation][row.line].allocations.add(warehouse=row.warehouse)
        for name in _PLACE_COUNTERS:
            setattr(place, name, getattr(row, name))
    heads = {row.reservation: row for row in _rows_of(connection, schema.reservations, ids, "reservation")}
    return [_reservation(heads[order_id], list(lines[order_id].values())) for order_id in ids]


def _rows_of(connection: Connection, table: Table, ids: Sequence[str], order: str) -> Iterable[Row[Any]]:
    return connection.execute(select(table).where(table.c.reservation.in_(ids)).order_by(table.c[order]))


def _reservation(row: Row[Any], lines: Sequence[stock_pb2.ReservationLine]) -> stock_pb2.Reservation:
    refund_due = stock_pb2.RESERVATION_STATE_REFUND_DUE
    return stock_pb2.Reservation(
        reservation_id=row.reservation,
        # The other states are the lines' business.
        state=refund_due if row.refund_due else stock_pb2.RESERVATION_STATE_UNSPECIFIED,
        version=row.version,
        created_at=time_of(row.created_at),
        deadline=time_of(row.deadline) if any(line.locked for line in lines) else None,
        extensions=row.extensions,
        lines=lines,
        region=row.region,
        warehouses=json.loads(row.warehouses) if row.warehouses else (),
        channel=row.channel,
        attributes=bytes_of(row.attributes),
        destination=row.destination,
        max_parcels=row.max_parcels,
    )


def _line(row: Row[Any]) -> stock_pb2.ReservationLine:
    policy = catalog_pb2.DeductionPolicy.Value(f"DEDUCTION_POLICY_{row.deduction_policy}")
    line = stock_pb2.ReservationLine(line=row.line, sku=row.sku, pool=row.pool, deduction_policy=policy)
    for name in _LINE_COUNTERS:
        setattr(line, name, getattr(row, name))
    return line


def bytes_of(text: str) -> bytes:
    """Opaque bytes as the projection writes them: text as it is, anything else escaped, in digits."""
    return bytes.fromhex(text.removeprefix(_ESCAPE)) if text.startswith(_ESCAPE) else text.encode()
