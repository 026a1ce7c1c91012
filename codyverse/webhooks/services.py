"""Writes about webhooks by their owners. Add and flush, never commit."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from codyverse.accounts.models import User
from codyverse.core.addresses import Reach, Refused
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotAllowed, NotFound
from codyverse.core.sealing import Seal
from codyverse.webhooks import rules
from codyverse.webhooks.models import Webhook, WebhookDelivery, WebhookEvent


@dataclass(frozen=True, slots=True)
class Registered:
    """A new webhook. The secret is told here and never again."""

    webhook_id: int
    secret: str


def register(
    user_id: int, url: str, kinds: Collection[str], scope: str, *, reach: Reach, seal: Seal
) -> Registered:
    """Have `url` told of these kinds of events: the owner's own, or everybody's (`scope` all, operators only).

    Looks the URL's name up, which takes three seconds at most; sends nothing. Raises Invalid, NotAllowed, and Conflict
    when it is registered already or the person has as many as one may have.
    """
    wanted = _checked(url, kinds, scope, reach)
    owner = session.execute(
        select(User.role).where(User.id == user_id).with_for_update(key_share=True)
    ).scalar_one_or_none()
    if owner is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    if scope == "all" and owner != "operator":
        raise NotAllowed("Only operators are told of what happens to everybody.")
    owned = session.execute(select(func.count()).where(Webhook.user_id == user_id)).scalar_one()
    if owned >= rules.MOST_PER_PERSON:
        raise Conflict(f"You have {owned} webhooks, which is as many as one may have. Delete one first.")
    secret = rules.new_secret()
    values = {
        "user_id": user_id,
        "url": url,
        "events": wanted,
        "scope": scope,
        "sealed_secret": seal.close(secret),
        "created_at": now(),
    }
    made = session.execute(
        insert(Webhook).values(**values).on_conflict_do_nothing().returning(Webhook.id)
    ).scalar_one_or_none()
    if made is None:
        raise Conflict("This URL is registered already. Delete that webhook to get a new secret.")
    return Registered(int(made), secret)


def _checked(url: str, kinds: Collection[str], scope: str, reach: Reach) -> list[str]:
    """The kinds in their order. Raises Invalid with every fault."""
    fields: dict[str, list[str]] = {}
    if not kinds or not set(kinds) <= set(rules.KINDS):
        fields["events"] = [f"Name at least one of {', '.join(rules.KINDS)}, and nothing else."]
    if scope not in rules.SCOPES:
        fields["scope"] = ["Write own or all."]
    try:
        reach.addresses(reach.target(url))
    except Refused as fault:
        fields["url"] = [f"This URL {fault}."]
    if fields:
        raise Invalid(fields)
    return [kind for kind in rules.KINDS if kind in kinds]


def delete_webhook(user_id: int, webhook_id: int) -> None:
    """Tell it nothing any more; what was still to be told is forgotten. Raises NotFound."""
    gone = delete(Webhook).where(Webhook.id == webhook_id, Webhook.user_id == user_id).returning(Webhook.id)
    if session.execute(gone).scalar_one_or_none() is None:
        raise NotFound("There is no such webhook.")


def replay(user_id: int, webhook_id: int, delivery_id: int) -> None:
    """Have a delivery sent once more, with the same id and for another day of tries, whatever became of it.

    Nothing changes while it is being sent. Raises NotFound, and Conflict when the webhook is off.
    """
    delivery = session.execute(
        select(Webhook.off_at, WebhookDelivery.claimed_at)
        .join(WebhookDelivery, WebhookDelivery.webhook_id == Webhook.id)
        .where(Webhook.id == webhook_id, Webhook.user_id == user_id, WebhookDelivery.id == delivery_id)
        .with_for_update(of=WebhookDelivery)
    ).one_or_none()
    if delivery is None:
        raise NotFound("There is no such delivery of a webhook of yours.")
    if delivery.off_at is not None:
        raise Conflict("This webhook is off, for its server said that it is gone. Register it anew.")
    if delivery.claimed_at is not None:
        return
    fresh = {"next_try_at": now(), "tries": 0, "give_up_at": None, "delivered_at": None, "failed_at": None}
    session.execute(update(WebhookDelivery).where(WebhookDelivery.id == delivery_id).values(fresh))


def forget_old(limit: int = 1000) -> int:
    """Delete events of more than 30 days ago with their deliveries, at most `limit`. How many events went."""
    old = select(WebhookEvent.id).where(WebhookEvent.created_at < now() - rules.KEEP)
    ids = session.scalars(old.order_by(WebhookEvent.id).limit(limit)).all()
    if ids:
        session.execute(delete(WebhookEvent).where(WebhookEvent.id.in_(ids)))
    return len(ids)
