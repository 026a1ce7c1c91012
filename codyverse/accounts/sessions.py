"""Sessions: the browsers in which somebody is signed in. Add and flush, never commit."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from codyverse.accounts.models import User, UserSession
from codyverse.accounts.queries import SESSION_DAYS, token_hash
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its owner sees it; `agent` is what the browser said of itself."""

    id: int
    agent: str
    created_at: datetime
    last_seen_at: datetime


def open_session(user_id: int, agent: str) -> str:
    """Begin a session; its token, shown this once."""
    token = secrets.token_urlsafe(32)
    at = now()
    session.execute(
        insert(UserSession).values(
            token_hash=token_hash(token),
            user_id=user_id,
            agent=agent.replace("\x00", "")[:200],
            created_at=at,
            last_seen_at=at,
        )
    )
    return token


def call_off_erasure(user_id: int) -> bool:
    """Who comes back within the 30 days has changed their mind; whether they had asked to go. Then a mail says so too."""
    leaving = update(User).where(User.id == user_id, User.erase_after.is_not(None)).values(erase_after=None)
    stays = session.execute(leaving.returning(User.id)).first() is not None
    if stays:
        tell_owner(user_id, "erasure_called_off")
    return stays


def sign_out(session_id: int) -> None:
    """End one session. Again is harmless."""
    session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.ended_at.is_(None))
        .values(ended_at=now())
    )


def sign_out_everywhere(user_id: int, keep: int | None = None) -> None:
    """End every session of this person, but for the one named `keep`. Again is harmless."""
    ending = update(UserSession).where(UserSession.user_id == user_id, UserSession.ended_at.is_(None))
    if keep is not None:
        ending = ending.where(UserSession.id != keep)
    session.execute(ending.values(ended_at=now()))


def sessions_of(user_id: int) -> tuple[OpenSession, ...]:
    """The person's sessions that are open, the one seen last first. One statement."""
    columns = (UserSession.id, UserSession.agent, UserSession.created_at, UserSession.last_seen_at)
    query = select(*columns).where(
        UserSession.user_id == user_id,
        UserSession.ended_at.is_(None),
        UserSession.created_at > now() - timedelta(days=SESSION_DAYS),
    )
    rows = session.execute(query.order_by(UserSession.last_seen_at.desc(), UserSession.id.desc()))
    return tuple(OpenSession(*row) for row in rows)


def end_session(user_id: int, session_id: int) -> None:
    """End one of the person's own sessions. Again is harmless. Raises NotFound."""
    mine = select(UserSession.id).where(UserSession.id == session_id, UserSession.user_id == user_id)
    if session.execute(mine).one_or_none() is None:
        raise NotFound("There is no such session.")
    sign_out(session_id)


def note_seen(session_id: int) -> None:
    """Keep that a session was used now."""
    session.execute(update(UserSession).where(UserSession.id == session_id).values(last_seen_at=now()))
