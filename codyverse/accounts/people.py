"""A person's account as they and operators see it; how it ends."""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts import one_time, passwords, second_factor, tokens
from codyverse.accounts.models import AccountCount, Erasure, User
from codyverse.accounts.queries import Preferences, erased_address
from codyverse.accounts.second_factor import Shown
from codyverse.accounts.sessions import sign_out_everywhere
from codyverse.accounts.telling import tell_owner
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
    email_verified_at: datetime | None


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
    User.email_verified_at,
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


def people(
    offset: int, limit: int, role: str | None = None, after_id: int = 0
) -> tuple[tuple[Person, ...], int]:
    """Accounts with ids above `after_id`, oldest first, and how many there are in all, also below. Two statements."""
    query, count = (
        select(*_COLUMNS).where(User.id > after_id).order_by(User.id),
        select(func.coalesce(func.sum(AccountCount.people), 0)),
    )
    if role is not None:
        query, count = query.where(User.role == role), count.where(AccountCount.role == role)
    rows = session.execute(query.offset(offset).limit(limit))
    return tuple(_person(row) for row in rows), int(session.execute(count).scalar_one())


@dataclass(frozen=True, slots=True)
class Leaving:
    """When everything personal will be gone, and the receipt with which one can ask later whether it is."""

    when: datetime
    receipt: str


def ask_erasure(user_id: int) -> Leaving:
    """End all sessions and tokens now, erase in 30 days. Signing in before then calls it off.

    Asked again, the first date stays, and the receipt is the same. Both go by mail to a confirmed address.
    """
    at = now()
    row = session.execute(
        update(User)
        .where(User.id == user_id)
        .values(erase_after=func.coalesce(User.erase_after, at + TIME_TO_CHANGE_ONES_MIND))
        .returning(User.erase_after, User.created_at)
    ).one()
    sign_out_everywhere(user_id)
    tokens.revoke_all(user_id)
    one_time.end(user_id)
    leaving = Leaving(row.erase_after, receipt_of(person_hash(user_id, row.created_at)))
    when = f"{leaving.when.astimezone(UTC):%Y-%m-%d %H:%M}"
    tell_owner(user_id, "erasure_asked", when=when, receipt=leaving.receipt)
    return leaving


def leave(user_id: int, shown: Shown) -> Leaving:
    """The same for somebody who shows by password, and second factor where one is set, that it is they. Raises Invalid."""
    second_factor.must_be_owner(user_id, shown)
    return ask_erasure(user_id)


def person_hash(user_id: int, created_at: datetime) -> bytes:
    """What is kept of somebody who was erased: says who it was to nobody who does not know both already."""
    return hashlib.sha256(f"{user_id} {created_at.astimezone(UTC).isoformat()}".encode()).digest()


def receipt_of(whose: bytes) -> str:
    """The receipt's number, made from the hash: nothing else has to be kept for it."""
    signs = base64.b32encode(whose[:10]).decode()
    return "-".join(signs[place : place + 4] for place in range(0, 16, 4))


def due_for_erasure(at: datetime) -> tuple[int, ...]:
    """Who is to be erased now."""
    return tuple(session.scalars(select(User.id).where(User.erase_after <= at).order_by(User.id)))


def erase(user_id: int) -> str:
    """Take out of every table what is the person's; what counts for others, such as the ledger, stays without a name.

    The number of the receipt. Again is harmless. Nobody can sign in to what is left. Raises NotFound.
    """
    made = session.execute(select(User.created_at).where(User.id == user_id)).scalar_one_or_none()
    if made is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    gone, whose = erased_address(user_id), person_hash(user_id, made)
    personal.erase(user_id)
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
            day_start_hour=4,
            locale="en",
            preferences=Preferences().stored(),
            email_verified_at=None,
            password_changed_at=None,
            deactivated_at=func.coalesce(User.deactivated_at, now()),
            erase_after=None,
        )
    )
    session.execute(pg_insert(Erasure).values(person_hash=whose, erased_at=now()).on_conflict_do_nothing())
    return receipt_of(whose)


def erasures() -> tuple[str, ...]:
    """Who was erased, as hashes in hexadecimal: to be kept beside backups and given to `replay_erasures` after a restore."""
    return tuple(
        each.hex() for each in session.scalars(select(Erasure.person_hash).order_by(Erasure.erased_at))
    )


def erased_at(receipt: str) -> datetime | None:
    """When the person with this receipt was erased; None if nobody was, or not yet."""
    wanted = receipt.replace("-", "").replace(" ", "").upper()
    for row in session.execute(select(Erasure.person_hash, Erasure.erased_at)):
        if receipt_of(row.person_hash).replace("-", "") == wanted:
            done: datetime = row.erased_at
            return done
    return None


def replay_erasures(more: Iterable[str] = ()) -> int:
    """Erase again whoever a restored backup has brought back; how many. `more` are hashes from `erasures()` elsewhere.

    Again is harmless. Reads all accounts; for the moment after a restore.
    """
    gone = {bytes.fromhex(each) for each in (*erasures(), *more)}
    rows = session.execute(select(User.id, User.created_at, User.email)).all()
    back = [
        row.id
        for row in rows
        if person_hash(row.id, row.created_at) in gone and row.email != erased_address(row.id)
    ]
    for user_id in back:
        erase(user_id)
    return len(back)
