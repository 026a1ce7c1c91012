"""Reads of notifications: the bell, the list, somebody's choices, the streams' states, the post of development."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from codyverse.core.asking import ask, ask_one
from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.notifications import rules
from codyverse.notifications.models import Mail, NotificationChoices
from codyverse.notifications.statements import BELL, COUNTED, LISTED, NEWER, ONE, SLICE, STATES

MOST_ANNOUNCED = 3


@dataclass(frozen=True, slots=True)
class Bell:
    """How many are unread, and the state that a page was made in: compare it to know whether anything is new."""

    unread: int
    latest: int
    state: str


@dataclass(frozen=True, slots=True)
class NewsLine:
    """A notification in words. `target` is what it is about, for the link: a course's slug, or ''."""

    id: int
    kind: str
    mechanic: str | None
    title: str
    text: str
    target: str
    created_at: datetime
    read: bool


@dataclass(frozen=True, slots=True)
class NewsPage:
    """Some notifications, newest first. `next_before_id` asks for the page after it; None at the end."""

    lines: tuple[NewsLine, ...]
    next_before_id: int | None


@dataclass(frozen=True, slots=True)
class Choices:
    """How somebody wants to hear of things; see NotificationChoices."""

    page_off: frozenset[str] = frozenset()
    mail_kinds: frozenset[str] = frozenset()
    mail_hour: int = rules.MAIL_HOUR
    quiet: tuple[int, int] | None = None
    unsubscribe_token: str = ""


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail as development shows it."""

    id: int
    recipient: str
    kind: str
    created_at: datetime
    sent_at: datetime | None
    failed_at: datetime | None
    fault: str
    context: dict[str, Any] = field(repr=False)


def bell(user_id: int, hidden: frozenset[str]) -> Bell:
    """The bell of somebody who has hidden these mechanics. One statement, on two small indexes."""
    values = {"user_id": user_id, "kinds": list(rules.shown_kinds(hidden))}
    return bell_of(ask_one(BELL, values))


def bell_of(row: Row[*tuple[Any, ...]]) -> Bell:
    """The same from a row with the columns of `BELL`."""
    return Bell(row.shown, row.latest, _state(row))


def states(user_ids: Iterable[int]) -> dict[int, str]:
    """The state of each of these people's notifications, as `Bell.state`. One statement."""
    rows = ask(STATES, {"user_ids": list(user_ids)})
    return {row.id: _state(row) for row in rows}


def _state(row: Row[*tuple[Any, ...]]) -> str:
    """What differs whenever an open page is out of date: by news, by reading, by what was bought in another tab."""
    return f"{row.latest}.{row.unread}" + (f".{row.bought}" if row.bought else "")


def newer_titles(user_id: int, after: int, hidden: frozenset[str]) -> tuple[str, ...]:
    """The titles of what is unread and came after the one with this id, newest first, at most three."""
    kinds = list(rules.shown_kinds(hidden))
    values = {"user_id": user_id, "after": after, "kinds": kinds, "most": MOST_ANNOUNCED}
    rows = ask(NEWER, values)
    return tuple(rules.words(row.kind, row.details, hidden).title for row in rows)


def listing(
    user_id: int, hidden: frozenset[str], before_id: int, limit: int, *, unread_only: bool = False
) -> NewsPage:
    """The newest notifications with ids below `before_id`. One statement."""
    values = {
        "user_id": user_id,
        "before": before_id,
        "kinds": list(rules.shown_kinds(hidden)),
        "all": not unread_only,
        "most": limit + 1,
    }
    rows = ask(LISTED, values)
    lines = tuple(_line(row, hidden) for row in rows[:limit])
    return NewsPage(lines, lines[-1].id if len(rows) > limit else None)


@dataclass(frozen=True, slots=True)
class NewsSlice:
    """Some notifications, newest first, of `total` that were asked for."""

    lines: tuple[NewsLine, ...]
    total: int


def news_slice(
    user_id: int, hidden: frozenset[str], *, offset: int, limit: int, unread_only: bool = False
) -> NewsSlice:
    """The notifications after the first `offset`. Two statements."""
    values = {"user_id": user_id, "kinds": list(rules.shown_kinds(hidden)), "all": not unread_only}
    connection = session.connection()
    total = connection.execute(COUNTED, values).scalar_one()
    rows = connection.execute(SLICE, values | {"offset": offset, "most": limit})
    return NewsSlice(tuple(_line(row, hidden) for row in rows), total)


def notification(user_id: int, notification_id: int, hidden: frozenset[str]) -> NewsLine:
    """One of somebody's own. Raises NotFound."""
    row = ask_one(ONE, {"user_id": user_id, "id": notification_id})
    if row is None:
        raise NotFound("There is no such notification.")
    return _line(row, hidden)


def _line(row: Any, hidden: frozenset[str]) -> NewsLine:
    return line(row.id, row.kind, row.details, row.created_at, read=row.read_at is not None, hidden=hidden)


def line(
    number: int,
    kind: str,
    details: dict[str, Any],
    created_at: datetime,
    *,
    read: bool,
    hidden: frozenset[str],
) -> NewsLine:
    """A stored notification in words, as somebody reads it who has hidden these mechanics."""
    said = rules.words(kind, details, hidden)
    return NewsLine(
        id=number,
        kind=kind,
        mechanic=rules.MECHANIC_OF.get(kind),
        title=said.title,
        text=said.text,
        target=str(details.get("slug", "")),
        created_at=created_at,
        read=read,
    )


def choices(user_id: int) -> Choices:
    """What somebody has chosen; the defaults if nothing."""
    found = session.execute(
        select(NotificationChoices).where(NotificationChoices.user_id == user_id)
    ).scalar_one_or_none()
    if found is None:
        return Choices()
    quiet = (
        None
        if found.quiet_from is None or found.quiet_until is None
        else (found.quiet_from, found.quiet_until)
    )
    return Choices(
        page_off=frozenset(found.page_off),
        mail_kinds=frozenset(found.mail_kinds),
        mail_hour=found.mail_hour,
        quiet=quiet,
        unsubscribe_token=found.unsubscribe_token,
    )


def has_subscription(token: str) -> bool:
    """Whether this token is somebody's. Says nothing about whose."""
    known = select(NotificationChoices.user_id).where(NotificationChoices.unsubscribe_token == token)
    return session.execute(known).scalar_one_or_none() is not None


_KEPT = select(
    Mail.id,
    Mail.recipient,
    Mail.kind,
    Mail.created_at,
    Mail.sent_at,
    Mail.failed_at,
    Mail.fault,
    Mail.context,
)


def kept_mails(limit: int = 50) -> tuple[KeptMail, ...]:
    """The newest mails of everybody: for development only."""
    return tuple(KeptMail(*row) for row in session.execute(_KEPT.order_by(Mail.id.desc()).limit(limit)))


def kept_mail(mail_id: int) -> KeptMail:
    """One mail: for development only. Raises NotFound."""
    row = session.execute(_KEPT.where(Mail.id == mail_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such mail.")
    return KeptMail(*row)
