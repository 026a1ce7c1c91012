"""Tables of webhooks: who wants to be told where, and the outbox of what is to be told."""

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

OPEN = "delivered_at is null and failed_at is null"


class Webhook(Base):
    """A URL that hears of `events`: its owner's own, or everybody's (`scope` all, for operators).

    `sealed_secret` is what deliveries are signed with, readable with the setting SECRET_KEY only. `off_at`: its server
    said that it is gone.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint("scope in ('own', 'all')", name="scope"),
        Index("uq_webhooks_user_id_url_scope", "user_id", "url", "scope", unique=True),
        Index("ix_webhooks_all", "id", postgresql_where=text("scope = 'all'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]]
    scope: Mapped[str] = mapped_column(Text, server_default="own")
    sealed_secret: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    off_at: Mapped[datetime | None]


class WebhookEvent(Base):
    """Something that happened and that somebody wants to be told, written in the transaction in which it happened.

    `key` is its public id. `kind` and `source` name the fact, which is told only once.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (
        Index("uq_webhook_events_key", "key", unique=True),
        Index("uq_webhook_events_once", "user_id", "kind", "source", unique=True),
        Index("ix_webhook_events_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class WebhookDelivery(Base):
    """An event on its way to a webhook. `claimed_at` is set while a worker is sending it.

    `give_up_at` is a day after its first try; `tries` counts since then. `status_code` and `fault` tell of the last try.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("delivered_at is null or failed_at is null", name="ended"),
        Index("uq_webhook_deliveries_once", "webhook_id", "event_id", unique=True),
        Index("ix_webhook_deliveries_event_id", "event_id"),
        Index("ix_webhook_deliveries_due", "webhook_id", "next_try_at", "id", postgresql_where=text(OPEN)),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    webhook_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("webhook_events.id", ondelete="CASCADE"))
    next_try_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    give_up_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    last_try_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    status_code: Mapped[int | None] = mapped_column(SmallInteger)
    fault: Mapped[str] = mapped_column(Text, server_default="")


register(
    Personal("webhooks", leave_out=("sealed_secret",), gone="deleted", stays=True),
    Personal("webhook_events", gone="deleted", stays=True),
    Personal("webhook_deliveries", owner="webhook_id", through="webhooks", gone="deleted", stays=True),
)
