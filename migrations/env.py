"""Alembic's entry: runs on the connection that app/core/migrations.py hands over."""

from alembic import context
from sqlalchemy import Connection

from app.tables import Table


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    raise SystemExit("use `payband migrate`, or app.core.migrations.run_alembic from Python")
