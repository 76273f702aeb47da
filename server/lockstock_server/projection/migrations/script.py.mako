"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Brings the schema to this version."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Refuses: the database is built again from the journal instead."""
    raise NotImplementedError("drop the tables with `lockstock rebuild` and let them be built again")
