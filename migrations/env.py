"""Runs migrations on the connection that `worker.store.schema` hands in. There is no other way to run them."""

from alembic import context

from worker.store.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
