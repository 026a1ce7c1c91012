"""Reads about people."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from codyverse.accounts import riders
from codyverse.accounts.models import User
from codyverse.core.asking import look
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import NotFound

SESSION_DAYS = 90
MECHANICS = ("xp", "coins", "streak", "goals", "badges", "leagues")
INTENSITIES = ("casual", "regular", "serious")
THEMES = ("auto", "light", "dark")
STREAK_MODES = ("daily", "weekly")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Preferences:
    """A learner's choices. `hidden` holds the mechanics that leave no trace on their pages; `leagues` is opted into."""

    goal_intensity: str = "regular"
    hidden: frozenset[str] = frozenset()
    theme: str = "auto"
    reduced_motion: bool = False
    leagues: bool = False
    streak_mode: str = "daily"

    @classmethod
    def read(cls, stored: object) -> "Preferences":
        """From the column, whatever stands in it; unknown or outdated entries fall back to the default. Never raises."""
        stored = stored if isinstance(stored, dict) else {}
        listed = stored.get("hidden")
        hidden = [each for each in MECHANICS if each in listed] if isinstance(listed, list) else ()
        intensity = stored.get("goal_intensity")
        theme = stored.get("theme")
        streak_mode = stored.get("streak_mode")
        return cls(
            goal_intensity=intensity if intensity in INTENSITIES else "regular",
            hidden=frozenset(hidden) if hidden else _NOTHING,
            theme=theme if theme in THEMES else "auto",
            reduced_motion=stored.get("reduced_motion") is True,
            streak_mode=streak_mode if streak_mode in STREAK_MODES else "daily",
            leagues=stored.get("leagues") is True,
        )

    def stored(self) -> dict[str, Any]:
        """For the column."""
        return {
            "goal_intensity": self.goal_intensity,
            "hidden": sorted(self.hidden),
            "theme": self.theme,
            "reduced_motion": self.reduced_motion,
            "streak_mode": self.streak_mode,
            "leagues": self.leagues,
        }


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: always taken from the session or token, never from the URL or the body.

    A token's principal has the session 0 and the `scopes` that bound it; None, a session's, is bound by the role alone.
    """

    id: int
    session_id: int
    role: str
    display_name: str
    email: str
    time_zone: str
    day_start_hour: int
    locale: str
    preferences: Preferences
    token_id: int | None = None
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A person as operators see them."""

    id: int
    email: str
    display_name: str
    role: str
    created_at: datetime
    deactivated_at: datetime | None
    erase_after: datetime | None

    @property
    def is_erased(self) -> bool:
        """Whether nothing personal is left of it."""
        return self.email == erased_address(self.id)


_ACCOUNT = (
    *(User.id, User.email, User.display_name, User.role, User.created_at, User.deactivated_at),
    User.erase_after,
)


def erased_address(user_id: int) -> str:
    """What stands in place of the address of somebody who was erased; no address, so nobody can have it."""
    return f"erased-{user_id}@invalid"


def token_hash(token: str) -> bytes:
    """What is kept of a session's token: SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


PERSON = (
    User.id,
    User.role,
    User.display_name,
    User.email,
    User.time_zone,
    User.day_start_hour,
    User.locale,
    User.preferences,
)
"""The columns of a principal, in its order; `owner_by_session` and `owner_by_token` of the database tell them first."""


_OWNER = "owner_by_session(:token_hash, :since)"
"""Whoever has a session that goes on with this hash: what makes a principal and the session's id, and what riders may name."""


def principal_for_token(
    token: str, wanted: Iterable[str] = (), path: Mapping[str, Any] | None = None
) -> Principal | None:
    """Who is signed in with this token; None if the session has ended or never was. One statement, which also brings
    the riders that are wanted, with what they need of the path.
    """
    names = riders.riding(wanted)
    values = {"token_hash": token_hash(token), "since": now() - timedelta(days=SESSION_DAYS)}
    row = look(riders.statement(_OWNER, names), values | riders.given(names, path or {}))
    if row is None:
        return None
    told, *brought = row
    riders.arrive(names, brought)
    return person(told, session_id=told[len(PERSON)])


def person(told: Sequence[Any], **more: Any) -> Principal:
    """A principal from what begins with `PERSON`."""
    number, role, name, email, zone, hour, locale, preferences = told[: len(PERSON)]
    return Principal(
        id=number,
        role=role,
        display_name=name,
        email=email,
        time_zone=zone,
        day_start_hour=hour,
        locale=locale,
        preferences=Preferences.read(preferences),
        **more,
    )


def account_by_email(email: str) -> Account:
    """The account with this address, case not counting. Raises NotFound, also for what is left of who was erased."""
    row = session.execute(select(*_ACCOUNT).where(User.email_key == email.strip().casefold())).one_or_none()
    if row is None:
        raise NotFound(f"Nobody has the address {email}.")
    found = Account(*row)
    if found.is_erased:
        raise NotFound(f"Whoever had the account {email} was erased: nothing can be done with what is left.")
    return found


def accounts(role: str | None = None, limit: int = 100) -> tuple[Account, ...]:
    """The accounts, oldest first, at most `limit`."""
    query = select(*_ACCOUNT).order_by(User.id).limit(limit)
    if role is not None:
        query = query.where(User.role == role)
    return tuple(Account(*row) for row in session.execute(query))


def intensity_of(user_id: int) -> str:
    """How much somebody's daily goals ask, as it was chosen last. Raises NotFound."""
    stored = session.execute(select(User.preferences).where(User.id == user_id)).scalar_one_or_none()
    if stored is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return Preferences.read(stored).goal_intensity


def must_exist(user_id: int) -> None:
    """Raise NotFound USER_NOT_FOUND when nobody has this id."""
    if session.execute(select(User.id).where(User.id == user_id)).one_or_none() is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
