"""Deliveries of webhooks: claimed and written down in transactions, sent outside of them, several at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from codyverse.core import outbound
from codyverse.core.addresses import Reach, Refused
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.outbound import NoAnswer
from codyverse.core.sealing import CannotOpen, Seal
from codyverse.webhooks import deliveries
from codyverse.webhooks.deliveries import Delivery
from codyverse.webhooks.rules import signed, written
from config import Settings

THREADS = 8


@dataclass(frozen=True, slots=True)
class Done:
    """How many deliveries were taken by their servers, how many will be tried again, and how many will not."""

    delivered: int = 0
    later: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending: the status of the answer, and what was wrong ('' if nothing was)."""

    status: int | None
    fault: str


def _settings() -> Settings:
    found: Settings = current_app.extensions["settings"]
    return found


def reach() -> Reach:
    """Where webhooks may lead to in this application."""
    return Reach(_settings().reachable_networks, https_only=_settings().is_public)


def seal() -> Seal:
    """What keeps the secrets of webhooks."""
    return Seal(_settings().secret_key, "webhooks")


def deliver() -> Done:
    """Send everything that is due."""
    delivered = later = failed = 0
    with ThreadPoolExecutor(THREADS, "webhooks") as pool:
        while batch := _claimed():
            for delivery, outcome in _sent(pool, batch):
                with unit_of_work():
                    again = _write_down(delivery, outcome)
                delivered += not outcome.fault
                later += again
                failed += bool(outcome.fault) and not again
    return Done(delivered, later, failed)


def _claimed() -> tuple[Delivery, ...]:
    with unit_of_work():
        return deliveries.claim(now())


def _sent(pool: ThreadPoolExecutor, batch: tuple[Delivery, ...]) -> Iterator[tuple[Delivery, Outcome]]:
    """Each delivery with what came of it, as it comes in."""
    how = (reach(), seal(), now())
    sending = {pool.submit(send, delivery, *how): delivery for delivery in batch}
    for done in as_completed(sending):
        yield sending[done], done.result()


def send(delivery: Delivery, reach: Reach, seal: Seal, at: datetime) -> Outcome:
    """Send one delivery, signed as sent at `at`. Touches no database."""
    body = written(delivery.key, delivery.kind, delivery.created_at, delivery.data)
    try:
        headers = signed(seal.open(delivery.sealed_secret), delivery.key, at, body)
        status = outbound.post(delivery.url, body, headers, reach)
    except CannotOpen:
        return Outcome(
            None, "The secret cannot be read since SECRET_KEY was changed: register the webhook anew."
        )
    except Refused as fault:
        return Outcome(None, f"Not sent: this URL {fault}.")
    except NoAnswer as fault:
        return Outcome(None, str(fault))
    return Outcome(status, "" if 200 <= status < 300 else f"The server answered {status}.")


def _write_down(delivery: Delivery, outcome: Outcome) -> bool:
    """Whether it will be tried again."""
    if outcome.fault:
        return deliveries.not_delivered(delivery, now(), outcome.status, outcome.fault)
    deliveries.delivered(delivery, now(), outcome.status or 200)
    return False
