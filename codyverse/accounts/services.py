"""Writes about people: accounts, sessions, settings. Add and flush, never commit."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts import passwords
from codyverse.accounts.events import UserRegistered
from codyverse.accounts.game_days import game_date_for, zone_holds_from
from codyverse.accounts.models import ROLES, User, UserSession, ZoneFact
from codyverse.accounts.names import can_be_shown, on_one_line
from codyverse.accounts.queries import INTENSITIES, MECHANICS, STREAK_MODES, THEMES, Preferences, token_hash
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.core.events import publish

__all__ = [
    "address_key",
    "change_goal_intensity",
    "change_password",
    "change_preferences",
    "change_profile",
    "choose_leagues",
    "create_account",
    "deactivate",
    "game_date_for",
    "register",
    "set_role",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "time_zones",
]

NAME_MAX = 60


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """The IANA zones a person can choose, sorted; legacy aliases without a region are left out."""
    return (
        "UTC",
        *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")),
    )


def _clean_email(email: str) -> str:
    """The address in its normal form. Raises Invalid; whether mail reaches it is not asked."""
    if len(email) > 254:
        raise Invalid({"email": ["An e-mail address has at most 254 characters."]})
    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as fault:
        raise Invalid({"email": ["Write an e-mail address, like name@example.org."]}) from fault


def address_key(email: str) -> str:
    """What tells accounts apart, however an address is spelled; of text that is no address the text itself, shortened."""
    try:
        return _clean_email(email).casefold()
    except Invalid:
        return email.strip().casefold()[:254]


def _clean_name(name: str) -> str:
    """A display name: visible characters on one line, 1 to 60 of them. Raises Invalid."""
    name = on_one_line(name)
    if not name:
        raise Invalid({"display_name": ["Write the name that others may see."]})
    if len(name) > NAME_MAX:
        raise Invalid({"display_name": [f"Use at most {NAME_MAX} characters."]})
    if not can_be_shown(name):
        raise Invalid({"display_name": ["The name contains a character that cannot be shown."]})
    return name


def _clean_zone(name: str) -> str:
    """A known IANA zone. Raises Invalid."""
    if name not in available_timezones() - {"localtime", "Factory"}:  # those mean the server's own, or none
        raise Invalid({"time_zone": ["Choose a time zone from the list."]})
    return name


def _gathered(**checks: Callable[[], str]) -> dict[str, str]:
    """Run all checks and raise one Invalid with every fault, so that a form shows them together."""
    values: dict[str, str] = {}
    fields: dict[str, list[str]] = {}
    for name, check in checks.items():
        try:
            values[name] = check()
        except Invalid as fault:
            fields |= fault.fields
    if fields:
        raise Invalid(fields)
    return values


def _password_checked(password: str, role: str, about: tuple[str, ...], field: str = "password") -> str:
    if faults := passwords.faults(password, role=role, about=about):
        raise Invalid({field: faults})
    return password


def create_account(
    email: str, password: str, display_name: str, *, time_zone: str = "UTC", role: str = "learner"
) -> int | None:
    """Make an account and return its id; None if the address is taken. Raises Invalid with every fault.

    Takes the same time in both cases. The learner's first zone fact is written with it.
    """
    if role not in ROLES:
        raise Invalid({"role": [f"A role is one of {', '.join(ROLES)}."]})
    clean = _gathered(
        email=lambda: _clean_email(email),
        display_name=lambda: _clean_name(display_name),
        time_zone=lambda: _clean_zone(time_zone),
        password=lambda: _password_checked(password, role, (email, display_name)),
    )
    at = now()
    made = session.execute(
        pg_insert(User)
        .values(
            email=clean["email"],
            email_key=clean["email"].casefold(),
            display_name=clean["display_name"],
            password_hash=passwords.hashed(password),
            role=role,
            time_zone=clean["time_zone"],
            preferences=Preferences().stored(),
            created_at=at,
        )
        .on_conflict_do_nothing()
        .returning(User.id, User.day_start_hour)
    ).one_or_none()
    if made is None:
        return None
    session.execute(
        insert(ZoneFact).values(
            user_id=made.id, since=at, time_zone=clean["time_zone"], day_start_hour=made.day_start_hour
        )
    )
    publish(UserRegistered(user_id=made.id))
    return int(made.id)


def register(email: str, password: str, display_name: str, time_zone: str) -> None:
    """A stranger asks for an account. Says the same whether the address was free or not; raises Invalid.

    A second call with the same address changes nothing.
    """
    create_account(email, password, display_name, time_zone=time_zone)


def check_password(email: str, password: str) -> int:
    """The id of the person with this address and password. Raises Invalid, the same for every reason."""
    refusal = Invalid({"": ["Address and password do not match. Check both and try again."]})
    found = session.execute(
        select(User.id, User.password_hash, User.deactivated_at, User.erase_after).where(
            User.email_key == address_key(email)
        )
    ).one_or_none()
    usable = found is not None and len(password) <= passwords.MAX_LENGTH
    right = passwords.matches(
        found.password_hash if found and usable else None, password[: passwords.MAX_LENGTH]
    )
    if found is None or not right or found.deactivated_at is not None:
        raise refusal
    if found.erase_after is not None:  # who signs in within the 30 days has changed their mind
        session.execute(update(User).where(User.id == found.id).values(erase_after=None))
    if passwords.needs_rehash(found.password_hash):
        session.execute(
            update(User).where(User.id == found.id).values(password_hash=passwords.hashed(password))
        )
    return int(found.id)


def sign_in(email: str, password: str, agent: str = "") -> tuple[str, int]:
    """Begin a session; its token, shown this once, and the person's id. Raises Invalid, the same for every reason."""
    user_id = check_password(email, password)
    return _open_session(user_id, agent), user_id


