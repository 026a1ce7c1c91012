"""leagues: cohorts of a week and who is in them"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "league_cohorts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.SmallInteger(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quest_lessons", sa.Integer(), nullable=True),
        sa.Column("quest_reached", sa.Boolean(), nullable=True),
        sa.CheckConstraint("size between 1 and 30", name=op.f("ck_league_cohorts_size")),
        sa.CheckConstraint("extract(isodow from week) = 1", name=op.f("ck_league_cohorts_week")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_league_cohorts")),
    )
    op.create_index("uq_league_cohorts_week_number", "league_cohorts", ["week", "number"], unique=True)
    op.create_table(
        "league_members",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("cohort_id", sa.BigInteger(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rank", sa.SmallInteger(), nullable=True),
        sa.Column("xp", sa.Integer(), nullable=True),
        sa.Column("lessons", sa.Integer(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(rank is null) = (xp is null)", name=op.f("ck_league_members_result")),
        sa.ForeignKeyConstraint(
            ["cohort_id"], ["league_cohorts.id"], name=op.f("fk_league_members_cohort_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_league_members_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "week", name=op.f("pk_league_members")),
    )
    op.create_index(
        "uq_league_members_cohort_id_pseudonym", "league_members", ["cohort_id", "pseudonym"], unique=True
    )
    op.create_index(
        "ix_league_members_unpaid", "league_members", ["week"], postgresql_where=sa.text("paid_at is null")
    )


def downgrade() -> None:
    op.drop_table("league_members")
    op.drop_table("league_cohorts")
