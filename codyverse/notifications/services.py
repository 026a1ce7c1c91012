"""Writes of notifications: telling people, marking as read, choices, reminders. Add and flush, never commit."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts.queries import Preferences
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Invalid, NotFound
from codyverse.core.together import Call, known, put_down
from codyverse.notifications import rules
from codyverse.notifications.models import Mail, Notification, NotificationChoices
from codyverse.notifications.statements import (
    ALIVE_STREAKS,
    CHANNEL,
    LAST_LESSONS,
    READ,
    READER,
    READERS,
    RECIPIENTS,
    STIR,
    WRITE,
)

BIGINT_MAX = 2**63 - 1
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch of a longer work did; `last_user_id` is where the next begins, None at the end."""

    done: int
    last_user_id: int | None


def tell(kind: str, source: str, details: dict[str, Any], user_ids: Sequence[int], at: datetime) -> int:
    """Let these people know of a fact, each once however often it is told; how many did not know yet.

    Their open pages hear of it when the transaction is committed, unless it is quiet hours for them. Two statements,
    however many people.
    """
    if not user_ids:
        return 0
    connection = session.connection()
    people = connection.execute(RECIPIENTS, {"user_ids": list(user_ids)}).all()
    shown = [_shows(kind, row.preferences, row.page_off) for row in people]
    push = [
        row.id
        for row, is_shown in zip(people, shown, strict=True)
        if is_shown and not rules.is_quiet(at, row.time_zone, row.quiet_from, row.quiet_until)
    ]
    values = {
        "kind": kind,
        "source": source,
        "details": details,
        "at": at,
        "user_ids": [row.id for row in people],
        "shown": shown,
        "push": push,
    }
    return int(connection.execute(WRITE, values).one().made)


class News(NamedTuple):
    """A fact that somebody is to be told of, as in `tell`."""

    kind: str
    source: str
    details: dict[str, Any]
    user_id: int
    at: datetime


def tell_with_it(news: News) -> None:
    """The same as `tell` for one person, together with what else is written of a fact."""
    put_down(_WRITE_NEWS, news)


def _told(gathered: list[News]) -> dict[str, Any] | None:
    readers = _readers(gathered)
    shown = {user_id: _shown(reader) for user_id, reader in readers.items() if reader is not None}
    written, push = [], set()
    for news in gathered:
        reader = readers[news.user_id]
        if reader is None:
            continue
        is_shown = news.kind in shown[news.user_id]
        if is_shown and not rules.is_quiet(news.at, reader[0], *reader[3:]):
            push.add(news.user_id)
        written.append(news._asdict() | {"shown": is_shown})
    return {"news": orjson.dumps(written).decode(), "push": sorted(push)} if written else None


def _shown(reader: list[Any]) -> frozenset[str]:
    """The kinds that this person wants to see on their pages."""
    _, preferences, page_off, *_ = reader
    return frozenset(rules.shown_kinds(Preferences.read(preferences).hidden)) - frozenset(page_off or ())


def _readers(gathered: list[News]) -> dict[int, list[Any] | None]:
    """How each of these people wants to hear of things, None if they have left."""
    missing = object()
    found = {news.user_id: known(READER.name, news.user_id, lambda: missing) for news in gathered}
    asked = [user_id for user_id, reader in found.items() if reader is missing]
    if asked:
        rows = session.connection().execute(READERS, {"user_ids": asked})
        found |= {row.id: row.reader for row in rows}
    return found


_WRITE_NEWS = Call(f"news_told(cast(:news as jsonb), cast(:push as bigint[]), '{CHANNEL}')", _told)


def stir(user_id: int) -> None:
    """Wake somebody's open pages at the commit without telling them anything: their balance is another now."""
    session.connection().execute(STIR, {"user_id": user_id})


def _shows(kind: str, preferences: dict[str, Any], page_off: Iterable[str] | None) -> bool:
    hidden = Preferences.read(preferences).hidden
    return kind in rules.shown_kinds(hidden) and kind not in (page_off or ())


def mark_read(user_id: int, notification_id: int) -> None:
    """Mark one as read. Again, or for one that is not theirs, changes nothing."""
    _read(user_id, notification_id, notification_id)


def mark_all_read(user_id: int, up_to: int = BIGINT_MAX) -> None:
    """Mark as read what there was when the page was made: ids up to `up_to`. Again is harmless."""
    _read(user_id, 0, min(up_to, BIGINT_MAX))


