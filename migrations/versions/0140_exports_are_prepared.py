"""an export is prepared by a job, kept sealed for a while, and fetched

Sealed documents cannot be made smaller, so PostgreSQL need not try.
"""

import sqlalchemy as sa
from alembic import op

revision = "0140"
down_revision = "0130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prepared_exports",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("archive", sa.LargeBinary(), nullable=True),
        sa.Column("tables", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "state in ('waiting', 'running', 'ready', 'failed', 'over')",
            name=op.f("ck_prepared_exports_state"),
        ),
        sa.CheckConstraint(
            "(state = 'ready') = (archive is not null and tables is not null and keep_until is not null)",
            name=op.f("ck_prepared_exports_ready_is_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_prepared_exports_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_prepared_exports")),
    )
    op.create_index(
        "ix_prepared_exports_asked_at",
        "prepared_exports",
        ["asked_at"],
        postgresql_where=sa.text("state in ('waiting', 'running')"),
    )
    for column in ("archive", "tables"):
        op.execute(f"alter table prepared_exports alter column {column} set storage external")


def downgrade() -> None:
    op.drop_table("prepared_exports")
