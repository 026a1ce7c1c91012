"""webhooks: who is told what where, the outbox, and courses finished as facts of their own"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None

OPEN = "delivered_at is null and failed_at is null"


def when(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def text(name: str, default: str | None = None) -> sa.Column:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def reference(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def to(table: str, column: str, other: str, *, cascade: bool = True) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        [f"{other}.id"],
        name=op.f(f"fk_{table}_{column}"),
        ondelete="CASCADE" if cascade else None,
    )


def own_id(table: str) -> tuple[sa.Column, sa.PrimaryKeyConstraint]:
    column = sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)
    return column, sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def upgrade() -> None:
    _courses()
    _webhooks()
    _events()
    _deliveries()


def _courses() -> None:
    """Who has finished every lesson of a course already had finished it then."""
    op.create_table(
        "course_completions",
        reference("user_id"),
        reference("course_id"),
        when("completed_at", nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        to("course_completions", "user_id", "users"),
        to("course_completions", "course_id", "courses", cascade=False),
        sa.PrimaryKeyConstraint("user_id", "course_id", name=op.f("pk_course_completions")),
    )
    op.create_index("ix_course_completions_course_id", "course_completions", ["course_id"])
    op.execute("""
        insert into course_completions (user_id, course_id, completed_at, local_date)
        select done.user_id, offered.course_id, max(done.first_completed_at), max(done.first_local_date)
        from (
            select lessons.id, lessons.course_id, count(*) over (partition by lessons.course_id) as lessons
            from lessons join modules on modules.id = lessons.module_id join courses on courses.id = lessons.course_id
            where lessons.retired_at is null and modules.retired_at is null and courses.retired_at is null
        ) as offered
        join lesson_progress as done on done.lesson_id = offered.id
        group by done.user_id, offered.course_id, offered.lessons
        having count(*) = offered.lessons
    """)


def _webhooks() -> None:
    column, key = own_id("webhooks")
    op.create_table(
        "webhooks",
        column,
        reference("user_id"),
        text("url"),
        sa.Column("events", postgresql.JSONB(), nullable=False),
        text("scope", "own"),
        text("sealed_secret"),
        when("created_at", nullable=False),
        when("off_at"),
        sa.CheckConstraint("scope in ('own', 'all')", name=op.f("ck_webhooks_scope")),
        to("webhooks", "user_id", "users"),
        key,
    )
    op.create_index("uq_webhooks_user_id_url_scope", "webhooks", ["user_id", "url", "scope"], unique=True)
    op.create_index("ix_webhooks_all", "webhooks", ["id"], postgresql_where=sa.text("scope = 'all'"))


def _events() -> None:
    column, key = own_id("webhook_events")
    op.create_table(
        "webhook_events",
        column,
        text("key"),
        reference("user_id"),
        text("kind"),
        text("source"),
        sa.Column("data", postgresql.JSONB(none_as_null=True), nullable=False),
        when("created_at", nullable=False),
        to("webhook_events", "user_id", "users"),
        key,
    )
    op.create_index("uq_webhook_events_key", "webhook_events", ["key"], unique=True)
    op.create_index("uq_webhook_events_once", "webhook_events", ["user_id", "kind", "source"], unique=True)
    op.create_index("ix_webhook_events_created_at", "webhook_events", ["created_at"])


def _deliveries() -> None:
    column, key = own_id("webhook_deliveries")
    op.create_table(
        "webhook_deliveries",
        column,
        reference("webhook_id"),
        reference("event_id"),
        when("next_try_at", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        when("give_up_at"),
        when("claimed_at"),
        when("last_try_at"),
        when("delivered_at"),
        when("failed_at"),
        sa.Column("status_code", sa.SmallInteger(), nullable=True),
        text("fault", ""),
        sa.CheckConstraint(
            "delivered_at is null or failed_at is null", name=op.f("ck_webhook_deliveries_ended")
        ),
        to("webhook_deliveries", "webhook_id", "webhooks"),
        to("webhook_deliveries", "event_id", "webhook_events"),
        key,
    )
    op.create_index(
        "uq_webhook_deliveries_once", "webhook_deliveries", ["webhook_id", "event_id"], unique=True
    )
    op.create_index("ix_webhook_deliveries_event_id", "webhook_deliveries", ["event_id"])
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["webhook_id", "next_try_at", "id"],
        postgresql_where=sa.text(OPEN),
    )


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_events")
    op.drop_table("webhooks")
    op.drop_table("course_completions")
