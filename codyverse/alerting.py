"""When the site's health changes, those who run it hear of it: in the log, as a notification, at ALERT_WEBHOOK_URL.

Each process looks for itself, so a change of the whole site is seen by all of them within half a minute. One row in the
database decides who tells: the first. With the database away nobody can decide, and each process calls the webhook;
`key` is the same for all of them then too, so that the receiver can take them for one.
"""

import json
import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import stamina
from flask import Flask
from sqlalchemy import Text, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.accounts import queries as accounts
from codyverse.core import heartbeat, metrics, outbound
from codyverse.core.addresses import Reach, Refused
from codyverse.core.database import Base, session, unit_of_work
from codyverse.core.health import Health, Monitor
from codyverse.core.outbound import NoAnswer, Patience
from codyverse.core.replicas import ReplicaNow
from codyverse.notifications import services as notifications

log = logging.getLogger(__name__)
SAME_SECONDS = 300
"""Changes to the same state within so long are one: several processes see it, and what flutters is not told each time."""
EVERYWHERE = Reach((ip_network("0.0.0.0/0"), ip_network("::/0")), https_only=False)
"""The address comes from the settings, so it may lead into the operators' own network."""
PATIENCE = Patience(connect=3.0, whole=8.0)


class HealthAlert(Base):
    """A change of health that was told; `key` names it for all processes."""

    __tablename__ = "health_alerts"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime]
    overall: Mapped[str] = mapped_column(Text)
    before: Mapped[str] = mapped_column(Text)
    instance: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """From one overall state to another; `before` is '' at the first look of a process."""

    key: str
    before: str
    now: Health
    instance: str

    def as_json(self) -> dict[str, Any]:
        """As the webhook gets it."""
        found = self.now
        return {
            "event": "health.changed",
            "key": self.key,
            "overall": found.overall,
            "before": self.before or None,
            "database": found.database,
            "memory": found.memory,
            "cache": found.cache,
            **({"replicas": [_replica(each) for each in found.replicas]} if found.replicas else {}),
            "checkedAt": found.checked_at.isoformat(),
            "instance": self.instance,
        }


def _replica(each: ReplicaNow) -> dict[str, str]:
    return {"name": each.name, "state": each.state}


@dataclass(frozen=True, slots=True)
class Told:
    """A change that was told."""

    at: datetime
    overall: str
    before: str
    instance: str
    details: dict[str, str]


_LATEST = text(
    "select at, overall, before, instance, details from health_alerts order by at desc limit :most"
)
_TAKE_TURNS = text("select pg_advisory_xact_lock(hashtext('health-alerts'))")
_CLAIM = text("""
    insert into health_alerts (key, at, overall, before, instance, details)
    select :key, :at, :overall, :before, :instance, cast(:details as jsonb)
    where not exists (
        select from health_alerts as same
        where same.details = cast(:details as jsonb) and abs(extract(epoch from same.at - :at)) < :same_seconds
            and not exists (
                select from health_alerts as other
                where other.details <> same.details and other.at > least(same.at, :at) and other.at < greatest(same.at, :at)
            )
    )
    on conflict (key) do nothing returning key
""")


def change_of(before: Health | None, found: Health, instance: str) -> Change | None:
    """What has to be told; None when a process begins and all is well."""
    if before is None and found.overall == "healthy":
        return None
    span = int(found.checked_at.timestamp()) // SAME_SECONDS
    parts = (found.overall, found.database, found.memory, found.cache)
    return Change(f"{span}:{':'.join(parts)}", before.overall if before else "", found, instance)


def claim(change: Change) -> bool | None:
    """Write it down and tell the operators; whether this process was the first to. None: the database is away.

    Told already is the same state at nearly the same time with no other state in between.
    """
    told = {"overall": str(change.now.overall), **change.now.parts}
    values = {
        "key": f"{change.key}@{change.now.checked_at.isoformat()}",
        "same_seconds": SAME_SECONDS,
        "at": change.now.checked_at,
        "overall": change.now.overall,
        "before": change.before,
        "instance": change.instance,
        "details": json.dumps(told),
    }
    try:
        with unit_of_work():
            session.connection().execute(_TAKE_TURNS)
            if session.connection().execute(_CLAIM, values).one_or_none() is None:
                return False
            source = f"health:{values['key']}"
            operators = [each.id for each in accounts.accounts("operator", 1000)]
            details = told | {"before": change.before}
            notifications.tell("health", source, details, operators, change.now.checked_at)
    except SQLAlchemyError:
        return None
    return True


def latest(most: int) -> tuple[Told, ...]:
    """The last changes, newest first. One statement."""
    return tuple(Told(*row) for row in session.connection().execute(_LATEST, {"most": most}))


def call(url: str, change: Change) -> bool:
    """Send it to the webhook, three tries with growing pauses; whether somebody took it. What fails is logged."""
    body = json.dumps(change.as_json()).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Cody-Verse-alerts"}

    def once() -> int:
        status = outbound.post(url, body, headers, EVERYWHERE, PATIENCE)
        if status >= 500:
            raise NoAnswer(f"It answered {status}.")
        return status

    try:
        status = stamina.RetryingCaller(attempts=3, timeout=30).on(NoAnswer)(once)
    except (NoAnswer, Refused) as fault:
        metrics.faults.labels("external service").inc()
        log.warning("the alert could not be sent: %s", fault)
        return False
    return status < 400


@dataclass(slots=True)
class Unwritten:
    """Changes that could not be written, for the database was away: they are when it is back."""

    waiting: list[Change]
    lock: threading.Lock


def tell(app: Flask, url: str | None, change: Change, unwritten: Unwritten) -> None:
    """All three; the log has it from the look itself. What could not be written before is written first."""
    with app.app_context(), unwritten.lock:
        while unwritten.waiting and claim(unwritten.waiting[0]) is not None:
            unwritten.waiting.pop(0)
        first = claim(change)
        if first is None:
            unwritten.waiting.append(change)
        if url and first is not False:
            call(url, change)


def install(app: Flask) -> None:
    """Listen to the look at the site's health; telling happens beside it, for a webhook may be slow."""
    monitor: Monitor = app.extensions["health"]
    url: str | None = app.extensions["settings"].alert_webhook_url
    heart = heartbeat.of(app)
    unwritten = Unwritten([], threading.Lock())

    def on_change(before: Health | None, found: Health) -> None:
        change = change_of(before, found, heart.name)
        if change and heart.every:
            threading.Thread(
                target=tell, args=(app, url, change, unwritten), name="alert", daemon=True
            ).start()

    monitor.tell.append(on_change)
    app.extensions["database_breaker"].changed.append(metrics.show_breaker)
    heart.beside.append(monitor.begin)
    heart.afterwards.append(monitor.end)
