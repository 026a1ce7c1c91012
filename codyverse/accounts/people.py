"""A person's account as they and operators see it; how it ends."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update

from codyverse.accounts import passwords, tokens
from codyverse.accounts.models import AccountCount, User
from codyverse.accounts.queries import Preferences
from codyverse.accounts.services import sign_out_everywhere
from codyverse.core import personal
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import NotFound

TIME_TO_CHANGE_ONES_MIND = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Person:
    """An account. `erase_after`: the person asked for its erasure, which happens then unless they sign in before."""

    id: int
    email: str
    name: str
    role: str
    time_zone: str
    day_start_hour: int
    locale: str
    preferences: Preferences
    created_at: datetime
    deactivated_at: datetime | None
    erase_after: datetime | None


_COLUMNS = (
    User.id,
    User.email,
    User.display_name,
    User.role,
    User.time_zone,
    User.day_start_hour,
    User.locale,
    User.preferences,
    User.created_at,
    User.deactivated_at,
    User.erase_after,
)


def _person(row: Row[*tuple[Any, ...]]) -> Person:
    values = list(row)
    values[7] = Preferences.read(values[7])
    return Person(*values)


def person(user_id: int) -> Person:
    """The account with this id. Raises NotFound USER_NOT_FOUND."""
    row = session.execute(select(*_COLUMNS).where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return _person(row)


def people(offset: int, limit: int, role: str | None = None) -> tuple[tuple[Person, ...], int]:
    """Accounts, oldest first, and how many there are in all. Two statements."""
    query, count = (
        select(*_COLUMNS).order_by(User.id),
        select(func.coalesce(func.sum(AccountCount.people), 0)),
    )
    if role is not None:
        query, count = query.where(User.role == role), count.where(AccountCount.role == role)
    rows = session.execute(query.offset(offset).limit(limit))
    return tuple(_person(row) for row in rows), int(session.execute(count).scalar_one())


def export(user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything that is kept about the person, by table, as JSON values; no hashes, no other people's."""
    return personal.export(user_id)


def ask_erasure(user_id: int) -> datetime:
    """End all sessions and tokens now, erase in 30 days; when that is. Signing in before then calls it off.

    Asked again, the first date stays.
    """
    at = now()
    when = session.execute(
        update(User)
        .where(User.id == user_id)
        .values(erase_after=func.coalesce(User.erase_after, at + TIME_TO_CHANGE_ONES_MIND))
        .returning(User.erase_after)
    ).scalar_one()
    sign_out_everywhere(user_id)
    tokens.revoke_all(user_id)
    assert when is not None
    return when


def due_for_erasure(at: datetime) -> tuple[int, ...]:
    """Who is to be erased now."""
    return tuple(session.scalars(select(User.id).where(User.erase_after <= at).order_by(User.id)))


def erase(user_id: int) -> None:
    """Take out of every table what is the person's; what counts for others, such as the ledger, stays without a name.

    Again is harmless. Nobody can sign in to what is left.
    """
    personal.erase(user_id)
    gone = f"erased-{user_id}@invalid"
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(
            email=gone,
            email_key=gone,
            display_name="Erased",
            password_hash=passwords.hashed(secrets.token_urlsafe(32)),
            role="learner",
            time_zone="UTC",
            preferences=Preferences().stored(),
            deactivated_at=func.coalesce(User.deactivated_at, now()),
            erase_after=None,
        )
    )
