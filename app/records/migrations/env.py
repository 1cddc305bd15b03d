"""What Alembic runs to bring a database up to date: on the connection that it is given."""

from alembic import context

# Alembic gives `context` a configuration while it runs this file; to import it does nothing.
if hasattr(context, "config"):
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()
