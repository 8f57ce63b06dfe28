"""alembic's way in: the connection is given by conversations/database.py, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