def _read(user_id: int, low: int, high: int) -> None:
    values = {"user_id": user_id, "low": low, "high": high, "at": now()}
    session.connection().execute(READ, values)


def choose(
    user_id: int,
    *,
    page_off: Iterable[str],
    mail_kinds: Iterable[str],
    mail_hour: int,
    quiet: tuple[int, int] | None,
) -> None:
    """Keep how somebody wants to hear of things. `quiet`: local hours from and until. Raises Invalid."""
    off, mailed = sorted(set(page_off)), sorted(set(mail_kinds))
    fields: dict[str, list[str]] = {}
    if not set(off) | set(mailed) <= set(rules.KINDS):
        fields["page"] = [f"Choose from {', '.join(rules.KINDS)}."]
    if mail_hour not in range(24):
        fields["mail_hour"] = ["Choose an hour from 0 to 23."]
    if quiet is not None and not all(hour in range(24) for hour in quiet):
        fields["quiet_from"] = ["Choose hours from 0 to 23."]
    if fields:
        raise Invalid(fields)
    if quiet is not None and quiet[0] == quiet[1]:
        quiet = None
    quiet_from, quiet_until = quiet or (None, None)
    chosen = {
        "page_off": off,
        "mail_kinds": mailed,
        "mail_hour": mail_hour,
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
    }
    session.execute(
        pg_insert(NotificationChoices)
        .values(user_id=user_id, unsubscribe_token=secrets.token_urlsafe(24), **chosen)
        .on_conflict_do_update(index_elements=["user_id"], set_=chosen)
    )


def unsubscribe(token: str) -> None:
    """No more mails for whoever has this token; what waits is not sent either. Again is harmless. Raises NotFound."""
    user_id = session.execute(
        update(NotificationChoices)
        .where(NotificationChoices.unsubscribe_token == token)
        .values(mail_kinds=[])
        .returning(NotificationChoices.user_id)
    ).scalar_one_or_none()
    if user_id is None:
        raise NotFound("This link belongs to nobody. Perhaps a part of it is missing.")
    session.execute(
        update(Mail)
        .where(
            Mail.user_id == user_id, Mail.kind == "digest", Mail.sent_at.is_(None), Mail.failed_at.is_(None)
        )
        .values(failed_at=now(), fault="unsubscribed")
    )


def remind_of_streaks(at: datetime, after_user_id: int = 0) -> Batch:
    """Remind those whose streak needs a lesson today, once per day; a batch of learners by id.

    Due is who learned yesterday but not today, about a day after their last lesson, while people there are awake. Whoever
    counts by weeks is not reminded: a day without a lesson is no risk for them.
    """
    values = {
        "after": after_user_id,
        "shortest": rules.SHORTEST_STREAK,
        "since": at.date() - timedelta(days=3),
        "until": at.date() + timedelta(days=1),
        "most": BATCH,
    }
    rows = session.connection().execute(ALIVE_STREAKS, values).all()
    due = {}
    for row in rows:
        what = (row.time_zone, row.day_start_hour, row.streak, row.streak_date)
        if day := rules.reminder_date(at, *what):
            due[row.id] = (day, row.streak)
    told = 0
    for user_id in _long_ago(list(due), at):
        day, days = due[user_id]
        told += tell("streak", f"streak:{day}", {"days": days}, [user_id], at)
    return Batch(told, rows[-1].id if len(rows) == BATCH else None)


def _long_ago(user_ids: list[int], at: datetime) -> list[int]:
    """Those whose last lesson is so long ago that a reminder helps."""
    if not user_ids:
        return []
    rows = session.connection().execute(LAST_LESSONS, {"user_ids": user_ids})
    return [row.user_id for row in rows if row.at + rules.REMIND_AFTER <= at]


def forget_old(at: datetime, limit: int = BATCH) -> int:
    """Delete what was read long ago, and mails that are over; at most `limit` of each. How many went."""
    gone = 0
    for model, old in (
        (Notification, Notification.read_at < at - rules.KEEP_READ),
        (Mail, Mail.created_at < at - rules.KEEP_MAILS),
    ):
        ids = session.scalars(select(model.id).where(old).order_by(model.id).limit(limit)).all()
        if ids:
            session.execute(delete(model).where(model.id.in_(ids)))
        gone += len(ids)
    return gone
