"""Alembic's entry: runs inside the connection that `Journal.upgrade` hands over."""

from alembic import context

from worker.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
