"""Why did I get this: each entry of the ledger in one plain sentence, from the numbers kept with it."""

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

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
    except (KeyError, ValueError, ArithmeticError):
        return f"{rule} ({source})"


def plain(number: Decimal) -> str:
    """A number with at most two decimals and no zeros at its end: 3.5, 80, 66.67."""
    text = str(number.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return text.rstrip("0").rstrip(".")


def _lesson(details: dict[str, Any], _source: str) -> str:
    minutes = plain(Decimal(details["seconds"]) / 60)
    unit = "minute" if minutes == "1" else "minutes"
    return (
        f"First time through “{details['title']}”: {details['base']} + {minutes} {unit} × {details['per_minute']} "
        f"+ score {plain(Decimal(details['score']))} × {details['per_point']}"
    )


def _lesson_again(details: dict[str, Any], _source: str) -> str:
    score, best = plain(Decimal(details["score"])), plain(Decimal(details["best"]))
    return (
        f"“{details['title']}” again, better than before: score {score} instead of {best}, "
        f"each point × {details['per_point']}"
    )


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


_SENTENCES: dict[str, Callable[[dict[str, Any], str], str]] = {
    "lesson": _lesson,
    "lesson_again": _lesson_again,
    "goal": _goal,
    "all_goals": _all_goals,
    "level": _level,
}
