"""Second factors: an authenticator app (TOTP, RFC 6238) and recovery codes. Add and flush, never commit.

A code counts for its half minute and the one before and after it; once taken, it and all older ones are refused. A
recovery code works once. Whoever turns something off or makes new codes gives the password and a code.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyotp
from sqlalchemy import ColumnElement, ScalarResult, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import InstrumentedAttribute

from codyverse.accounts import one_time, passwords
from codyverse.accounts.models import Passkey, RecoveryCode, SecondFactor, User
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid
from codyverse.core.sealing import CannotOpen, Seal

ISSUER = "Cody Verse"
STEP_SECONDS = 30
WINDOW = (-1, 0, 1)
CODES = 10
SIGNS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's alphabet: no letter looks like another sign."""
ALIKE = str.maketrans("oil", "011")
CODE_SIGNS = 16
WRONG = (
    "This code does not fit, or was used before. Take the newest one that the app shows, or a recovery code."
)


@dataclass(frozen=True, slots=True)
class State:
    """What an account asks for after its password; `codes_left` are recovery codes. `waiting`: an app is being set up."""

    app_since: datetime | None
    waiting: bool
    passkeys: int
    codes_left: int

    @property
    def app(self) -> bool:
        """Whether an authenticator app is set."""
        return self.app_since is not None

    @property
    def is_on(self) -> bool:
        """Whether the password alone is not enough."""
        return self.app or self.passkeys > 0


def is_set(user_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """As a part of a statement: whether the password of this person is not enough."""
    app = exists().where(SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_not(None))
    return or_(app, exists().where(Passkey.user_id == user_id))


def state(user_id: int) -> State:
    """What is set. One statement."""
    left = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        .scalar_subquery()
    )
    keys = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id).scalar_subquery()
    columns = (SecondFactor.confirmed_at, SecondFactor.user_id, keys, left)
    row = session.execute(
        select(*columns)
        .select_from(User)
        .outerjoin(SecondFactor, SecondFactor.user_id == User.id)
        .where(User.id == user_id)
    ).one()
    since, has_row, passkeys, codes = row
    return State(since, has_row is not None and since is None, int(passkeys), int(codes))


# --- codes ---


def plain(code: str) -> str:
    """A code as it is compared: without the spaces and dashes of its groups, signs that look alike as one."""
    text = code.strip().casefold().replace(" ", "").replace("-", "")
    return text if text.isdecimal() else text.translate(ALIKE)


def take(user_id: int, code: str, seal: Seal) -> bool:
    """Use up this code of the app, or recovery code, of this person; whether it was one. Of two at once one gets it."""
    text = plain(code)
    if len(text) == CODE_SIGNS:
        return _take_recovery_code(user_id, text)
    return len(text) == 6 and text.isascii() and _take_app_code(user_id, text, seal)


def _take_app_code(user_id: int, text: str, seal: Seal, *, confirmed: bool = True) -> bool:
    row = session.execute(
        select(SecondFactor.sealed_secret, SecondFactor.confirmed_at).where(SecondFactor.user_id == user_id)
    ).one_or_none()
    if row is None or (row.confirmed_at is not None) != confirmed:
        return False
    step = _step_of(text, row.sealed_secret, seal)
    if step is None:
        return False
    newer = update(SecondFactor).where(SecondFactor.user_id == user_id, SecondFactor.last_step < step)
    return session.execute(newer.values(last_step=step).returning(SecondFactor.user_id)).first() is not None


def _step_of(text: str, sealed: str, seal: Seal) -> int | None:
    """The half minute whose code this is, if it is one of those that count now."""
    try:
        app = pyotp.TOTP(seal.open(sealed))
    except CannotOpen:
        return None  # sealed under another SECRET_KEY: recovery codes still work
    today = int(now().timestamp()) // STEP_SECONDS
    fitting = [
        step
        for step in (today + each for each in WINDOW)
        if hmac.compare_digest(app.generate_otp(step), text)
    ]
    return max(fitting, default=None)


def _code_hash(user_id: int, text: str) -> bytes:
    """80 random bits need no slow hash; with the id in it nobody's code opens another's account."""
    return hashlib.sha256(f"{user_id}:{text}".encode()).digest()


def _take_recovery_code(user_id: int, text: str) -> bool:
    using = update(RecoveryCode).where(
        RecoveryCode.user_id == user_id,
        RecoveryCode.code_hash == _code_hash(user_id, text),
        RecoveryCode.used_at.is_(None),
    )
    taken = session.execute(using.values(used_at=now()).returning(RecoveryCode.id)).first() is not None
    if taken:
        tell_owner(user_id, "recovery_code_used")
    return taken


