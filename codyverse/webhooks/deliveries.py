"""Deliveries as the worker handles them: claimed, sent outside of any transaction, written down. Never commits.

At least once: a worker that is killed between sending and writing down leaves a claim, which is freed after some
minutes, and the same event is sent again under the same id.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update

from codyverse.core.database import session
from codyverse.webhooks import rules
from codyverse.webhooks.models import Webhook, WebhookDelivery
from codyverse.webhooks.statements import CLAIM, DROP, FREE_CLAIMS

AT_ONCE = 16
OF_ONE_WEBHOOK = 4
NOT_ENTITLED = "The webhook is off, or its owner may not have this any more."


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery: where it goes, what it says. `tries` counts this one."""

    id: int
    webhook_id: int
    tries: int
    claimed_at: datetime
    give_up_at: datetime
    url: str
    sealed_secret: str
    key: str
    kind: str
    created_at: datetime
    data: dict[str, Any]


def claim(at: datetime, limit: int = AT_ONCE) -> tuple[Delivery, ...]:
    """Take some deliveries that are due, so that no other worker sends them. To be committed before sending.

    What is meant for somebody who may not have it any more is ended here, unsent.
    """
    connection = session.connection()
    connection.execute(DROP, {"at": at, "fault": NOT_ENTITLED})
    connection.execute(FREE_CLAIMS, {"killed": at - rules.CLAIM_HOLDS})
    values = {"at": at, "until": at + rules.TRIED_FOR, "each": OF_ONE_WEBHOOK, "most": limit}
    return tuple(Delivery(*row) for row in connection.execute(CLAIM, values))


def delivered(delivery: Delivery, at: datetime, status: int) -> None:
    """Its server has taken it."""
    _end(delivery, {"delivered_at": at, "status_code": status, "fault": ""})


def not_delivered(delivery: Delivery, at: datetime, status: int | None, fault: str) -> bool:
    """Its server has not taken it: try again later, or give up after a day. Whether it will be tried again.

    A server that says that it is gone (410) is told nothing any more.
    """
    told = {"status_code": status, "fault": fault[:500]}
    again = rules.next_try(at, delivery.tries, delivery.give_up_at, random.random())  # noqa: S311 - spreads load
    if status == rules.GONE:
        again = None
        off = update(Webhook).where(Webhook.id == delivery.webhook_id, Webhook.off_at.is_(None))
        session.execute(off.values(off_at=at))
    _end(delivery, told | ({"failed_at": at} if again is None else {"next_try_at": again}))
    return again is not None


def _end(delivery: Delivery, changed: dict[str, Any]) -> None:
    """Give the claim back with what came of it; nothing if it is no longer this worker's."""
    session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == delivery.id,
            WebhookDelivery.claimed_at == delivery.claimed_at,
            WebhookDelivery.tries == delivery.tries,
        )
        .values(claimed_at=None, **changed)
    )
