"""what takes long is done without a lock: a constraint is validated, indexes are built concurrently; again is harmless"""

from alembic import op

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_activity_days_local_date_user_id", "activity_days", ["local_date", "user_id"]),
    ("ix_attempts_started_at", "attempts", ["started_at"]),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("alter table notifications validate constraint ck_notifications_kind")
        for name, table, columns in INDEXES:
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)  # one that was cut off
            op.create_index(name, table, columns, postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, _ in INDEXES:
            op.drop_index(name, table, postgresql_concurrently=True)
