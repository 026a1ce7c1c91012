"""Keys that work once and for a while: halves of sign-ins, links in mails. Kept is only a hash."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts.models import OneTimeKey, User
from codyverse.accounts.queries import token_hash
from codyverse.core.clock import now
from codyverse.core.database import session

KEPT_FOR = timedelta(days=1)
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Opened:
    """Whose key it is and what was written down with it."""

    user_id: int
    details: dict[str, Any]


def make(user_id: int, purpose: str, lasts: timedelta, details: dict[str, Any] | None = None) -> str:
    """A new key; its text, which is kept nowhere."""
    text, at = secrets.token_urlsafe(32), now()
    session.execute(
        insert(OneTimeKey).values(
            user_id=user_id,
            purpose=purpose,
            key_hash=token_hash(text),
            details=details or {},
            created_at=at,
            expires_at=at + lasts,
        )
    )
    return text


def _fits(text: str, purpose: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    in_use = select(User.id).where(User.id == OneTimeKey.user_id, User.deactivated_at.is_(None)).exists()
    return (
        OneTimeKey.key_hash == token_hash(text),
        OneTimeKey.purpose == purpose,
        OneTimeKey.used_at.is_(None),
        OneTimeKey.expires_at > at,
        in_use,
    )


def look(text: str, purpose: str) -> Opened | None:
    """Whose key this is, leaving it unused; None if it is used, over, of another purpose or was none."""
    query = select(OneTimeKey.user_id, OneTimeKey.details).where(*_fits(text, purpose, now()))
    row = session.execute(query).one_or_none()
    return None if row is None else Opened(row.user_id, row.details)


def use(text: str, purpose: str) -> Opened | None:
    """Use it up; None if it does not work. Of two at once one gets it."""
    at = now()
    using = update(OneTimeKey).where(*_fits(text, purpose, at)).values(used_at=at)
    row = session.execute(using.returning(OneTimeKey.user_id, OneTimeKey.details)).one_or_none()
    return None if row is None else Opened(row.user_id, row.details)


def spend(user_id: int, purpose: str, text: str, lasts: timedelta) -> bool:
    """Use up a text that was not written down when it was given out; False if it was used before."""
    at = now()
    values = {"user_id": user_id, "purpose": purpose, "key_hash": token_hash(text), "created_at": at}
    spent = pg_insert(OneTimeKey).values(**values, expires_at=at + lasts, used_at=at).on_conflict_do_nothing()
    return session.execute(spent.returning(OneTimeKey.id)).first() is not None


def end(user_id: int, purposes: Collection[str] | None = None) -> None:
    """End all open keys of a person, or those for these purposes. Again is harmless."""
    at = now()
    ending = update(OneTimeKey).where(
        OneTimeKey.user_id == user_id, OneTimeKey.used_at.is_(None), OneTimeKey.expires_at > at
    )
    if purposes is not None:
        ending = ending.where(OneTimeKey.purpose.in_(purposes))
    session.execute(ending.values(expires_at=at))


def recent(user_id: int, purpose: str, since: datetime) -> int:
    """How many keys for this purpose the person got since then."""
    query = select(OneTimeKey.id).where(
        OneTimeKey.user_id == user_id, OneTimeKey.purpose == purpose, OneTimeKey.created_at > since
    )
    return len(session.execute(query).all())


def forget_old(at: datetime) -> int:
    """Delete a batch of keys that were over a day ago; how many went."""
    over = select(OneTimeKey.id).where(OneTimeKey.expires_at < at - KEPT_FOR).limit(BATCH)
    gone = delete(OneTimeKey).where(OneTimeKey.id.in_(over.scalar_subquery()))
    return len(session.execute(gone.returning(OneTimeKey.id)).all())
