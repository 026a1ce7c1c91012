"""figures over time, the processes, runs of jobs, changes of health"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0070"
down_revision = "0060"
branch_labels = None
depends_on = None

KINDS = "'badge', 'level', 'goal', 'streak', 'league', 'course'"


def when(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def words(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def numbers(kind: sa.types.TypeEngine, *names: str) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "series_points",
        sa.Column("step", sa.SmallInteger(), nullable=False),
        when("at"),
        *words("name", "label", "outcome"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *numbers(sa.Float(53), "total", "peak"),
        sa.Column("cells", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.PrimaryKeyConstraint("step", "at", "name", "label", "outcome", name=op.f("pk_series_points")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "instances",
        *words("name", "kind"),
        when("started_at"),
        when("seen_at"),
        *numbers(sa.Float(53), "every", "cpu", "busy"),
        *numbers(sa.BigInteger(), "memory", "memory_limit"),
        *numbers(sa.Integer(), "threads", "pool_in_use", "pool_most", "streams"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instances")),
    )
    op.create_table(
        "job_runs",
        *words("job", "said", "fault"),
        when("started_at"),
        when("failed_at", nullable=True),
        *numbers(sa.Float(53), "seconds", "total"),
        *numbers(sa.BigInteger(), "runs", "failures", "failing"),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_job_runs")),
    )
    op.create_table(
        "health_alerts",
        *words("key", "overall", "before", "instance"),
        when("at"),
        sa.Column("details", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_health_alerts")),
    )
    _kinds(f"{KINDS}, 'health'")


def _kinds(names: str) -> None:
    op.drop_constraint(op.f("ck_notifications_kind"), "notifications", type_="check")
    op.create_check_constraint(op.f("ck_notifications_kind"), "notifications", f"kind in ({names})")


def downgrade() -> None:
    op.execute("delete from notifications where kind = 'health'")
    _kinds(KINDS)
    for table in ("health_alerts", "job_runs", "instances", "series_points"):
        op.drop_table(table)
