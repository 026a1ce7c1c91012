"""entries that explain themselves, and what study needs to count each thing once"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE = "kind in ('lessons', 'xp', 'minutes', 'first_try')"
AFTER = "kind in ('lessons', 'xp', 'minutes', 'first_try', 'right')"


def upgrade() -> None:
    op.add_column("ledger_entries", sa.Column("attempt_id", sa.BigInteger(), nullable=True))
    op.execute(
        "update ledger_entries as e set attempt_id = a.id from attempts as a "
        "where e.rule = 'lesson_again' and e.source = 'attempt:' || a.id and a.user_id = e.user_id"
    )
    op.add_column(
        "ledger_entries",
        sa.Column(
            "details",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.create_foreign_key(
        op.f("fk_ledger_entries_attempt_id"), "ledger_entries", "attempts", ["attempt_id"], ["id"]
    )
    op.create_index(
        "ix_ledger_entries_attempt_id",
        "ledger_entries",
        ["attempt_id"],
        postgresql_where=sa.text("attempt_id is not null"),
    )
    op.drop_constraint(op.f("ck_daily_goals_kind"), "daily_goals", type_="check")
    op.create_check_constraint(op.f("ck_daily_goals_kind"), "daily_goals", AFTER)
    op.add_column(
        "attempt_steps", sa.Column("solved", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute(
        "update attempt_steps as s set solved = true from answers as a "
        "where a.attempt_id = s.attempt_id and a.step_id = s.step_id and a.correct"
    )
    op.add_column("lesson_progress", sa.Column("last_local_date", sa.Date(), nullable=True))
    op.execute(
        "update lesson_progress as p set last_local_date = coalesce((select max(a.local_date) from attempts as a "
        "where a.user_id = p.user_id and a.lesson_id = p.lesson_id), p.first_local_date)"
    )
    op.alter_column("lesson_progress", "last_local_date", nullable=False)


def downgrade() -> None:
    op.drop_column("lesson_progress", "last_local_date")
    op.drop_column("attempt_steps", "solved")
    op.drop_constraint(op.f("ck_daily_goals_kind"), "daily_goals", type_="check")
    op.execute("delete from daily_goals where kind = 'right'")
    op.create_check_constraint(op.f("ck_daily_goals_kind"), "daily_goals", BEFORE)
    op.drop_index("ix_ledger_entries_attempt_id", table_name="ledger_entries")
    op.drop_constraint(op.f("fk_ledger_entries_attempt_id"), "ledger_entries", type_="foreignkey")
    op.drop_column("ledger_entries", "details")
    op.drop_column("ledger_entries", "attempt_id")
