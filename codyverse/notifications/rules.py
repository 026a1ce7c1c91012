"""The rules of notifications: their kinds, their words, when it is quiet, when a reminder or a digest is due. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from codyverse.accounts.rules import game_date
from codyverse.core.zones import zone_named
from codyverse.gamification.badge_catalogue import is_trace
from codyverse.gamification.explain import goal_text

KINDS = ("badge", "level", "goal", "streak", "league", "course")
"""Those that each person may leave out."""
ALWAYS = ("health",)
"""Those that only operators get, who cannot leave them out."""
MECHANIC_OF: Mapping[str, str] = MappingProxyType(
    {"badge": "badges", "level": "xp", "goal": "goals", "streak": "streak", "league": "leagues"}
)
"""The mechanic that a kind belongs to; hidden mechanics leave no trace among the notifications either."""

MAIL_HOUR = 17
REMIND_AFTER = timedelta(hours=23, minutes=30)
"""So long after the last lesson a reminder helps most (notes/EVIDENCE.md)."""
AWAKE = range(8, 22)
"""Local hours in which a reminder may come, whatever the quiet hours."""
SHORTEST_STREAK = 2
"""One day is not a streak that anybody would miss."""
DIGEST_LOOKS_BACK = timedelta(days=3)
KEEP_READ = timedelta(days=90)
KEEP_MAILS = timedelta(days=30)
CLAIM_HOLDS = timedelta(minutes=15)
"""A worker that has not finished a mail after so long was killed."""
MOST_TRIES = 8


@dataclass(frozen=True, slots=True)
class Words:
    """What is said: a title for everywhere, and a sentence more for the page and the mail ('' if none is needed)."""

    title: str
    text: str


def visible_kinds(hidden: frozenset[str]) -> tuple[str, ...]:
    """The kinds that somebody sees who has hidden these mechanics."""
    return tuple(kind for kind in KINDS if MECHANIC_OF.get(kind) not in hidden)


def shown_kinds(hidden: frozenset[str]) -> tuple[str, ...]:
    """The kinds that may stand on the pages of somebody who has hidden these mechanics."""
    return visible_kinds(hidden) + ALWAYS


def words(kind: str, details: Mapping[str, Any], hidden: frozenset[str] = frozenset()) -> Words:
    """What a notification says. Plain and calm; what belongs to a hidden mechanic is left out of the words too."""
    return _WORDS[kind](details, hidden)


def _badge(details: Mapping[str, Any], hidden: frozenset[str]) -> Words:
    xp, coins = int(details.get("xp", 0)), int(details.get("coins", 0))
    brought = [f"{xp} XP"] if xp and "xp" not in hidden else []
    brought += [counted(coins, "coin")] if coins and "coins" not in hidden else []
    name = "" if is_trace(str(details.get("badge", "")), hidden) else f": {details['name']}"
    return Words(f"Badge earned{name}", f"It brings {' and '.join(brought)}." if brought else "")


def _level(details: Mapping[str, Any], hidden: frozenset[str]) -> Words:
    gems = int(details.get("gems", 0))
    text = "" if "coins" in hidden or not gems else f"It brings {counted(gems, 'gem')}."
    return Words(f"Level {details['level']}: {details['name']}", text)


def _goal(details: Mapping[str, Any], hidden: frozenset[str]) -> Words:
    coins = int(details.get("coins", 0))
    text = "" if "coins" in hidden or not coins else f"It brings {counted(coins, 'coin')}."
    if details.get("all_reached"):
        text = " ".join(["All three goals of the day are done.", *([text] if text else [])])
    if details["goal"] in hidden:
        return Words("Goal reached", text)
    return Words(f"Goal reached: {goal_text(details['goal'], int(details['target']))}", text)


def _streak(details: Mapping[str, Any], _hidden: frozenset[str]) -> Words:
    days = int(details["days"])
    return Words(
        f"{days} days in a row so far",
        "One lesson today, however short, and it goes on. A break is fine too.",
    )


def _league(details: Mapping[str, Any], hidden: frozenset[str]) -> Words:
    return Words(
        f"Your league's week is over: place {details['place']} of {details['members']}",
        _quest(details, hidden),
    )


def _quest(details: Mapping[str, Any], hidden: frozenset[str]) -> str:
    coins = int(details.get("coins", 0))
    if not details.get("quest"):
        return "A new week has begun, for everybody from the start."
    brought = "" if "coins" in hidden or not coins else f", which brings you {counted(coins, 'coin')}"
    return f"Together you finished the quest{brought}."


def _course(details: Mapping[str, Any], _hidden: frozenset[str]) -> Words:
    lessons = int(details["lessons"])
    if details.get("new"):
        return Words(f"A new course: {details['title']}", f"It has {counted(lessons, 'lesson')}.")
    return Words(f"New in {details['title']}", f"{counted(lessons, 'lesson')} more to light up.")


def _health(details: Mapping[str, Any], _hidden: frozenset[str]) -> Words:
    told = [part for part in ("database", "memory", "cache", "replicas") if part in details]
    parts = ", ".join(f"{part} {details[part]}" for part in told)
    since = f" It was {details['before']} before." if details.get("before") else ""
    return Words(f"The site is {details['overall']}", f"Now: {parts}.{since}")


_WORDS = MappingProxyType(
    {
        "badge": _badge,
        "level": _level,
        "goal": _goal,
        "streak": _streak,
        "league": _league,
        "course": _course,
        "health": _health,
    }
)


def counted(number: int, what: str) -> str:
    """“1 gem”, “3 gems”."""
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def is_quiet(at: datetime, time_zone: str, quiet_from: int | None, quiet_until: int | None) -> bool:
    """Whether the moment lies in the quiet hours, by the clock on the wall there. They may go over midnight."""
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return False
    hour = at.astimezone(zone_named(time_zone)).hour
    if quiet_from < quiet_until:
        return quiet_from <= hour < quiet_until
    return hour >= quiet_from or hour < quiet_until


def reminder_date(
    at: datetime, time_zone: str, day_start_hour: int, streak: int, last_active: date | None
) -> date | None:
    """The day on which a streak needs a lesson, if now is a good hour to say so; None if not.

    That is when the last active day was yesterday, and people there are awake. The streak must be worth it.
    """
    today = game_date(at, time_zone, day_start_hour)
    awake = at.astimezone(zone_named(time_zone)).hour in AWAKE
    if not awake or streak < SHORTEST_STREAK or last_active != today - timedelta(days=1):
        return None
    return today


def digest_date(at: datetime, time_zone: str, mail_hour: int) -> date | None:
    """The local day whose digest may go out now: from the hour that its reader chose until midnight."""
    local = at.astimezone(zone_named(time_zone))
    return local.date() if local.hour >= mail_hour else None


def next_try(at: datetime, tries: int) -> datetime:
    """When a mail that could not be sent is tried again: after 1, 2, 4, … minutes."""
    return at + timedelta(minutes=2 ** (tries - 1))
