"""What Alembic runs: migrations in the transaction of whoever asks for them."""

from __future__ import annotations

from alembic import context

from lockstock_server.projection import schema
from lockstock_server.projection.migrate import CONNECTION, VERSION_TABLE

context.configure(
    connection=context.config.attributes[CONNECTION],
    target_metadata=schema.metadata,
    version_table=VERSION_TABLE,
    # SQLite's DDL is transactional when its transactions begin explicitly, as ours do.
    transactional_ddl=True,
)
context.run_migrations()
