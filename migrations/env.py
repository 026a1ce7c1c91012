"""How Alembic reaches the database: through the application's own engine, with short waits for locks."""

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from codyverse.cli.faults import away

LOCK_TIMEOUT = "5s"
migrate = current_app.extensions["migrate"]


def drop_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Write no migration when nothing has changed."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def limit(connection: Any) -> None:
    """Short waits for locks, long statements allowed; for this transaction only, for behind PgBouncer the next one is another's."""
    with connection.connection.cursor() as cursor:
        cursor.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'; set local statement_timeout = 0")


def connected() -> Connection:
    """To the application's database. One that does not answer ends the command in a sentence."""
    try:
        return migrate.db.engine.connect()
    except OperationalError as fault:
        raise away(fault) from fault


def run_migrations() -> None:
    """Run what is missing, each migration in a transaction that gives up rather than block the site."""
    with connected() as connection:
        event.listen(connection, "begin", limit)
        options = dict(migrate.configure_args) | {"process_revision_directives": drop_empty}
        context.configure(
            connection=connection,
            target_metadata=migrate.db.metadata,
            transaction_per_migration=True,
            **options,
        )
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
