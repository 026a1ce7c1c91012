"""A forgotten password: a link by mail that sets a new one. Add and flush, never commit."""

from datetime import timedelta

from sqlalchemy import func, select, update

from codyverse.accounts import one_time, passwords, second_factor, tokens
from codyverse.accounts.mail_addresses import send_link
from codyverse.accounts.models import User
from codyverse.accounts.services import address_key, check_new_password, set_password
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.sealing import Seal

RESET = "reset"
RESET_LASTS = timedelta(minutes=30)
MOST_AN_HOUR = 5


def ask_reset(email: str, seal: Seal) -> None:
    """Mail a link that sets a new password, if there is such an account; at most five an hour.

    Says the same in every case. The links before it keep working until one is used.
    """
    passwords.matches(None, "")  # as long as a password takes, so that little can be told from the time
    row = session.execute(
        select(User.id, User.email, User.display_name).where(
            User.email_key == address_key(email), User.deactivated_at.is_(None)
        )
    ).one_or_none()
    if row is None or one_time.recent(row.id, RESET, now() - timedelta(hours=1)) >= MOST_AN_HOUR:
        return
    send_link(row.id, row.email, row.display_name, purpose=RESET, lasts=RESET_LASTS, seal=seal)


def make_link(email: str) -> str | None:
    """A key for an operator to hand over, where no mail can be sent; None if nobody has the address."""
    query = select(User.id).where(User.email_key == address_key(email), User.deactivated_at.is_(None))
    user_id = session.execute(query).scalar_one_or_none()
    return None if user_id is None else one_time.make(user_id, RESET, RESET_LASTS)


def works(key: str) -> bool:
    """Whether this key still sets a new password."""
    return one_time.look(key, RESET) is not None


def reset(key: str, new: str) -> bool:
    """Set a new password with the key from a mail; False if it is over or used. Ends all sessions and all other links.

    Raises Invalid for an unfit password; the key works on then. A second factor is still asked for at the next sign-in.
    Whoever resets has shown that the address is theirs: if nobody had before, what a stranger may have set up under it
    (second factors, tokens) ends.
    """
    found = one_time.use(key, RESET)
    if found is None:
        return False
    user = session.execute(
        select(User.email, User.display_name, User.role, User.email_verified_at)
        .where(User.id == found.user_id)
        .with_for_update(key_share=True)
    ).one()
    check_new_password(new, user.role, (user.email, user.display_name))
    if user.email_verified_at is None:
        second_factor.reset(found.user_id)
        tokens.revoke_all(found.user_id)
    set_password(found.user_id, new)
    confirmed = func.coalesce(User.email_verified_at, now())
    session.execute(update(User).where(User.id == found.user_id).values(email_verified_at=confirmed))
    tell_owner(found.user_id, "password_reset")
    return True
