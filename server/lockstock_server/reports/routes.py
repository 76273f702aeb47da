"""Past orders for routing: what the database says of documents, stock and movements as of a sequence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import bindparam, func, select

from lockstock_server.projection import schema
from lockstock_server.reports.orders import bytes_of
from lockstock_server.routing.past import Moved, Placed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from lockstock_server.reports.reader import Reports
    from lockstock_server.routing.past import Filters, History

_T = TypeVar("_T")

NAMED_MAX: Final = 500
"""Names in one statement."""
FETCHED: Final = 2_000
"""Rows fetched at once of what is read step by step."""


class RouteArchive:
    """The archive of `routing`, over the database."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def read(self, query: Callable[[History], _T], min_sequence: int) -> tuple[_T, int]:
        """Run a query against one moment, and tell the sequence it stood at. Raises Refused."""
        return await self._reports.read(
            lambda connection: query(RouteHistory(connection)), min_sequence=min_sequence
        )


class RouteHistory:
    """One transaction's view, as `routing.past.History` promises it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def order(self, order_id: str) -> Placed | None:
        """Find an order."""
        row = self._connection.execute(_ORDERS.where(_RESERVATIONS.reservation == order_id)).one_or_none()
        return None if row is None else _placed(row)

    def newest(self, filters: Filters) -> list[Placed]:
        """Find orders, the newest first."""
        conditions: list[ColumnElement[bool]] = []
        if filters.channel:
            conditions += [_RESERVATIONS.channel == filters.channel, schema.is_not(_RESERVATIONS.channel)]
        if filters.created_from is not None:
            conditions.append(_RESERVATIONS.created_at >= filters.created_from)
        if filters.created_before is not None:
            conditions.append(_RESERVATIONS.created_at < filters.created_before)
        order = (_RESERVATIONS.created_at.desc(), _RESERVATIONS.no.desc())
        found = self._connection.execute(_ORDERS.where(*conditions).order_by(*order).limit(filters.newest))
        # Sequences rise with time; where two orders stand at one microsecond they tell which came later.
        return [_placed(row) for row in found]

    def placing(self, orders: Sequence[Placed]) -> Iterable[Moved]:
        """Give the movements of the steps that placed these orders, in order."""
        for chunk in _chunks([order.sequence for order in orders]):
            steps = _MOVED.where(_MOVEMENTS.sequence.in_(chunk))
            for row in self._connection.execute(steps.order_by(_MOVEMENTS.sequence, _MOVEMENTS.ordinal)):
                yield Moved._make(row)

    def documents(self, kind: str, ids: Collection[str] | None, sequence: int) -> Iterator[tuple[str, bytes]]:
        """Give documents as they stood at a sequence: id and body."""
        if ids is not None and len(ids) == 1:
            row = self._connection.execute(
                _NEWEST_OF_ONE, {"kind": kind, "id": next(iter(ids)), "sequence": sequence}
            ).one_or_none()
            if row is not None:
                yield row.id, bytes_of(row.body)
            return
        for chunk in [None] if ids is None else _chunks(sorted(ids)):
            conditions = [_VERSIONS.kind == kind, _VERSIONS.sequence <= sequence]
            if chunk is not None:
                conditions.append(_VERSIONS.id.in_(chunk))
            newest = (
                select(_VERSIONS.kind, _VERSIONS.id, func.max(_VERSIONS.sequence).label("sequence"))
                .where(*conditions)
                .group_by(_VERSIONS.kind, _VERSIONS.id)
                .subquery()
            )
            # Joined by the whole key and nothing else, so that each is looked up by it.
            same = (
                (_VERSIONS.kind == newest.c.kind)
                & (_VERSIONS.id == newest.c.id)
                & (_VERSIONS.sequence == newest.c.sequence)
            )
            found = select(_VERSIONS.id, _VERSIONS.body).join_from(newest, schema.document_versions, same)
            for document_id, body in self._connection.execute(found):
                yield document_id, bytes_of(body)

    def changes(self, kind: str, after: int, until: int) -> Iterator[tuple[int, str]]:
        """Give when which documents of a kind were put, the newest first."""
        put = (
            select(_VERSIONS.sequence, _VERSIONS.id)
            .where(_VERSIONS.kind == kind, _VERSIONS.sequence > after, _VERSIONS.sequence <= until)
            .order_by(_VERSIONS.sequence.desc(), _VERSIONS.ordinal.desc())
        )
        return ((row.sequence, row.id) for row in self._step_by_step(put))

    def stock(self, skus: Collection[str]) -> Iterator[tuple[str, str, int]]:
        """Give the units available of SKUs, by warehouse, as they stand."""
        stock = schema.stock.c
        for chunk in _chunks(sorted(skus)):
            rows = select(stock.sku, stock.warehouse, stock.available).where(stock.sku.in_(chunk))
            yield from (tuple(row) for row in self._connection.execute(rows))

    def claimed(self, skus: Collection[str]) -> Iterator[tuple[str, int]]:
        """Give the units claimed of SKUs, as they stand."""
        for chunk in _chunks(sorted(skus)):
            rows = select(schema.skus.c.sku, schema.skus.c.claimed).where(schema.skus.c.sku.in_(chunk))
            yield from (tuple(row) for row in self._connection.execute(rows))

    def sums_after(self, skus: Collection[str], sequence: int) -> Iterator[tuple[str, str, str, int]]:
        """Sum the movements of SKUs after a sequence: kind, SKU, warehouse, units."""
        what = (_MOVEMENTS.kind, _MOVEMENTS.sku, _MOVEMENTS.warehouse)
        for chunk in _chunks(sorted(skus)):
            sums = (
                select(*what, func.sum(_MOVEMENTS.quantity))
                .where(_MOVEMENTS.sku.in_(chunk), _MOVEMENTS.sequence > sequence)
                .group_by(*what)
            )
            for kind, sku, warehouse, units in self._connection.execute(sums):
                # PostgreSQL sums whole numbers as a decimal.
                yield kind, sku, warehouse, int(units)

    def back_to(self, skus: Collection[str], sequence: int) -> Iterator[Moved]:
        """Give the movements of SKUs, the newest first, down to a sequence."""
        moved = _MOVED.where(_MOVEMENTS.sequence >= sequence)
        if len(skus) <= NAMED_MAX:
            moved = moved.where(_MOVEMENTS.sku.in_(sorted(skus)))
        newest_first = moved.order_by(_MOVEMENTS.sequence.desc(), _MOVEMENTS.ordinal.desc())
        return (Moved._make(row) for row in self._step_by_step(newest_first) if row.sku in skus)

    def _step_by_step(self, query: Select[Any]) -> Iterable[Row[Any]]:
        """Read rows as they are asked for, other queries in between."""
        return self._connection.execute(query, execution_options={"yield_per": FETCHED})


_RESERVATIONS = schema.reservations.c
_MOVEMENTS = schema.movements.c
_VERSIONS = schema.document_versions.c
_ORDERS: Select[Any] = select(
    _RESERVATIONS.reservation,
    _RESERVATIONS.no,
    _RESERVATIONS.region,
    _RESERVATIONS.warehouses,
    _RESERVATIONS.max_parcels,
    _RESERVATIONS.destination,
)
_MOVED: Select[Any] = select(
    _MOVEMENTS.sequence,
    _MOVEMENTS.kind,
    _MOVEMENTS.owner,
    _MOVEMENTS.line,
    _MOVEMENTS.sku,
    _MOVEMENTS.warehouse,
    _MOVEMENTS.quantity,
)

_NEWEST_OF_ONE: Select[Any] = (
    select(_VERSIONS.id, _VERSIONS.body)
    .where(
        _VERSIONS.kind == bindparam("kind"),
        _VERSIONS.id == bindparam("id"),
        _VERSIONS.sequence <= bindparam("sequence"),
    )
    .order_by(_VERSIONS.sequence.desc())
    .limit(1)
)


def _placed(row: Row[Any]) -> Placed:
    return Placed(
        order_id=row.reservation,
        sequence=row.no,
        region=row.region,
        warehouses=tuple(json.loads(row.warehouses)) if row.warehouses else (),
        max_parcels=row.max_parcels,
        destination=row.destination,
    )


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (values[at : at + NAMED_MAX] for at in range(0, len(values), NAMED_MAX))
