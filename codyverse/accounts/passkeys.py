"""Passkeys (WebAuthn): to sign in with, or as the second factor. Add and flush, never commit.

A challenge is made without writing anything: it is sealed with its purpose and its moment, and used up when it comes back
signed. A passkey that signs in has checked its owner by itself (finger, face, PIN), so it counts as both factors.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts import one_time, second_factor, signing_in
from codyverse.accounts.models import Passkey, RecoveryCode, User
from codyverse.accounts.names import can_be_shown, on_one_line
from codyverse.accounts.second_factor import Shown
from codyverse.accounts.signing_in import Begun
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.core.sealing import CannotOpen, Seal

if TYPE_CHECKING:
    from codyverse.accounts.ceremonies import NewKey

ADD = "passkey"
LASTS = timedelta(minutes=10)
MOST, MOST_NAME, MOST_BYTES = 20, 60, 20_000
REFUSED = "The passkey was not taken. Perhaps the page was open for too long; please try again."
SIGN_IN = "sign-in"


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are good: `host` is bound into each of them, `origin` is where the page must have come from."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class PasskeyInfo:
    """A passkey as its owner sees it."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Given:
    """What a browser sent: the credential as it came, its id, and the challenge that it signed with its moment."""

    credential: dict[str, Any]
    id: bytes
    challenge: str
    asked_at: datetime


def passkeys_of(user_id: int) -> tuple[PasskeyInfo, ...]:
    """The person's passkeys, oldest first. One statement."""
    columns = (Passkey.id, Passkey.name, Passkey.created_at, Passkey.last_used_at)
    rows = session.execute(select(*columns).where(Passkey.user_id == user_id).order_by(Passkey.id))
    return tuple(PasskeyInfo(*row) for row in rows)


# --- challenges ---


def _challenge(purpose: str, seal: Seal) -> bytes:
    return seal.close(f"{purpose}|{now().timestamp()}").encode()


def _read(text: str, purpose: str, seal: Seal) -> _Given:
    """What was sent, if its challenge is ours, for this purpose, and not old. Raises Invalid."""
    refusal = Invalid({"credential": [REFUSED]})
    try:
        if len(text) > MOST_BYTES:
            raise refusal
        credential = json.loads(text)
        client = json.loads(_decoded(credential["response"]["clientDataJSON"]))
        challenge = _decoded(client["challenge"]).decode()
        asked_for, _, moment = seal.open(challenge).rpartition("|")
        asked_at = datetime.fromtimestamp(float(moment), UTC)
        known = _decoded(credential["id"])
    except (ValueError, TypeError, KeyError, CannotOpen, RecursionError) as fault:
        raise refusal from fault
    if asked_for != purpose or asked_at < now() - LASTS:
        raise refusal
    return _Given(credential, known, challenge, asked_at)


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _spend(user_id: int, given: _Given) -> None:
    """A challenge is good once. Raises Invalid."""
    if not one_time.spend(user_id, ADD, given.challenge, LASTS):
        raise Invalid({"credential": [REFUSED]})


# --- adding and removing ---


def allow_adding(user_id: int, password: str) -> str:
    """A key with which this browser may add a passkey in the next ten minutes. Raises Invalid for a wrong password."""
    second_factor.must_be_password(user_id, password)
    return one_time.make(user_id, ADD, LASTS)


def may_add(user_id: int, key: str) -> bool:
    """Whether this key still allows it."""
    found = one_time.look(key, ADD)
    return found is not None and found.user_id == user_id


def creation_options(user_id: int, site: Site, seal: Seal) -> str:
    """What the browser needs to make a passkey, as JSON. Nothing is written."""
    user = session.execute(select(User.email, User.display_name).where(User.id == user_id)).one()
    known = session.scalars(select(Passkey.credential_id).where(Passkey.user_id == user_id))
    from codyverse.accounts import ceremonies

    return ceremonies.creation_options(
        site.host,
        second_factor.ISSUER,
        f"codyverse-{user_id}".encode(),
        email=user.email,
        name=user.display_name,
        challenge=_challenge(f"add:{user_id}", seal),
        known=list(known),
    )


def add(user_id: int, key: str, name: str, text: str, site: Site, seal: Seal) -> tuple[str, ...]:  # noqa: PLR0917
    """Keep a new passkey; with the account's first second factor come recovery codes, shown this once.

    Raises Invalid, and Conflict with more than 20.
    """
    name = on_one_line(name)
    if not 1 <= len(name) <= MOST_NAME or not can_be_shown(name):
        raise Invalid({"name": [f"Write a name of 1 to {MOST_NAME} characters, such as “My phone”."]})
    given = _read(text, f"add:{user_id}", seal)
    found = one_time.use(key, ADD)
    if found is None or found.user_id != user_id:
        raise Invalid({"credential": [REFUSED]})
    _spend(user_id, given)
    made = _made(given, site)
    before = second_factor.state(user_id)
    if before.passkeys >= MOST:
        raise Conflict(f"There are {MOST} passkeys already, which is the most. Remove one first.")
    _keep(user_id, name, made.credential_id, made.public_key, made.sign_count)
    tell_owner(user_id, "passkey_added")
    return () if before.is_on else second_factor.make_recovery_codes(user_id)


