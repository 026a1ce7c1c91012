"""The page that a person may show to everybody: whether there is one, at which address, and what stands on it."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import IntegrityError

from codyverse.accounts.models import PublicProfile, User
from codyverse.accounts.queries import Preferences
from codyverse.core.database import savepoint, session
from codyverse.core.errors import Invalid, NotFound

SHOWABLE = ("badges", "level", "streak", "lessons")
_HANDLE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_RESERVED = frozenset(
    {"admin", "administrator", "cody", "codyverse", "cody-verse", "help", "operator", "root", "support"}
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's own choice: their address ('' if they have none), whether all may see it, what stands on it."""

    handle: str = ""
    public: bool = False
    shown: frozenset[str] = frozenset(SHOWABLE)


@dataclass(frozen=True, slots=True)
class PublicPage:
    """Somebody's public page. `shown` is what they chose, without the mechanics that they have left out themselves."""

    user_id: int
    handle: str
    display_name: str
    shown: frozenset[str]
    since: datetime


_OWN = select(PublicProfile.handle, PublicProfile.public, PublicProfile.shown).where(
    PublicProfile.user_id == bindparam("user_id")
)
_PAGE = (
    select(
        User.id,
        User.display_name,
        User.created_at,
        User.preferences,
        PublicProfile.handle,
        PublicProfile.shown,
    )
    .join(PublicProfile, PublicProfile.user_id == User.id)
    .where(
        PublicProfile.handle == bindparam("handle"),
        PublicProfile.public,
        User.deactivated_at.is_(None),
    )
)
_MECHANIC = {"badges": "badges", "level": "xp", "streak": "streak"}


def own_profile(user_id: int) -> Profile:
    """What this person has chosen so far."""
    row = session.execute(_OWN, {"user_id": user_id}).one_or_none()
    return Profile() if row is None else Profile(row.handle, row.public, _known(row.shown))


def public_page(handle: str) -> PublicPage:
    """The page at this address, case not counting. Raises NotFound, the same for nobody's and for one that is not public."""
    row = session.execute(_PAGE, {"handle": handle.lower()}).one_or_none()
    if row is None:
        raise NotFound("There is nobody at this address.")
    hidden = Preferences.read(row.preferences).hidden
    shown = frozenset(name for name in _known(row.shown) if _MECHANIC.get(name) not in hidden)
    return PublicPage(row.id, row.handle, row.display_name, shown, row.created_at)


def change_profile_page(user_id: int, *, handle: str, public: bool, shown: frozenset[str]) -> None:
    """Keep what this person chose. Without an address there is no page. Raises Invalid. Again it changes nothing."""
    handle = handle.strip().lower()
    if shown - frozenset(SHOWABLE):
        raise Invalid({"shown": [f"Choose from {', '.join(SHOWABLE)}."]})
    if not handle and not public:
        session.execute(delete(PublicProfile).where(PublicProfile.user_id == user_id))
        return
    if faults := faults_of_handle(handle):
        raise Invalid({"handle": faults})
    values = {"handle": handle, "public": public, "shown": sorted(shown)}
    try:
        with savepoint():
            session.execute(
                pg_insert(PublicProfile)
                .values(user_id=user_id, **values)
                .on_conflict_do_update(index_elements=["user_id"], set_=values)
            )
    except IntegrityError as taken:
        raise Invalid({"handle": ["Somebody has this address already. Choose another one."]}) from taken


def faults_of_handle(handle: str) -> list[str]:
    """What speaks against this address of a public page; nothing if it is fit."""
    if not 3 <= len(handle) <= 30:
        return ["Use 3 to 30 characters."]
    if not _HANDLE.fullmatch(handle):
        return ["Use small letters a to z, digits, and hyphens between them."]
    if handle in _RESERVED:
        return ["This address is kept for the site. Choose another one."]
    return []


def _known(shown: list[str]) -> frozenset[str]:
    return frozenset(shown) & frozenset(SHOWABLE)
