"""Writes about people: accounts, sessions, settings. Add and flush, never commit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts import one_time, passwords
from codyverse.accounts.events import UserRegistered
from codyverse.accounts.game_days import game_date_for, zone_holds_from
from codyverse.accounts.models import ROLES, User, ZoneFact
from codyverse.accounts.names import can_be_shown, on_one_line
from codyverse.accounts.queries import (
    INTENSITIES,
    MECHANICS,
    STREAK_MODES,
    THEMES,
    Preferences,
    account_by_email,
    erased_address,
)
from codyverse.accounts.sessions import sign_out, sign_out_everywhere
from codyverse.accounts.telling import tell_owner
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.core.events import publish

__all__ = [
    "activate",
    "address_key",
    "change_goal_intensity",
    "change_password",
    "change_preferences",
    "change_profile",
    "check_new_password",
    "choose_leagues",
    "clean_email",
    "create_account",
    "deactivate",
    "game_date_for",
    "set_password",
    "set_role",
    "sign_out",
    "sign_out_everywhere",
    "time_zones",
]

NAME_MAX = 60


@lru_cache(maxsize=1)
def _known_zones() -> frozenset[str]:
    """Every name that is a place's time; looked up on the disk once, for that takes longer than all else of a registration."""
    return frozenset(available_timezones() - {"localtime", "Factory"})  # those mean the server's own, or none


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """The IANA zones a person can choose, sorted; legacy aliases without a region are left out."""
    return (
        "UTC",
        *sorted(name for name in _known_zones() if "/" in name and not name.startswith("Etc/")),
    )


def clean_email(email: str) -> str:
    """The address in its normal form. Raises Invalid; whether mail reaches it is not asked."""
    if len(email) > 254:
        raise Invalid({"email": ["An e-mail address has at most 254 characters."]})
    from email_validator import (  # where addresses are taken; its tables load slowly
        EmailNotValidError,
        validate_email,
    )

    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as fault:
        raise Invalid({"email": ["Write an e-mail address, like name@example.org."]}) from fault


def address_key(email: str) -> str:
    """What tells accounts apart, however an address is spelled; of text that is no address the text itself, shortened."""
    try:
        return clean_email(email).casefold()
    except Invalid:
        return email.strip().casefold()[:254]


def clean_name(name: str) -> str:
    """A display name: visible characters on one line, 1 to 60 of them. Raises Invalid."""
    name = on_one_line(name)
    if not name:
        raise Invalid({"display_name": ["Write the name that others may see."]})
    if len(name) > NAME_MAX:
        raise Invalid({"display_name": [f"Use at most {NAME_MAX} characters."]})
    if not can_be_shown(name):
        raise Invalid({"display_name": ["The name contains a character that cannot be shown."]})
    return name


def clean_zone(name: str) -> str:
    """A known IANA zone. Raises Invalid."""
    if name not in _known_zones():
        raise Invalid({"time_zone": ["Choose a time zone from the list."]})
    return name


def gathered(**checks: Callable[[], Any]) -> dict[str, Any]:
    """Run all checks and raise one Invalid with every fault, so that a form shows them together."""
    values: dict[str, Any] = {}
    fields: dict[str, list[str]] = {}
    for name, check in checks.items():
        try:
            values[name] = check()
        except Invalid as fault:
            fields |= fault.fields
    if fields:
        raise Invalid(fields)
    return values


def check_new_password(new: str, role: str, about: tuple[str, ...]) -> None:
    """Raise Invalid, at the field `new_password`, for what cannot be a password of this person."""
    _password_checked(new, role, about, field="new_password")


def _password_checked(password: str, role: str, about: tuple[str, ...], field: str = "password") -> str:
    if faults := passwords.faults(password, role=role, about=about):
        raise Invalid({field: faults})
    return password


def create_account(
    email: str,
    password: str,
    display_name: str,
    *,
    time_zone: str = "UTC",
    role: str = "learner",
    verified: bool = True,
) -> int | None:
    """Make an account and return its id; None if the address is taken. Raises Invalid with every fault.

    `verified`: whoever makes it vouches for the address, as operators do; strangers have to confirm theirs. Takes the same time in both cases. The learner's first zone fact is written with it.
    """
    if role not in ROLES:
        raise Invalid({"role": [f"A role is one of {', '.join(ROLES)}."]})
    clean = gathered(
        email=lambda: clean_email(email),
        display_name=lambda: clean_name(display_name),
        time_zone=lambda: clean_zone(time_zone),
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
            email_verified_at=at if verified else None,
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


def change_password(user_id: int, current: str, new: str, *, keep_session: int | None) -> None:
    """Set a new password, end all other sessions, half sign-ins and links. Raises Invalid on a wrong current or an unfit
    new one.
    """
    user = session.execute(
        select(User.password_hash, User.role, User.email, User.display_name).where(User.id == user_id)
    ).one()
    if not passwords.matches(user.password_hash, current[: passwords.MAX_LENGTH]):
        raise Invalid({"current_password": ["This is not your current password."]})
    _password_checked(new, user.role, (user.email, user.display_name), field="new_password")
    set_password(user_id, new, keep_session=keep_session)
    tell_owner(user_id, "password_changed")


def set_password(user_id: int, new: str, *, keep_session: int | None = None) -> None:
    """Write a password that was checked, and end whatever the old one had begun: sessions, half sign-ins, links."""
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(password_hash=passwords.hashed(new), password_changed_at=now())
    )
    one_time.end(user_id)
    sign_out_everywhere(user_id, keep=keep_session)


def change_profile(user_id: int, *, display_name: str, time_zone: str, day_start_hour: int) -> None:
    """Change name, zone and start of day. A change of the last two is a fact from now on; the past stays as it was."""
    clean = gathered(display_name=lambda: clean_name(display_name), time_zone=lambda: clean_zone(time_zone))
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
    kept = stored if isinstance(stored, dict) else {}
    changed = replace(Preferences.read(stored), **chosen).stored()
    session.execute(update(User).where(User.id == user_id).values(preferences=kept | changed))


def choose_leagues(user_id: int, *, wanted: bool) -> None:
    """Opt into the weekly leagues, or out. Again is harmless."""
    _prefer(user_id, {"leagues": wanted})


def set_role(email: str, role: str) -> None:
    """Give the person with this address another role. Raises NotFound, also for who was erased, Invalid.

    Again is harmless.
    """
    if role not in ROLES:
        raise Invalid({"role": [f"A role is one of {', '.join(ROLES)}."]})
    found = account_by_email(email)
    session.execute(update(User).where(User.id == found.id, User.email == found.email).values(role=role))


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


def activate(email: str) -> None:
    """Open an account that was deactivated: no session comes back, its tokens work again. Raises NotFound, Conflict if open.

    Whoever was erased has no address any more, and is not found.
    """
    user = session.execute(
        select(User.id, User.deactivated_at, User.email)
        .where(User.email_key == email.strip().casefold())
        .with_for_update(key_share=True)
    ).one_or_none()
    if user is None or user.email == erased_address(user.id):
        raise NotFound(f"Nobody has the address {email}.")
    if user.deactivated_at is None:
        raise Conflict(f"{email} is not deactivated.")
    session.execute(update(User).where(User.id == user.id).values(deactivated_at=None))
