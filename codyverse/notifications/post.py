"""The post: mails written in a transaction, claimed by one worker, sent once. Adds and flushes, never commits.

A digest that may have been sent already (its worker was killed in between) is not sent again; other mails are, with the
same Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from codyverse.accounts.queries import Preferences
from codyverse.core.database import session
from codyverse.notifications import rules
from codyverse.notifications.models import Mail, Notification
from codyverse.notifications.services import BATCH, Batch
from codyverse.notifications.statements import CLAIM, DIGEST_READERS, FREE_CLAIMS, GIVE_UP, POST, UNTOLD

NEVER_TWICE = ("digest",)
AT_ONCE = 20
MOST_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Letter:
    """A claimed mail: what to render and where it goes. `tries` counts this one."""

    id: int
    recipient: str
    kind: str
    context: dict[str, Any]
    tries: int


def write_mail(
    kind: str,
    source: str,
    recipient: str,
    context: dict[str, Any],
    *,
    user_id: int | None,
    at: datetime,
    useful_for: timedelta,
) -> int | None:
    """Put a mail into the post; its id, None if this one (`kind` and `source`) is there already.

    `context` must be all that its template `emails/<kind>` needs. Not sent within `useful_for`, it is dropped.
    """
    values = {
        "user_id": user_id,
        "recipient": recipient,
        "kind": kind,
        "source": source,
        "context": context,
        "at": at,
        "expires_at": at + useful_for,
    }
    made = session.connection().execute(POST, values).scalar_one_or_none()
    return None if made is None else int(made)


def claim(at: datetime, limit: int = AT_ONCE) -> tuple[Letter, ...]:
    """Take some mails that are due, so that no other worker sends them. To be committed before sending."""
    connection = session.connection()
    killed = {"killed": at - rules.CLAIM_HOLDS, "never_twice": list(NEVER_TWICE)}
    connection.execute(GIVE_UP, killed | {"at": at})
    connection.execute(FREE_CLAIMS, killed)
    return tuple(Letter(*row) for row in connection.execute(CLAIM, {"at": at, "most": limit}))


def sent(mail_id: int, at: datetime) -> None:
    """The mail server has taken it."""
    session.execute(update(Mail).where(Mail.id == mail_id).values(sent_at=at, claimed_at=None, fault=""))


def not_sent(letter: Letter, at: datetime, fault: str, *, for_good: bool) -> None:
    """The mail server has not taken it: try again later, or, `for_good` or after enough tries, never."""
    values: dict[str, Any] = {"claimed_at": None, "fault": fault[:500]}
    if for_good or letter.tries >= rules.MOST_TRIES:
        values["failed_at"] = at
    else:
        values["next_try_at"] = rules.next_try(at, letter.tries)
    session.execute(update(Mail).where(Mail.id == letter.id).values(**values))


def waiting() -> int:
    """How many mails are not sent yet and still may be."""
    open_ones = select(func.count()).where(Mail.sent_at.is_(None), Mail.failed_at.is_(None))
    return int(session.execute(open_ones).scalar_one())


def write_digests(at: datetime, after_user_id: int = 0) -> Batch:
    """Write today's digest for those whose hour has come and who have something unread; a batch of readers by id.

    At most one a local day and person, whatever runs twice or at once; each notification is told in one of them.
    """
    since = at - rules.DIGEST_LOOKS_BACK
    values = {"after": after_user_id, "since": since, "most": BATCH}
    rows = session.connection().execute(DIGEST_READERS, values).all()
    written = 0
    for row in rows:
        day = rules.digest_date(at, row.time_zone, row.mail_hour)
        if day and not rules.is_quiet(at, row.time_zone, row.quiet_from, row.quiet_until):
            written += _digest(row, day, at, since)
    return Batch(written, rows[-1].user_id if len(rows) == BATCH else None)


def _digest(reader: Row[*tuple[Any, ...]], day: date, at: datetime, since: datetime) -> int:
    hidden = Preferences.read(reader.preferences).hidden
    kinds = [kind for kind in rules.visible_kinds(hidden) if kind in reader.mail_kinds]
    values = {"user_id": reader.user_id, "since": since, "kinds": kinds}
    news = session.connection().execute(UNTOLD, values).all()
    if not news:
        return 0
    context = {
        "name": reader.display_name,
        "items": _items(news, hidden),
        "more": max(0, len(news) - MOST_ITEMS),
        "unsubscribe_token": reader.unsubscribe_token,
    }
    source = f"digest:{reader.user_id}:{day}"
    useful_for = timedelta(days=1)
    made = write_mail(
        "digest", source, reader.email, context, user_id=reader.user_id, at=at, useful_for=useful_for
    )
    if made is None:
        return 0
    told = Notification.id.in_([row.id for row in news])
    session.execute(update(Notification).where(told).values(mailed_at=at))
    return 1


def _items(news: Sequence[Row[*tuple[Any, ...]]], hidden: frozenset[str]) -> list[dict[str, str]]:
    said = [rules.words(row.kind, row.details, hidden) for row in news[:MOST_ITEMS]]
    return [{"title": each.title, "text": each.text} for each in said]
