"""badges, and the page that a learner may show"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "earned_badges",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("badge", sa.Text(), nullable=False),
        sa.Column("earned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_earned_badges_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_earned_badges_attempt_id")),
        sa.PrimaryKeyConstraint("user_id", "badge", name=op.f("pk_earned_badges")),
    )
    op.create_index(
        "ix_earned_badges_attempt_id",
        "earned_badges",
        ["attempt_id"],
        postgresql_where=sa.text("attempt_id is not null"),
    )
    op.create_table(
        "public_profiles",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "shown",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.CheckConstraint("handle ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_public_profiles_handle")),
        sa.CheckConstraint(
            "char_length(handle) between 3 and 30", name=op.f("ck_public_profiles_handle_length")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_public_profiles_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_public_profiles")),
    )
    op.create_index("uq_public_profiles_handle", "public_profiles", ["handle"], unique=True)


def downgrade() -> None:
    op.drop_table("public_profiles")
    op.drop_table("earned_badges")
