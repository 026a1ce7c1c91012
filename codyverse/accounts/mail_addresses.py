"""E-mail addresses: accounts of strangers, confirming an address, changing it at both ends. Add and flush, never commit.

An address that is not confirmed gets nothing but links that somebody asked for; learning and all else works without it.
"""

import secrets
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from codyverse.accounts import one_time, second_factor
from codyverse.accounts.events import AddressTaken, LinkAsked
from codyverse.accounts.models import OneTimeKey, User
from codyverse.accounts.services import address_key, clean_email, create_account
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import savepoint, session
from codyverse.core.errors import Conflict, Invalid
from codyverse.core.events import publish
from codyverse.core.sealing import Seal

CONFIRM, CHANGE_FROM, CHANGE_TO = "confirm", "change_from", "change_to"
CONFIRM_LASTS, CHANGE_LASTS = timedelta(days=3), timedelta(days=1)
MOST_LINKS = 5
"""Links of one kind that a person is sent a day: nobody's mailbox is flooded from here."""
DAY = timedelta(days=1)


def register(email: str, password: str, display_name: str, time_zone: str, seal: Seal) -> None:
    """A stranger asks for an account. Says the same whether the address was free or not; raises Invalid.

    Where it was free, a link to confirm it is mailed there; where not, its owner hears of it, once an hour at most. A
    second call with the same address changes nothing.
    """
    made = create_account(email, password, display_name, time_zone=time_zone, verified=False)
    if made is not None:
        send_link(
            made,
            clean_email(email),
            display_name,
            purpose=CONFIRM,
            lasts=CONFIRM_LASTS,
            seal=seal,
            details={"to": clean_email(email)},
        )
        return
    owner = session.execute(
        select(User.id, User.email, User.display_name).where(
            User.email_key == address_key(email), User.email_verified_at.is_not(None)
        )
    ).one_or_none()
    if owner is not None:
        publish(AddressTaken(owner.id, owner.email, owner.display_name, now()))


def send_link(
    user_id: int,
    address: str,
    name: str,
    *,
    purpose: str,
    lasts: timedelta,
    seal: Seal,
    details: dict[str, str] | None = None,
) -> None:
    """Make a key for `purpose` and have it mailed. `details` are kept with it, and fill the mail."""
    given = details or {}
    key = one_time.make(user_id, purpose, lasts, given)
    publish(LinkAsked(user_id, address, name, purpose, seal.close(key), now(), lasts, given))


def ask_confirmation(user_id: int, seal: Seal) -> None:
    """Mail another link to confirm the account's address; nothing if it is confirmed. Raises Conflict after five a day."""
    row = session.execute(
        select(User.email, User.display_name, User.email_verified_at)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
    ).one()
    if row.email_verified_at is not None:
        return
    _must_be_few(user_id, CONFIRM)
    send_link(
        user_id,
        row.email,
        row.display_name,
        purpose=CONFIRM,
        lasts=CONFIRM_LASTS,
        seal=seal,
        details={"to": row.email},
    )


def _must_be_few(user_id: int, purpose: str) -> None:
    if one_time.recent(user_id, purpose, now() - DAY) >= MOST_LINKS:
        raise Conflict(
            f"{MOST_LINKS} such mails were sent today. Look into your mailbox, also among the spam."
        )


def confirm(key: str) -> bool:
    """The address is confirmed by whoever holds the key that was mailed there; False if it is over or used."""
    found = one_time.use(key, CONFIRM)
    if found is None:
        return False
    confirmed = (
        update(User)
        .where(User.id == found.user_id, User.email == found.details["to"])
        .values(email_verified_at=func.coalesce(User.email_verified_at, now()))
    )
    return session.execute(confirmed.returning(User.id)).first() is not None


# --- another address ---


def ask_change(user_id: int, email: str, password: str, seal: Seal) -> None:
    """Ask the new address, and the old one if it was confirmed, whether the account may move. Raises Invalid, Conflict.

    Says the same whether the new address is free or not. A later request takes the place of an earlier one.
    """
    second_factor.must_be_password(user_id, password)
    new = clean_email(email)
    row = session.execute(
        select(User.email, User.display_name, User.email_verified_at)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
    ).one()
    if new == row.email:
        raise Invalid({"email": ["This is your address already."]})
    _must_be_few(user_id, CHANGE_TO)
    one_time.end(user_id, (CHANGE_FROM, CHANGE_TO))
    details = {"to": new, "change": secrets.token_hex(8)}
    if _is_free(new, user_id):
        send_link(
            user_id,
            new,
            row.display_name,
            purpose=CHANGE_TO,
            lasts=CHANGE_LASTS,
            seal=seal,
            details=details,
        )
    else:
        one_time.make(
            user_id, CHANGE_TO, CHANGE_LASTS, details
        )  # mailed to nobody, so that the old side waits for it
    if row.email_verified_at is not None:
        send_link(
            user_id,
            row.email,
            row.display_name,
            purpose=CHANGE_FROM,
            lasts=CHANGE_LASTS,
            seal=seal,
            details=details,
        )


def _is_free(email: str, user_id: int) -> bool:
    other = select(User.id).where(User.email_key == email.casefold(), User.id != user_id)
    return session.execute(other).first() is None


def change_of(key: str) -> str | None:
    """The new address that this key is about; None if it is over or used."""
    found = one_time.look(key, CHANGE_TO) or one_time.look(key, CHANGE_FROM)
    return None if found is None else str(found.details["to"])


def agree_to_change(key: str) -> bool | None:
    """One side agrees. True: the address is changed; False: the other side has not agreed yet; None: the key is over.

    Raises Conflict if somebody else has taken the address meanwhile.
    """
    found = one_time.use(key, CHANGE_TO) or one_time.use(key, CHANGE_FROM)
    if found is None:
        return None
    session.execute(select(User.id).where(User.id == found.user_id).with_for_update(key_share=True))
    if _others_open(found.user_id, found.details["change"]):
        return False
    _move(found.user_id, found.details["to"])
    return True


def _others_open(user_id: int, change: str) -> bool:
    """Whether the other side of this change has not agreed."""
    query = select(OneTimeKey.id).where(
        OneTimeKey.user_id == user_id,
        OneTimeKey.details["change"].astext == change,
        OneTimeKey.used_at.is_(None),
    )
    return session.execute(query).first() is not None


def _move(user_id: int, email: str) -> None:
    old = session.execute(select(User.email).where(User.id == user_id)).scalar_one()
    try:
        with savepoint():
            session.execute(
                update(User)
                .where(User.id == user_id)
                .values(email=email, email_key=email.casefold(), email_verified_at=now())
            )
    except IntegrityError as fault:
        raise Conflict("Somebody else has taken this address meanwhile. Nothing has changed.") from fault
    one_time.end(user_id)
    tell_owner(user_id, "address_changed", address=old)