def _open_session(user_id: int, agent: str) -> str:
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


def change_password(user_id: int, current: str, new: str, *, keep_session: int | None) -> None:
    """Set a new password and end all other sessions. Raises Invalid on a wrong current or an unfit new one."""
    user = session.execute(
        select(User.password_hash, User.role, User.email, User.display_name).where(User.id == user_id)
    ).one()
    if not passwords.matches(user.password_hash, current[: passwords.MAX_LENGTH]):
        raise Invalid({"current_password": ["This is not your current password."]})
    _password_checked(new, user.role, (user.email, user.display_name), field="new_password")
    session.execute(update(User).where(User.id == user_id).values(password_hash=passwords.hashed(new)))
    sign_out_everywhere(user_id, keep=keep_session)


def change_profile(user_id: int, *, display_name: str, time_zone: str, day_start_hour: int) -> None:
    """Change name, zone and start of day. A change of the last two is a fact from now on; the past stays as it was."""
    clean = _gathered(
        display_name=lambda: _clean_name(display_name), time_zone=lambda: _clean_zone(time_zone)
    )
    if not 0 <= day_start_hour <= 23:
        raise Invalid({"day_start_hour": ["Choose an hour from 0 to 23."]})
    at = now()
    before = session.execute(
        select(User.time_zone, User.day_start_hour, User.last_game_date)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
    ).one()
    today = None if before.last_game_date is None else game_date_for(user_id, at)
    session.execute(update(User).where(User.id == user_id).values(**clean, day_start_hour=day_start_hour))
    if (before.time_zone, before.day_start_hour) != (clean["time_zone"], day_start_hour):
        _record_zone(user_id, zone_holds_from(user_id, at, today), clean["time_zone"], day_start_hour)


def _record_zone(user_id: int, since: datetime, time_zone: str, day_start_hour: int) -> None:
    ZoneInfo(time_zone)
    values = {"time_zone": time_zone, "day_start_hour": day_start_hour}
    session.execute(
        pg_insert(ZoneFact)
        .values(user_id=user_id, since=since, **values)
        .on_conflict_do_update(index_elements=["user_id", "since"], set_=values)
    )


def change_preferences(
    user_id: int, *, goal_intensity: str, hidden: frozenset[str], theme: str, streak_mode: str | None = None
) -> None:
    """Change how the learner wants to play. Raises Invalid on values that do not exist. A mode of None stays as it is."""
    fields: dict[str, list[str]] = {}
    if goal_intensity not in INTENSITIES:
        fields["goal_intensity"] = [f"Choose one of {', '.join(INTENSITIES)}."]
    if hidden - frozenset(MECHANICS):
        fields["hidden"] = [f"Choose from {', '.join(MECHANICS)}."]
    if theme not in THEMES:
        fields["theme"] = [f"Choose one of {', '.join(THEMES)}."]
    if streak_mode not in (None, *STREAK_MODES):
        fields["streak_mode"] = [f"Choose one of {', '.join(STREAK_MODES)}."]
    if fields:
        raise Invalid(fields)
    chosen: dict[str, Any] = {"goal_intensity": goal_intensity, "hidden": hidden, "theme": theme}
    if streak_mode is not None:
        chosen["streak_mode"] = streak_mode
    _prefer(user_id, chosen)


def change_goal_intensity(user_id: int, intensity: str) -> None:
    """Change how much the daily goals ask, from tomorrow on if today's are kept first. Raises Invalid."""
    if intensity not in INTENSITIES:
        raise Invalid({"goal_intensity": [f"Choose one of {', '.join(INTENSITIES)}."]})
    _prefer(user_id, {"goal_intensity": intensity})


def _prefer(user_id: int, chosen: dict[str, Any]) -> None:
    stored = session.execute(
        select(User.preferences).where(User.id == user_id).with_for_update(key_share=True)
    ).scalar_one()
    changed = replace(Preferences.read(stored), **chosen)
    session.execute(update(User).where(User.id == user_id).values(preferences=stored | changed.stored()))


def choose_leagues(user_id: int, *, wanted: bool) -> None:
    """Opt into the weekly leagues, or out. Again is harmless."""
    _prefer(user_id, {"leagues": wanted})


def set_role(email: str, role: str) -> None:
    """Give the person with this address another role. Raises NotFound, Invalid. Again is harmless."""
    if role not in ROLES:
        raise Invalid({"role": [f"A role is one of {', '.join(ROLES)}."]})
    done = session.execute(
        update(User).where(User.email_key == email.strip().casefold()).values(role=role).returning(User.id)
    ).one_or_none()
    if done is None:
        raise NotFound(f"Nobody has the address {email}.")


def deactivate(email: str) -> None:
    """Close an account for signing in and end its sessions; nothing is deleted. Raises NotFound, Conflict if done already."""
    user = session.execute(
        select(User.id, User.deactivated_at)
        .where(User.email_key == email.strip().casefold())
        .with_for_update(key_share=True)
    ).one_or_none()
    if user is None:
        raise NotFound(f"Nobody has the address {email}.")
    if user.deactivated_at is not None:
        raise Conflict(f"{email} is deactivated already.")
    session.execute(update(User).where(User.id == user.id).values(deactivated_at=now()))
    sign_out_everywhere(user.id)
