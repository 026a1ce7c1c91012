"""Telling the owner of an account that its ways in have changed."""

from sqlalchemy import select

from codyverse.accounts.events import SecurityChanged
from codyverse.accounts.models import User
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.events import publish


def tell_owner(user_id: int, what: str, *, address: str | None = None, **details: str) -> None:
    """Publish `SecurityChanged`, if the address is confirmed: others get no mail that they never asked for.

    `address` is where to tell it if not at the account's own; `details` are what the words about it name.
    """
    row = session.execute(
        select(User.email, User.display_name, User.email_verified_at).where(User.id == user_id)
    ).one_or_none()
    if row is not None and row.email_verified_at is not None:
        publish(SecurityChanged(user_id, address or row.email, row.display_name, what, now(), details))
