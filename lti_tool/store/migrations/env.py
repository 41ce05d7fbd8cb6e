"""Alembic's environment: always online, on the connection that ``Database`` hands over."""

from alembic import context

from lti_tool.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    # One transaction around everything, opened by Database: a migration that fails leaves nothing behind.
    transactional_ddl=True,
)
context.run_migrations()
