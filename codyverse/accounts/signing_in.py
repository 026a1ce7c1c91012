"""Signing in: the password, the second factor where one is set, then the session. Add and flush, never commit.

Between the two steps there is only a half: a key that works once, for ten minutes, and ends when the password changes.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update

from codyverse.accounts import one_time, passwords, second_factor
from codyverse.accounts.models import User
from codyverse.accounts.services import address_key
from codyverse.accounts.sessions import call_off_erasure, open_session
from codyverse.core.database import session
from codyverse.core.errors import Invalid, NotSignedIn
from codyverse.core.sealing import Seal

HALF = "half"
HALF_LASTS = timedelta(minutes=10)
NO_MATCH = "Address and password do not match. Check both and try again."
SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"


@dataclass(frozen=True, slots=True)
class Begun:
    """Who gave the right password. Either a session has begun (`token`), or a second factor is asked for (`half`).

    `stays`: they had asked to be erased, which is called off by this.
    """

    user_id: int
    token: str | None = None
    half: str | None = None
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """Whose password was right; `asks_more`: a second factor is set; `leaves`: they have asked to be erased."""

    user_id: int
    asks_more: bool
    leaves: bool


def check_password(email: str, password: str) -> Checked:
    """The person with this address and password.

    Raises Invalid, the same for every reason and after the same time.
    """
    found = session.execute(
        select(
            User.id,
            User.password_hash,
            User.deactivated_at,
            User.erase_after,
            second_factor.is_set(User.id).label("asks_more"),
        ).where(User.email_key == address_key(email))
    ).one_or_none()
    usable = found is not None and len(password) <= passwords.MAX_LENGTH
    right = passwords.matches(
        found.password_hash if found and usable else None, password[: passwords.MAX_LENGTH]
    )
    if found is None or not right or found.deactivated_at is not None:
        raise Invalid({"": [NO_MATCH]})
    if passwords.needs_rehash(found.password_hash):
        session.execute(
            update(User).where(User.id == found.id).values(password_hash=passwords.hashed(password))
        )
    return Checked(found.id, found.asks_more, found.erase_after is not None)


def begin(email: str, password: str, agent: str = "") -> Begun:
    """The first step, and the last where no second factor is set. Raises Invalid, the same for every reason."""
    found = check_password(email, password)
    if found.asks_more:
        return Begun(found.user_id, half=one_time.make(found.user_id, HALF, HALF_LASTS))
    stays = found.leaves and call_off_erasure(found.user_id)
    return Begun(found.user_id, token=open_session(found.user_id, agent), stays=stays)


def come_in(user_id: int, agent: str) -> Begun:
    """The session of somebody who has shown who they are. A pending erasure is called off by it."""
    stays = call_off_erasure(user_id)
    return Begun(user_id, token=open_session(user_id, agent), stays=stays)


def whose_half(half: str) -> int | None:
    """Who is half signed in with this; None if it is over."""
    found = one_time.look(half, HALF)
    return None if found is None else found.user_id


def finish(half: str, code: str, seal: Seal, agent: str = "") -> Begun | None:
    """The second step, with a code of the app or a recovery code; None if the half is over.

    Raises Invalid for a code that does not fit: undone, the half goes on.
    """
    found = one_time.use(half, HALF)
    if found is None:
        return None
    if not second_factor.take(found.user_id, code, seal):
        raise Invalid({"code": [second_factor.WRONG]})
    return come_in(found.user_id, agent)


def for_program(email: str, password: str, code: str | None, seal: Seal) -> Begun:
    """Who asks for a token with address, password and, where it is set, a second factor; no session begins.

    Raises NotSignedIn.
    """
    try:
        found = check_password(email, password)
    except Invalid as fault:
        raise NotSignedIn(NO_MATCH) from fault
    if found.asks_more and code is None:
        said = "This account asks for a second factor: send a code of its app, or a recovery code, as secondFactor."
        raise NotSignedIn(said, SECOND_FACTOR_REQUIRED)
    if found.asks_more and not second_factor.take(found.user_id, code or "", seal):
        raise NotSignedIn(second_factor.WRONG, SECOND_FACTOR_REQUIRED)
    return Begun(found.user_id, stays=call_off_erasure(found.user_id))
