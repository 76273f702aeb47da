"""The tables, for SQLAlchemy.

The column table of the core (`core_rs/engine/src/projection/columns.rs`) is the same list; a test holds the
two together.

Conventions. Names stand as text, never as numbers of the engine. Times are integers: microseconds since
1970-01-01 UTC, 0 for "never" (in PostgreSQL: `to_timestamp(deadline / 1e6)`). An empty text means "none".
Quantities are whole units. `returning` is a reserved word of SQL: write that column in quotes. No constraint
besides the primary keys can refuse a row: what is journalled has happened.

Every entry of an index costs about as much as a row, so there is one only for a query of `reports`, and where most
rows would have an entry that is never looked for it leaves them out. Such a query says the index's condition with
`is_not`, or no database would use it.

Three roles of columns: keys; columns that a batch sets (in a batch NULL means "keep what stands there"; in
the tables it never stands); counters, to which a batch adds. Tables of history are only ever appended to.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.type_api import TypeEngine

ROLE: Final = "role"
"""In `Column.info`: what a batch does to the column."""
KEY: Final = "key"
SET: Final = "set"
ADD: Final = "add"

HISTORY: Final = "history"
"""In `Table.info`: whether rows are only ever appended."""

metadata = MetaData()

# Names are ordered by their bytes everywhere, so that pages and comparisons do not depend on a locale.
_NAME: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
# Where SQLite sees BIGINT it stores 64 bits, too; only `INTEGER PRIMARY KEY` would be the row id.
_NUMBER: TypeEngine[int] = BigInteger()


def _key(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False, info={ROLE: KEY})


def _name_key(name: str) -> Column[Any]:
    return _key(name, _NAME)


def _number_key(name: str) -> Column[Any]:
    return _key(name, _NUMBER)


def _name(name: str) -> Column[Any]:
    return Column(name, _NAME, nullable=True, info={ROLE: SET})


def _number(name: str) -> Column[Any]:
    return Column(name, _NUMBER, nullable=True, info={ROLE: SET})


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean(create_constraint=False), nullable=True, info={ROLE: SET})


def _counters(*names: str) -> list[Column[Any]]:
    return [_counter(name) for name in names]


def _counter(name: str) -> Column[Any]:
    # A reserved word that SQLAlchemy does not know as one for SQLite.
    quote = True if name == "returning" else None
    return Column(name, _NUMBER, nullable=False, quote=quote, info={ROLE: ADD})


# Rows that are changed again and again: with as much room beside them a new version stays on the page, and no index
# is told of it. PostgreSQL alone has pages to leave room on.
_ROOM: Final[dict[str, Any]] = {"postgresql_with": {"fillfactor": 50}}


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


def _history(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(name, metadata, *columns, info={HISTORY: True})


projection = Table(
    "projection",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("journal_id", Text, nullable=False),
    Column("sequence", _NUMBER, nullable=False),
    Column("applied_at", _NUMBER, nullable=False),
)
"""One row (id 1): the journal this database belongs to, the sequence it stands at, and when it got there."""

documents = Table(
    "documents", metadata, _name_key("kind"), _name_key("id"), _number("version"), _name("body")
)
"""Master data as the planners keep it: canonical JSON, with the sequence of its last change."""

skus = Table("skus", metadata, _name_key("sku"), _name("category"), *_counters("claimed"))
"""Per SKU."""

warehouses = Table("warehouses", metadata, _name_key("warehouse"), _name("state"))
"""Per warehouse: ACTIVE, PAUSED or CLOSED."""

stock = Table(
    "stock",
    metadata,
    _name_key("sku"),
    _name_key("warehouse"),
    *_counters("available", "locked", "allocated", "picking", "defective", "in_transit", "returning"),
    *_counters("shipped", "returned", "received", "lost", "found", "written_off"),
    **_ROOM,
)
"""Per SKU and warehouse where it ever was."""

pool_stock = Table(
    "pool_stock",
    metadata,
    _name_key("sku"),
    _name_key("pool"),
    *_counters("quota", "locked", "sold"),
    **_ROOM,
)
"""Per SKU and pool that ever sold it."""

reservations = Table(
    "reservations",
    metadata,
    _name_key("reservation"),
    _number("no"),
    _number("created_at"),
    _number("deadline"),
    _number("extensions"),
    _number("version"),
    _flag("refund_due"),
    _name("region"),
    _name("warehouses"),
    _name("destination"),
    _number("max_parcels"),
    _name("channel"),
    _name("buyer"),
    _name("attributes"),
    Index("reservations_by_created_at", "created_at"),
    _partial("reservations_by_channel", "channel", "created_at", where="channel <> ''"),
    _partial("reservations_by_region", "region", "created_at", where="region <> ''"),
    _partial("reservations_by_buyer", "buyer", "created_at", where="buyer <> ''"),
    **_ROOM,
)
"""Per reservation. `no` is the sequence that created it, `version` the last one on it. Its units come from
`warehouses` (a JSON array), or, where that is empty, from the plan of `region`; one that was planned for a
`destination` within a region has both. `buyer` is a keyed hash, 32 hexadecimal digits. `attributes` is text as it
was given; other bytes stand as `\\x` and hexadecimal digits."""

reservation_lines = Table(
    "reservation_lines",
    metadata,
    _name_key("reservation"),
    _number_key("line"),
    _name("sku"),
    _name("pool"),
    _name("deduction_policy"),
    *_counters("requested", "refused", "locked", "deducted", "unlocked", "expired", "cancelled"),
    *_counters("claimed", "returned", "wanted"),
    Index("reservation_lines_by_sku", "sku"),
    **_ROOM,
)
"""Per line of a reservation; `deduction_policy` is ON_ORDER or ON_PAYMENT."""

allocations = Table(
    "allocations",
    metadata,
    _name_key("reservation"),
    _number_key("line"),
    _name_key("warehouse"),
    _number("position"),
    *_counters("locked", "allocated", "picking", "shipped", "returning"),
    Index("allocations_by_warehouse", "warehouse"),
    **_ROOM,
)
"""Per line of a reservation and warehouse; `position` counts the line's warehouses from 0, in the order in which
the line came to use them."""

receipts = Table(
    "receipts", metadata, _name_key("receipt"), _number("no"), _name("warehouse"), _number("expected_at")
)
"""Per receipt. `no` is the sequence that opened it."""

receipt_lines = Table(
    "receipt_lines",
    metadata,
    _name_key("receipt"),
    _number_key("line"),
    _name("sku"),
    *_counters("announced", "expected", "received", "defective", "missing"),
)
"""Per line of a receipt."""

transfers = Table(
    "transfers",
    metadata,
    _name_key("transfer"),
    _number("no"),
    _name("from_warehouse"),
    _name("to_warehouse"),
    _flag("closed"),
)
"""Per transfer. `no` is the sequence that drafted it."""

transfer_lines = Table(
    "transfer_lines",
    metadata,
    _name_key("transfer"),
    _number_key("line"),
    _name("sku"),
    *_counters("allocated", "picking", "shipped", "in_transit", "received", "restored", "damaged", "lost"),
)
"""Per line of a transfer."""

operations = _history(
    "operations",
    _number_key("sequence"),
    _number("at"),
    _name("operation"),
    _name("request_id"),
    _name("reason"),
    _name("document"),
    _name("outcome"),
    _name("owner"),
    _name("attributes"),
    _partial("operations_by_owner", "owner", "sequence", where="owner <> '' AND operation <> 'LOCK'"),
)
"""Every record of the journal; `request_id` is empty for the engine's own (sweeps, checkpoints). `owner` is the
reservation, transfer or receipt that the operation is about (it tells which of them), as its answer had it;
`attributes` is what a step of an order says of itself (a parcel), as in `reservations`."""

movements = _history(
    "movements",
    _number_key("sequence"),
    _number_key("ordinal"),
    _name("kind"),
    _name("sku"),
    _name("warehouse"),
    _name("pool"),
    _name("owner"),
    _number("line"),
    _number("quantity"),
    Index("movements_by_sku", "sku", "sequence"),
    _partial("movements_by_owner", "owner", "sequence", where="owner <> ''"),
)
"""Every movement of units, counted from 0 within its record; its `owner` is a reservation, transfer or
receipt."""

exceptions = _history(
    "exceptions",
    _number_key("sequence"),
    _number_key("ordinal"),
    _name("kind"),
    _name("sku"),
    _name("warehouse"),
    _number("quantity"),
    _name("reservation"),
)
"""What went wrong in the world and waits for a person, counted from 0 within its record."""

document_versions = _history(
    "document_versions",
    _number_key("sequence"),
    _number_key("ordinal"),
    _name("kind"),
    _name("id"),
    _name("body"),
    Index("document_versions_by_id", "kind", "id", "sequence"),
)
"""Every document as it was put, counted from 0 within its record: how it stood at a sequence is the newest at or
before it."""

PROJECTED: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        documents,
        skus,
        warehouses,
        stock,
        pool_stock,
        reservations,
        reservation_lines,
        allocations,
        receipts,
        receipt_lines,
        transfers,
        transfer_lines,
        operations,
        movements,
        exceptions,
        document_versions,
    )
}
"""The tables that rows are made for, in the order of the column table."""


def columns_of(table: Table, role: str) -> list[Column[Any]]:
    """The columns of a role, in order."""
    return [column for column in table.columns if column.info.get(ROLE) == role]


def is_not(column: ColumnElement[str], value: str = "") -> ColumnElement[bool]:
    """The condition of an index that leaves rows out: spelled out, since no database recognises a parameter."""
    return column != literal_column(f"'{value}'")
