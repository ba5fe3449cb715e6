"""Runs migrations on the connection that `worker.store.schema` passes. There is no other way to run them."""

from alembic import context
from sqlalchemy import text

from worker.store.tables.base import Base

LOCK_TIMEOUT = "800ms"
"""A change waits no longer for its table, because everybody else's statements wait behind it meanwhile. Less than
PostgreSQL's `deadlock_timeout` of one second: of a migration and a worker that wait for each other, it is the
migration that is rolled back, and started again."""
STATEMENT_TIMEOUT = "15min"
"""Filling a new column or building an index takes longer than any statement of a worker may."""

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
