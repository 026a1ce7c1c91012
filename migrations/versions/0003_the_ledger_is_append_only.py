"""the ledger is append-only, also for a mistake in our own code"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create function ledger_is_append_only() returns trigger language plpgsql as "
        "$$ begin raise exception 'ledger_entries is append-only'; end $$"
    )
    op.execute(
        "create trigger append_only before update on ledger_entries "
        "for each row execute function ledger_is_append_only()"
    )


def downgrade() -> None:
    op.execute("drop trigger append_only on ledger_entries")
    op.execute("drop function ledger_is_append_only()")
