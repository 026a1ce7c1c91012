"""shop and streak care"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KINDS = "'lessons', 'xp', 'minutes', 'first_try', 'right'"


def upgrade() -> None:
    op.add_column("activity_days", sa.Column("mended", sa.Integer(), server_default="0", nullable=False))
    op.drop_constraint(op.f("ck_daily_goals_kind"), "daily_goals", type_="check")
    op.create_check_constraint(op.f("ck_daily_goals_kind"), "daily_goals", f"kind in ({KINDS}, 'mended')")

    op.add_column("players", sa.Column("days_learned", sa.Integer(), server_default="0", nullable=False))
    op.add_column("players", sa.Column("freezes", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("players", sa.Column("freeze_days", sa.Integer(), server_default="0", nullable=False))
    op.add_column("players", sa.Column("kept_date", sa.Date(), nullable=True))
    op.add_column("players", sa.Column("outfit", sa.Text(), nullable=True))
    op.add_column("players", sa.Column("world", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_players_freezes"), "players", "freezes between 0 and 2")

    op.create_table(
        "purchases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("price", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("bought_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('freeze', 'outfit', 'world')", name=op.f("ck_purchases_kind")),
        sa.CheckConstraint("currency in ('coins', 'gems')", name=op.f("ck_purchases_currency")),
        sa.CheckConstraint("price > 0", name=op.f("ck_purchases_price")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_purchases_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchases")),
    )
    op.create_index("uq_purchases_user_id_nonce", "purchases", ["user_id", "nonce"], unique=True)
    op.create_index(
        "uq_purchases_once",
        "purchases",
        ["user_id", "item"],
        unique=True,
        postgresql_where=sa.text("kind <> 'freeze'"),
    )

    op.create_table(
        "streak_repairs",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("missed_date", sa.Date(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("repaired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("missed_date < local_date", name=op.f("ck_streak_repairs_missed_date")),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_streak_repairs_attempt_id")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_streak_repairs_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "missed_date", name=op.f("pk_streak_repairs")),
    )
    op.create_index(
        "uq_streak_repairs_user_id_local_date", "streak_repairs", ["user_id", "local_date"], unique=True
    )


def downgrade() -> None:
    op.drop_table("streak_repairs")
    op.drop_table("purchases")
    op.drop_constraint(op.f("ck_players_freezes"), "players", type_="check")
    for column in ("world", "outfit", "kept_date", "freeze_days", "freezes", "days_learned"):
        op.drop_column("players", column)
    op.execute("update daily_goals set kind = 'right' where kind = 'mended'")
    op.drop_constraint(op.f("ck_daily_goals_kind"), "daily_goals", type_="check")
    op.create_check_constraint(op.f("ck_daily_goals_kind"), "daily_goals", f"kind in ({KINDS})")
    op.drop_column("activity_days", "mended")
