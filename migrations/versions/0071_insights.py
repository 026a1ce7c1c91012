"""insights: sums by day, lesson, item and cohort, and the two indexes by which a day is found"""

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def big(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def small(*names: str, nullable: bool = False) -> list[sa.Column]:
    return [sa.Column(name, sa.Integer(), nullable=nullable) for name in names]


def day(name: str) -> sa.Column:
    return sa.Column(name, sa.Date(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "learning_days",
        day("day"),
        *small("active", "active_7", "active_28", "joined"),
        *big("answers", "correct", "lessons", "seconds", "repeats"),
        *small("repeaters", "runs"),
        *small("ended", "returned", nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_learning_days")),
    )
    op.create_table(
        "lesson_days",
        day("day"),
        *big("lesson_id"),
        *small("begun", "finished"),
        sa.Column("score", sa.Float(), nullable=False),
        *big("seconds"),
        sa.ForeignKeyConstraint(["lesson_id"], ["lessons.id"], name=op.f("fk_lesson_days_lesson_id")),
        sa.PrimaryKeyConstraint("day", "lesson_id", name=op.f("pk_lesson_days")),
    )
    op.create_table(
        "item_totals",
        sa.Column("revision_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *big("asked", "right", "answers", "guesses", "hints"),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["step_revisions.id"], name=op.f("fk_item_totals_revision_id")
        ),
        sa.PrimaryKeyConstraint("revision_id", name=op.f("pk_item_totals")),
    )
    op.create_table(
        "cohorts",
        day("cohort"),
        *small("learners"),
        sa.PrimaryKeyConstraint("cohort", name=op.f("pk_cohorts")),
    )
    op.create_table(
        "cohort_weeks",
        day("cohort"),
        day("week"),
        *small("active"),
        sa.PrimaryKeyConstraint("cohort", "week", name=op.f("pk_cohort_weeks")),
    )
    op.create_table(
        "insight_marks",
        sa.Column("name", sa.Text(), nullable=False),
        *big("value"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_insight_marks")),
    )


def downgrade() -> None:
    for table in ("insight_marks", "cohort_weeks", "cohorts", "item_totals", "lesson_days", "learning_days"):
        op.drop_table(table)
