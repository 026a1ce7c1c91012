"""notifications"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def when(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def json(name: str, default: str | None = None) -> sa.Column:
    value = sa.text(f"'{default}'::jsonb") if default else None
    return sa.Column(name, postgresql.JSONB(none_as_null=True), server_default=value, nullable=False)


def person(*, nullable: bool = False) -> sa.Column:
    return sa.Column("user_id", sa.BigInteger(), nullable=nullable)


def of_a_person(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        person(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        json("details", "{}"),
        when("created_at", nullable=False),
        when("read_at"),
        when("mailed_at"),
        sa.CheckConstraint(
            "kind in ('badge', 'level', 'goal', 'streak', 'league', 'course')",
            name=op.f("ck_notifications_kind"),
        ),
        of_a_person("notifications"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index("uq_notifications_once", "notifications", ["user_id", "kind", "source"], unique=True)
    op.create_index("ix_notifications_user_id_id", "notifications", ["user_id", "id"])
    op.create_index(
        "ix_notifications_unread", "notifications", ["user_id"], postgresql_where=sa.text("read_at is null")
    )
    op.create_table(
        "notification_choices",
        person(),
        json("page_off", "[]"),
        json("mail_kinds", "[]"),
        sa.Column("mail_hour", sa.SmallInteger(), server_default="17", nullable=False),
        sa.Column("quiet_from", sa.SmallInteger(), nullable=True),
        sa.Column("quiet_until", sa.SmallInteger(), nullable=True),
        sa.Column("unsubscribe_token", sa.Text(), nullable=False),
        sa.CheckConstraint("quiet_from between 0 and 23", name=op.f("ck_notification_choices_quiet_from")),
        sa.CheckConstraint("quiet_until between 0 and 23", name=op.f("ck_notification_choices_quiet_until")),
        sa.CheckConstraint(
            "(quiet_from is null) = (quiet_until is null)", name=op.f("ck_notification_choices_quiet")
        ),
        sa.CheckConstraint("mail_hour between 0 and 23", name=op.f("ck_notification_choices_mail_hour")),
        of_a_person("notification_choices"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notification_choices")),
    )
    op.create_index(
        "uq_notification_choices_unsubscribe_token",
        "notification_choices",
        ["unsubscribe_token"],
        unique=True,
    )
    op.create_index(
        "ix_notification_choices_mail",
        "notification_choices",
        ["user_id"],
        postgresql_where=sa.text("mail_kinds <> '[]'::jsonb"),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        person(nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        json("context"),
        when("created_at", nullable=False),
        when("expires_at", nullable=False),
        when("next_try_at", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        when("claimed_at"),
        when("sent_at"),
        when("failed_at"),
        sa.Column("fault", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("sent_at is null or failed_at is null", name=op.f("ck_mails_ended")),
        of_a_person("mails"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index("uq_mails_once", "mails", ["kind", "source"], unique=True)
    op.create_index("ix_mails_user_id", "mails", ["user_id"])
    op.create_index(
        "ix_mails_waiting",
        "mails",
        ["next_try_at"],
        postgresql_where=sa.text("sent_at is null and failed_at is null"),
    )


def downgrade() -> None:
    op.drop_table("mails")
    op.drop_table("notification_choices")
    op.drop_table("notifications")
