"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _name(name: str, *, key: bool = False) -> sa.Column[str]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, primary_key=key, nullable=not key)


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=key, nullable=not key, autoincrement=False)


def _counters(*names: str) -> list[sa.Column[int]]:
    return [
        sa.Column(name, sa.BigInteger(), nullable=False, quote=True if name == "returning" else None)
        for name in names
    ]


# Room beside rows that are changed again and again.
_ROOM: Any = {"postgresql_with": {"fillfactor": 50}}


def _partial_index(name: str, table: str, *columns: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, list(columns), postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    """Creates everything."""
    op.create_table(
        "allocations",
        _name("reservation", key=True),
        _number("line", key=True),
        _name("warehouse", key=True),
        _number("position"),
        *_counters("locked", "allocated", "picking", "shipped", "returning"),
        **_ROOM,
    )
    op.create_index("allocations_by_warehouse", "allocations", ["warehouse"])
    op.create_table(
        "document_versions",
        _number("sequence", key=True),
        _number("ordinal", key=True),
        _name("kind"),
        _name("id"),
        _name("body"),
    )
    op.create_index("document_versions_by_id", "document_versions", ["kind", "id", "sequence"])
    op.create_table(
        "documents",
        _name("kind", key=True),
        _name("id", key=True),
        _number("version"),
        _name("body"),
    )
    op.create_table(
        "exceptions",
        _number("sequence", key=True),
        _number("ordinal", key=True),
        _name("kind"),
        _name("sku"),
        _name("warehouse"),
        _number("quantity"),
        _name("reservation"),
    )
    op.create_table(
        "movements",
        _number("sequence", key=True),
        _number("ordinal", key=True),
        _name("kind"),
        _name("sku"),
        _name("warehouse"),
        _name("pool"),
        _name("owner"),
        _number("line"),
        _number("quantity"),
    )
    _partial_index("movements_by_owner", "movements", "owner", "sequence", where="owner <> ''")
    op.create_index("movements_by_sku", "movements", ["sku", "sequence"])
    op.create_table(
        "operations",
        _number("sequence", key=True),
        _number("at"),
        _name("operation"),
        _name("request_id"),
        _name("reason"),
        _name("document"),
        _name("outcome"),
        _name("owner"),
        _name("attributes"),
    )
    _partial_index(
        "operations_by_owner", "operations", "owner", "sequence", where="owner <> '' AND operation <> 'LOCK'"
    )
    op.create_table(
        "pool_stock",
        _name("sku", key=True),
        _name("pool", key=True),
        *_counters("quota", "locked", "sold"),
        **_ROOM,
    )
    op.create_table(
        "projection",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "receipt_lines",
        _name("receipt", key=True),
        _number("line", key=True),
        _name("sku"),
        *_counters("announced", "expected", "received", "defective", "missing"),
    )
    op.create_table(
        "receipts",
        _name("receipt", key=True),
        _number("no"),
        _name("warehouse"),
        _number("expected_at"),
    )
    op.create_table(
        "reservation_lines",
        _name("reservation", key=True),
        _number("line", key=True),
        _name("sku"),
        _name("pool"),
        _name("deduction_policy"),
        *_counters(
            "requested",
            "refused",
            "locked",
            "deducted",
            "unlocked",
            "expired",
            "cancelled",
            "claimed",
            "returned",
            "wanted",
        ),
        **_ROOM,
    )
    op.create_index("reservation_lines_by_sku", "reservation_lines", ["sku"])
    op.create_table(
        "reservations",
        _name("reservation", key=True),
        _number("no"),
        _number("created_at"),
        _number("deadline"),
        _number("extensions"),
        _number("version"),
        sa.Column("refund_due", sa.Boolean(), nullable=True),
        _name("region"),
        _name("warehouses"),
        _name("destination"),
        _number("max_parcels"),
        _name("channel"),
        _name("buyer"),
        _name("attributes"),
        **_ROOM,
    )
    _partial_index("reservations_by_buyer", "reservations", "buyer", "created_at", where="buyer <> ''")
    _partial_index("reservations_by_channel", "reservations", "channel", "created_at", where="channel <> ''")
    op.create_index("reservations_by_created_at", "reservations", ["created_at"])
    _partial_index("reservations_by_region", "reservations", "region", "created_at", where="region <> ''")
    op.create_table(
        "skus",
        _name("sku", key=True),
        _name("category"),
        *_counters("claimed"),
    )
    op.create_table(
        "stock",
        _name("sku", key=True),
        _name("warehouse", key=True),
        *_counters(
            "available",
            "locked",
            "allocated",
            "picking",
            "defective",
            "in_transit",
            "returning",
            "shipped",
            "returned",
            "received",
            "lost",
            "found",
            "written_off",
        ),
        **_ROOM,
    )
    op.create_table(
        "transfer_lines",
        _name("transfer", key=True),
        _number("line", key=True),
        _name("sku"),
        *_counters(
            "allocated", "picking", "shipped", "in_transit", "received", "restored", "damaged", "lost"
        ),
    )
    op.create_table(
        "transfers",
        _name("transfer", key=True),
        _number("no"),
        _name("from_warehouse"),
        _name("to_warehouse"),
        sa.Column("closed", sa.Boolean(), nullable=True),
    )
    op.create_table(
        "warehouses",
        _name("warehouse", key=True),
        _name("state"),
    )


def downgrade() -> None:
    """Refuses: the database is built again from the journal instead."""
    raise RuntimeError("drop the tables with `lockstock rebuild` and let them be built again")
