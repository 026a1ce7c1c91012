"""Why did I get this: each entry of the ledger in one plain sentence, from the numbers kept with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Any

from codyverse.gamification.badge_catalogue import is_trace

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_UNITS = {
    "lessons": ("lesson", "lessons"),
    "xp": ("XP from lessons", "XP from lessons"),
    "minutes": ("minute of study", "minutes of study"),
    "first_try": ("answer right at the first try", "answers right at the first try"),
    "right": ("right answer", "right answers"),
    "mended": ("lesson done better than before", "lessons done better than before"),
}


def goal_text(kind: str, target: int) -> str:
    """A goal in words: “2 lessons”, “60 XP from lessons”."""
    one, many = _UNITS.get(kind, (kind, kind))
    return f"{target} {one if target == 1 else many}"


def reason(rule: str, source: str, details: dict[str, Any]) -> str:
    """The sentence for an entry. An entry of a rule that this version does not know is named by rule and source."""
    tell = _SENTENCES.get(rule)
    try:
        return tell(details, source) if tell else f"{rule} ({source})"
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError):
        return f"{rule} ({source})"


def plain(number: Decimal) -> str:
    """A number with at most two decimals and no zeros at its end: 3.5, 80, 66.67."""
    text = str(number.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return text.rstrip("0").rstrip(".")


def _lesson(details: dict[str, Any], _source: str) -> str:
    minutes = plain(Decimal(details["seconds"]) / 60)
    unit = "minute" if minutes == "1" else "minutes"
    return (
        f"First time through “{details['title']}”{_by_report(details)}: {details['base']} + {minutes} {unit} "
        f"× {details['per_minute']} "
        f"+ score {plain(Decimal(details['score']))} × {details['per_point']}"
    )


def _lesson_again(details: dict[str, Any], _source: str) -> str:
    score, best = plain(Decimal(details["score"])), plain(Decimal(details["best"]))
    return (
        f"“{details['title']}” again, better than before{_by_report(details)}: score {score} instead of {best}, "
        f"each point × {details['per_point']}"
    )


def _by_report(details: dict[str, Any]) -> str:
    """Said of a lesson that was finished elsewhere, so that nobody looks for its answers here."""
    return ", as another program reported" if details.get("reported") else ""


def _day(source: str) -> str:
    """The date in the source of a goal, as people write it: 17 June."""
    day = date.fromisoformat(source.split(":")[1])
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _goal(details: dict[str, Any], source: str) -> str:
    return f"Goal of {_day(source)} reached: {goal_text(details['kind'], details['target'])}"


def _all_goals(_details: dict[str, Any], source: str) -> str:
    return f"All three goals of {_day(source)} reached"


def _level(details: dict[str, Any], source: str) -> str:
    return f"Level {source.split(':')[1]}, {details['name']}"


def _badge(details: dict[str, Any], _source: str) -> str:
    return f"Badge “{details['name']}”: {details['says']}"


def _quest(details: dict[str, Any], _source: str) -> str:
    return f"The league's quest of the week from {details['week']}, reached together by {details['members']} learners"


def _purchase(details: dict[str, Any], _source: str) -> str:
    return f"Bought in the shop: {details['name']}"


_SENTENCES: dict[str, Callable[[dict[str, Any], str], str]] = {
    "lesson": _lesson,
    "lesson_again": _lesson_again,
    "goal": _goal,
    "all_goals": _all_goals,
    "level": _level,
    "badge": _badge,
    "quest": _quest,
    "purchase": _purchase,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the ledger: the name to filter by, what it pays or takes in general, and the currencies in which it does."""

    key: str
    name: str
    says: str
    currencies: tuple[str, ...] = ("xp", "coins", "gems")


MECHANIC_OF = MappingProxyType(
    {
        "goal": "goals",
        "all_goals": "goals",
        "level": "xp",
        "badge": "badges",
        "quest": "leagues",
        "purchase": "coins",
    }
)
"""The mechanic of which a rule's name and reasons are a trace. Lessons are no mechanic."""
_SAYS_NOTHING = "Something beside your lessons"


def traces(rule: str, source: str, hidden: frozenset[str]) -> bool:
    """Whether an entry's rule or source is a trace of one of these mechanics."""
    return MECHANIC_OF.get(rule) in hidden or is_trace(source.removeprefix("badge:"), hidden)


def reason_without(rule: str, source: str, told: str, hidden: frozenset[str]) -> str:
    """The reason of an entry as somebody reads it who has left out these mechanics.

    What a goal or a badge asks may be about any of them, and what was bought may guard a streak; so with something
    hidden these sentences end before they say it.
    """
    if traces(rule, source, hidden):
        return _SAYS_NOTHING
    return told.partition(": ")[0] if hidden and rule in {"goal", "badge", "purchase"} else told


RULES = (
    Rule(
        "lesson",
        "Lessons",
        "The first time through a lesson pays a base that grows with its difficulty, something for each minute that was "
        "studied and something for each point of the score, rounded once, half up. It pays once, however often "
        "it is sent.",
        ("xp", "coins"),
    ),
    Rule(
        "lesson_again",
        "Lessons done better",
        "Doing a lesson again pays XP for the part of the score beyond the best so far. The base and the minutes were "
        "paid the first time.",
        ("xp",),
    ),
    Rule(
        "goal",
        "Daily goals",
        "Each of the day's three goals pays coins once, when it is reached.",
        ("coins",),
    ),
    Rule(
        "all_goals", "All goals of a day", "Reaching all three goals of a day pays a gem on top.", ("gems",)
    ),
    Rule(
        "level",
        "Levels",
        "A new level pays as many gems as its number; several passed at once all pay.",
        ("gems",),
    ),
    Rule("badge", "Badges", "A badge pays once, by how rare it is.", ("xp", "coins")),
    Rule(
        "quest",
        "League quests",
        "A quest that a league reached together pays each who did a lesson for it.",
        ("coins",),
    ),
    Rule(
        "purchase",
        "Shop",
        "What is bought is taken from the balance, which never goes below nought.",
        ("coins", "gems"),
    ),
)
_BY_KEY = {rule.key: rule for rule in RULES}


def rule_of(key: str) -> Rule:
    """The rule by its key; one that this version does not know is named by it."""
    return _BY_KEY.get(key) or Rule(key, key, "")
