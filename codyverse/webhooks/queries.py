"""Reads about webhooks, for their owners."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, select

from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.webhooks.models import Webhook, WebhookDelivery, WebhookEvent

State = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook without its secret. Not `active`: its server said that it is gone."""

    id: int
    url: str
    events: tuple[str, ...]
    scope: str
    active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """An event on its way: `tries` so far, `next_try_at` while it is pending, what came of the last try.

    `event` is the public id of the event, `kind` its type, `created_at` when it happened.
    """

    id: int
    event: str
    kind: str
    created_at: datetime
    state: State
    tries: int
    next_try_at: datetime | None
    last_try_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None
    status_code: int | None
    fault: str


@dataclass(frozen=True, slots=True)
class WebhooksPage:
    """Some of somebody's webhooks, and how many there are."""

    items: tuple[WebhookView, ...]
    total: int


@dataclass(frozen=True, slots=True)
class DeliveriesPage:
    """Some deliveries of a webhook, and how many there are."""

    items: tuple[DeliveryView, ...]
    total: int


_WEBHOOK = select(Webhook.id, Webhook.url, Webhook.events, Webhook.scope, Webhook.off_at, Webhook.created_at)
_DELIVERY = select(
    WebhookDelivery.id,
    WebhookEvent.key,
    WebhookEvent.kind,
    WebhookEvent.created_at,
    WebhookDelivery.tries,
    WebhookDelivery.next_try_at,
    WebhookDelivery.last_try_at,
    WebhookDelivery.delivered_at,
    WebhookDelivery.failed_at,
    WebhookDelivery.status_code,
    WebhookDelivery.fault,
).join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)


def webhooks_page(user_id: int, page: int, per_page: int) -> WebhooksPage:
    """Somebody's webhooks, oldest first; pages count from 1."""
    mine = Webhook.user_id == user_id
    total = session.execute(select(func.count()).where(mine)).scalar_one()
    rows = session.execute(
        _WEBHOOK.where(mine).order_by(Webhook.id).limit(per_page).offset((page - 1) * per_page)
    )
    return WebhooksPage(tuple(_webhook(row) for row in rows), int(total))


def webhook(user_id: int, webhook_id: int) -> WebhookView:
    """One of somebody's webhooks. Raises NotFound."""
    row = session.execute(_WEBHOOK.where(Webhook.user_id == user_id, Webhook.id == webhook_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such webhook.")
    return _webhook(row)


def deliveries_page(user_id: int, webhook_id: int, page: int, per_page: int) -> DeliveriesPage:
    """What was and is to be told to one of somebody's webhooks, newest first; pages count from 1. Raises NotFound.

    Each event is delivered once, so that its number orders deliveries, too, and an index has them in that order.
    """
    webhook(user_id, webhook_id)
    of_it = WebhookDelivery.webhook_id == webhook_id
    total = session.execute(select(func.count()).where(of_it)).scalar_one()
    rows = session.execute(
        _DELIVERY.where(of_it)
        .order_by(WebhookDelivery.event_id.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return DeliveriesPage(tuple(_delivery(row) for row in rows), int(total))


def delivery(user_id: int, webhook_id: int, delivery_id: int) -> DeliveryView:
    """One delivery of one of somebody's webhooks. Raises NotFound."""
    row = session.execute(
        _DELIVERY.join(Webhook, Webhook.id == WebhookDelivery.webhook_id).where(
            Webhook.user_id == user_id, Webhook.id == webhook_id, WebhookDelivery.id == delivery_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery of a webhook of yours.")
    return _delivery(row)


def _webhook(row: Row[*tuple[Any, ...]]) -> WebhookView:
    return WebhookView(row.id, row.url, tuple(row.events), row.scope, row.off_at is None, row.created_at)


def _delivery(row: Row[*tuple[Any, ...]]) -> DeliveryView:
    state: State = "delivered" if row.delivered_at else "failed" if row.failed_at else "pending"
    return DeliveryView(
        id=row.id,
        event=row.key,
        kind=row.kind,
        created_at=row.created_at,
        state=state,
        tries=row.tries,
        next_try_at=row.next_try_at if state == "pending" else None,
        last_try_at=row.last_try_at,
        delivered_at=row.delivered_at,
        failed_at=row.failed_at,
        status_code=row.status_code,
        fault=row.fault,
    )