def make_recovery_codes(user_id: int) -> tuple[str, ...]:
    """Ten new ones, shown this once, in groups of four; those before them end."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    texts = ["".join(secrets.choice(SIGNS) for _ in range(CODE_SIGNS)) for _ in range(CODES)]
    at = now()
    rows = [{"user_id": user_id, "code_hash": _code_hash(user_id, each), "created_at": at} for each in texts]
    session.execute(insert(RecoveryCode), rows)
    return tuple("-".join(each[place : place + 4] for place in range(0, CODE_SIGNS, 4)) for each in texts)


# --- setting up, turning off ---


def must_be_password(user_id: int, password: str) -> None:
    """Raise Invalid unless this is the person's password."""
    stored = session.execute(select(User.password_hash).where(User.id == user_id)).scalar_one()
    if (
        not passwords.matches(stored, password[: passwords.MAX_LENGTH])
        or len(password) > passwords.MAX_LENGTH
    ):
        raise Invalid({"current_password": ["This is not your current password."]})


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody who is signed in gives to show that it is they. `passkey` raises Invalid unless it is this person's."""

    password: str
    code: str
    seal: Seal
    passkey: Callable[[int], None] | None = None


def must_be_owner(user_id: int, shown: Shown) -> None:
    """Raise Invalid unless the password and, where a second factor is set, a code or a passkey are right. It is used up."""
    must_be_password(user_id, shown.password)
    if not session.execute(select(is_set(User.id)).where(User.id == user_id)).scalar_one():
        return
    if shown.passkey is not None:
        shown.passkey(user_id)
    elif not take(user_id, shown.code, shown.seal):
        raise Invalid({"code": [WRONG]})


def begin_app(user_id: int, password: str, seal: Seal) -> None:
    """Make the secret of an authenticator app, in place of one that was not confirmed. Raises Invalid, Conflict."""
    must_be_password(user_id, password)
    values = {"sealed_secret": seal.close(pyotp.random_base32()), "created_at": now(), "last_step": 0}
    made = session.execute(
        pg_insert(SecondFactor)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(
            index_elements=["user_id"], set_=values, where=SecondFactor.confirmed_at.is_(None)
        )
        .returning(SecondFactor.user_id)
    ).first()
    if made is None:
        raise Conflict("An authenticator app is set already. Turn it off first to set up another.")


def waiting_secret(user_id: int, seal: Seal) -> str | None:
    """The secret of the app that is being set up, in base 32; None if none is."""
    found: ScalarResult[str] = session.scalars(
        select(SecondFactor.sealed_secret).where(
            SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_(None)
        )
    )
    sealed = found.one_or_none()
    try:
        return None if sealed is None else seal.open(sealed)
    except CannotOpen:
        return None


def address_of(secret: str, email: str) -> str:
    """What an app reads from the picture (otpauth://…)."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def confirm_app(user_id: int, code: str, seal: Seal) -> tuple[str, ...]:
    """From now on the app is asked for. With the account's first second factor come recovery codes, shown this once.

    Raises Invalid for a code that does not fit.
    """
    text = plain(code)
    if not (len(text) == 6 and text.isascii() and _take_app_code(user_id, text, seal, confirmed=False)):
        raise Invalid(
            {"code": ["This code does not fit. Take the newest one that the app shows; is its clock right?"]}
        )
    before = state(user_id)
    session.execute(update(SecondFactor).where(SecondFactor.user_id == user_id).values(confirmed_at=now()))
    tell_owner(user_id, "app_on")
    return () if before.is_on else make_recovery_codes(user_id)


def stop_setting_up(user_id: int) -> None:
    """Forget an app that was not confirmed. Again is harmless."""
    session.execute(
        delete(SecondFactor).where(SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_(None))
    )


def turn_off_app(user_id: int, shown: Shown) -> None:
    """The app is asked for no longer. Raises Invalid; after that the code is used up or nothing has changed."""
    must_be_owner(user_id, shown)
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    if not state(user_id).is_on:
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    tell_owner(user_id, "app_off")


def renew_codes(user_id: int, shown: Shown) -> tuple[str, ...]:
    """Ten new recovery codes in place of the old ones. Raises Invalid, and Conflict where no second factor is set."""
    must_be_owner(user_id, shown)
    if not session.execute(select(is_set(User.id)).where(User.id == user_id)).scalar_one():
        raise Conflict("Recovery codes come with a second factor. Set one up first.")
    tell_owner(user_id, "codes_new")
    return make_recovery_codes(user_id)


def reset(user_id: int) -> None:
    """Take every second factor away: by an operator, for somebody who has lost all of theirs. Again is harmless.

    The owner is told if there was one.
    """
    was_on = state(user_id).is_on
    for table in (SecondFactor, Passkey, RecoveryCode):
        session.execute(delete(table).where(table.user_id == user_id))
    one_time.end(user_id, ("half", "passkey"))
    if was_on:
        tell_owner(user_id, "factors_reset")
