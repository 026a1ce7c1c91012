"""Signing in by a provider that the operator trusts. Add and flush, never commit."""

import secrets

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts import one_time, second_factor
from codyverse.accounts.models import ProviderIdentity, User
from codyverse.accounts.names import can_be_shown, on_one_line
from codyverse.accounts.services import NAME_MAX, address_key, create_account
from codyverse.accounts.signing_in import HALF, HALF_LASTS, Begun, come_in
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Invalid, NotAllowed

UNCONFIRMED = (
    "The provider does not vouch for your e-mail address. Confirm it there, or sign up here with a password."
)
NOT_YOURS_YET = (
    "There is an account with your address here, but nobody has confirmed the address yet. "
    "Set a new password by mail (“Forgotten your password?”), then sign in with the provider again."
)


def sign_in(issuer: str, subject: str, email: str, *, vouched: bool, name: str, agent: str = "") -> Begun:
    """Sign in whoever the provider says it is: known by `subject`, or by a confirmed address that it vouches for.

    Somebody new gets an account. A second factor that is set here is asked for here. Raises NotAllowed.
    """
    user_id = _known(issuer, subject)
    if user_id is None:
        if not vouched or not email:
            raise NotAllowed(UNCONFIRMED)
        user_id = _by_address(email, name)
        _connect(issuer, subject, user_id)
    row = session.execute(
        select(User.deactivated_at, second_factor.is_set(User.id).label("asks_more")).where(
            User.id == user_id
        )
    ).one()
    if row.deactivated_at is not None:
        raise NotAllowed("This account is closed.")
    if row.asks_more:
        return Begun(user_id, half=one_time.make(user_id, HALF, HALF_LASTS))
    return come_in(user_id, agent)


def _known(issuer: str, subject: str) -> int | None:
    query = select(ProviderIdentity.user_id).where(
        ProviderIdentity.issuer == issuer, ProviderIdentity.subject == subject
    )
    return session.execute(query).scalar_one_or_none()


def _by_address(email: str, name: str) -> int:
    """The account with this address, or a new one. Raises NotAllowed for one whose address nobody has confirmed."""
    found = session.execute(
        select(User.id, User.email_verified_at).where(User.email_key == address_key(email))
    ).one_or_none()
    if found is not None:
        if found.email_verified_at is None:
            raise NotAllowed(NOT_YOURS_YET)
        return int(found.id)
    shown = on_one_line(name)[:NAME_MAX]
    if not shown or not can_be_shown(shown):
        shown = "Learner"
    try:
        made = create_account(email, secrets.token_urlsafe(32), shown)
    except Invalid as fault:
        raise NotAllowed(UNCONFIRMED) from fault
    if made is None:
        raise NotAllowed(NOT_YOURS_YET)
    return made


def _connect(issuer: str, subject: str, user_id: int) -> None:
    values = {"issuer": issuer, "subject": subject, "user_id": user_id, "connected_at": now()}
    session.execute(pg_insert(ProviderIdentity).values(**values).on_conflict_do_nothing())
    tell_owner(user_id, "provider_linked")