def _made(given: _Given, site: Site) -> "NewKey":
    from codyverse.accounts import ceremonies

    try:
        return ceremonies.registered(given.credential, given.challenge.encode(), site.host, site.origin)
    except ceremonies.NotVerified as fault:
        raise Invalid({"credential": [REFUSED]}) from fault


def _keep(user_id: int, name: str, credential_id: bytes, public_key: bytes, sign_count: int) -> None:
    kept = session.execute(
        pg_insert(Passkey)
        .values(
            user_id=user_id,
            name=name,
            credential_id=credential_id,
            public_key=public_key,
            sign_count=sign_count,
            created_at=now(),
        )
        .on_conflict_do_nothing()
        .returning(Passkey.id)
    )
    if kept.first() is None:
        raise Invalid({"credential": ["This passkey is in use already."]})


def remove(user_id: int, passkey_id: int, shown: Shown) -> None:
    """Take one of the person's own passkeys away. Raises NotFound, Invalid.

    For the last second factor of the account it is asked for too, or a recovery code; the codes end with it.
    """
    state = second_factor.state(user_id)
    if state.passkeys == 1 and not state.app:
        second_factor.must_be_owner(user_id, shown)
    else:
        second_factor.must_be_password(user_id, shown.password)
    gone = delete(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    if session.execute(gone.returning(Passkey.id)).first() is None:
        raise NotFound("There is no such passkey.")
    if state.passkeys == 1 and not state.app:
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    tell_owner(user_id, "passkey_removed")


# --- signing in ---


def request_options(site: Site, seal: Seal, half_of: int | None = None) -> str:
    """What the browser needs to sign a challenge, as JSON: for anybody, or as the second step of this person."""
    known = () if half_of is None else _of(half_of)
    purpose = SIGN_IN if half_of is None else f"second:{half_of}"
    return _options(site, _challenge(purpose, seal), known, must_verify=half_of is None)


def _options(site: Site, challenge: bytes, known: Collection[bytes], *, must_verify: bool) -> str:
    return json.dumps(
        {
            "rpId": site.host,
            "challenge": _encoded(challenge),
            "allowCredentials": [{"type": "public-key", "id": _encoded(each)} for each in known],
            "userVerification": "required" if must_verify else "preferred",
            "timeout": 60_000,
        }
    )


def _of(user_id: int) -> tuple[bytes, ...]:
    return tuple(session.scalars(select(Passkey.credential_id).where(Passkey.user_id == user_id)))


def sign_in(text: str, site: Site, seal: Seal, agent: str = "") -> Begun:
    """Sign in with a passkey alone. Raises Invalid, the same for every reason."""
    user_id = _verified(_read(text, SIGN_IN, seal), site, alone=True)
    return signing_in.come_in(user_id, agent)


def finish(half: str, text: str, site: Site, seal: Seal, agent: str = "") -> Begun | None:
    """The second step, with a passkey of the same person; None if the half is over. Raises Invalid: undone."""
    found = one_time.use(half, signing_in.HALF)
    if found is None:
        return None
    given = _read(text, f"second:{found.user_id}", seal)
    if _verified(given, site, alone=False) != found.user_id:
        raise Invalid({"credential": [REFUSED]})
    return signing_in.come_in(found.user_id, agent)


def owner_options(user_id: int, site: Site, seal: Seal) -> str:
    """The same for somebody who is signed in, to show beside the password that it is they."""
    return _options(site, _challenge(f"owner:{user_id}", seal), _of(user_id), must_verify=False)


def shown_by(text: str, site: Site, seal: Seal) -> Callable[[int], None]:
    """A proof for `second_factor.Shown`: raises Invalid unless a passkey of that very person signed this for it. Once."""

    def prove(user_id: int) -> None:
        try:
            whose = _verified(_read(text, f"owner:{user_id}", seal), site, alone=False)
        except Invalid as fault:
            raise Invalid({"code": [REFUSED]}) from fault
        if whose != user_id:
            raise Invalid({"code": [REFUSED]})

    return prove


def _verified(given: _Given, site: Site, *, alone: bool) -> int:
    """Whose passkey signed this, now used up. `alone`: it must have checked its owner. Raises Invalid.

    A challenge from before the last change of the password is refused, like everything else that had begun by then.
    """
    row = session.execute(
        select(
            Passkey.id,
            Passkey.user_id,
            Passkey.public_key,
            Passkey.sign_count,
            User.password_changed_at,
        )
        .join(User, User.id == Passkey.user_id)
        .where(Passkey.credential_id == given.id, User.deactivated_at.is_(None))
        .with_for_update(of=Passkey)
    ).one_or_none()
    if row is None or (row.password_changed_at is not None and given.asked_at < row.password_changed_at):
        raise Invalid({"credential": [REFUSED]})
    from codyverse.accounts import ceremonies

    try:
        count = ceremonies.signed(
            given.credential,
            given.challenge.encode(),
            site.host,
            site.origin,
            public_key=row.public_key,
            sign_count=row.sign_count,
            must_verify=alone,
        )
    except ceremonies.NotVerified as fault:
        raise Invalid({"credential": [REFUSED]}) from fault
    _spend(row.user_id, given)
    session.execute(update(Passkey).where(Passkey.id == row.id).values(sign_count=count, last_used_at=now()))
    return int(row.user_id)
