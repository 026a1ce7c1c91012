"""Tables of notifications: what happened to whom, how each person wants to hear of it, and the post."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base
from codyverse.core.personal import Personal, register


class Notification(Base):
    """One thing that happened to one person. `kind` and `source` name the fact, which is told only once.

    `details` hold what the words are made from; `mailed_at` is when it went into a digest.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint(
            "kind in ('badge', 'level', 'goal', 'streak', 'league', 'course', 'health')", name="kind"
        ),
        Index("uq_notifications_once", "user_id", "kind", "source", unique=True),
        Index("ix_notifications_user_id_id", "user_id", "id", postgresql_include=["kind"]),
        Index("ix_notifications_unread", "user_id", postgresql_where=text("read_at is null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    mailed_at: Mapped[datetime | None]


class NotificationChoices(Base):
    """How somebody wants to hear of things; no row: the defaults. Quiet hours are local, both set or none.

    `page_off`: kinds that the bell leaves out. `mail_kinds`: kinds that the daily mail tells; none, and there is no
    mail. `unsubscribe_token` ends the mails, also for somebody who is signed out.
    """

    __tablename__ = "notification_choices"
    __table_args__ = (
        CheckConstraint("quiet_from between 0 and 23", name="quiet_from"),
        CheckConstraint("quiet_until between 0 and 23", name="quiet_until"),
        CheckConstraint("(quiet_from is null) = (quiet_until is null)", name="quiet"),
        CheckConstraint("mail_hour between 0 and 23", name="mail_hour"),
        Index("uq_notification_choices_unsubscribe_token", "unsubscribe_token", unique=True),
        Index("ix_notification_choices_mail", "user_id", postgresql_where=text("mail_kinds <> '[]'::jsonb")),
    )

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    page_off: Mapped[list[str]] = mapped_column(server_default=text("'[]'::jsonb"))
    mail_kinds: Mapped[list[str]] = mapped_column(server_default=text("'[]'::jsonb"))
    mail_hour: Mapped[int] = mapped_column(SmallInteger, server_default="17")
    quiet_from: Mapped[int | None] = mapped_column(SmallInteger)
    quiet_until: Mapped[int | None] = mapped_column(SmallInteger)
    unsubscribe_token: Mapped[str] = mapped_column(Text)


class Mail(Base):
    """A mail to be sent, written in the transaction of what it is about; `kind` and `source` make it once.

    `kind` names its template, `context` fills it. `claimed_at` is set while a worker is sending it.
    """

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint("sent_at is null or failed_at is null", name="ended"),
        Index("uq_mails_once", "kind", "source", unique=True),
        Index("ix_mails_user_id", "user_id"),
        Index(
            "ix_mails_waiting",
            "next_try_at",
            postgresql_where=text("sent_at is null and failed_at is null"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    recipient: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    context: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    claimed_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    fault: Mapped[str] = mapped_column(Text, server_default="")


register(
    Personal("notifications", gone="deleted"),
    Personal("notification_choices", leave_out=("unsubscribe_token",), gone="deleted"),
    Personal("mails", gone="deleted", stays=True),
)
