"""The daily goals in the database: set by the day's first write, marked when reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from codyverse.accounts.queries import Preferences
from codyverse.core.asking import ask, ask_one, send
from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.core.together import known
from codyverse.gamification import rules
from codyverse.gamification.numbers import numbers
from codyverse.gamification.rules import Goal
from codyverse.gamification.statements import GOALS, GOALS_OF_DAY, PAST_GOALS, SET, SET_GOALS
from codyverse.progress.events import DayTotals


@dataclass(frozen=True, slots=True)
class GoalsOfDay:
    """A day's three goals, which of them are reached, how far the day has come by kind, and whether rows exist."""

    goals: tuple[Goal, ...]
    reached: frozenset[int]
    progress: dict[str, int]
    are_set: bool


def goals_of_day(user_id: int, day: date) -> GoalsOfDay:
    """The goals as they are set, or as the day's first write would set them. Writes nothing. One statement."""
    row = ask_one(GOALS_OF_DAY, {"user_id": user_id, **day_values(day)})
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return goals_in(user_id, row, day)


def day_values(day: date) -> dict[str, Any]:
    """What `GOALS_OF_DAY` is given beside the person."""
    enough = max(rules.wanted_lessons(each, numbers()) for each in numbers().goal_targets)
    return {"local_date": day, "enough": enough, "weak_below": numbers().weak_below}


def goals_in(user_id: int, row: Any, day: date) -> GoalsOfDay:
    """The same from a row with the columns of `GOALS_OF_DAY`."""
    progress = rules.goal_progress(
        distinct_lessons=row.distinct_lessons or 0,
        xp=row.day_xp or 0,
        seconds=row.seconds or 0,
        first_try=row.first_try or 0,
        correct=row.correct or 0,
        mended=row.mended or 0,
    )
    if row.goals is not None:
        goals = tuple(Goal(*stored[:4]) for stored in row.goals)
        return GoalsOfDay(goals, frozenset(stored[0] for stored in row.goals if stored[4]), progress, True)
    chosen = Preferences.read(row.preferences)
    whose = (user_id, day, chosen.goal_intensity, row.unfinished, numbers())
    goals = rules.goals_for(*whose, weak=row.weak, hidden=chosen.hidden)
    return GoalsOfDay(goals, frozenset(), progress, False)


@dataclass(frozen=True, slots=True)
class PastDay:
    """A day's goals as they ended: each with whether it was reached."""

    date: date
    goals: tuple[tuple[Goal, bool], ...]


def past_goals(user_id: int, before: date, days: int) -> tuple[PastDay, ...]:
    """The latest days before this date for which goals were set, newest first, at most so many."""
    rows = ask(PAST_GOALS, {"user_id": user_id, "before": before, "days": days})
    return tuple(
        PastDay(row.local_date, tuple((Goal(*stored[:4]), stored[4]) for stored in row.goals)) for row in rows
    )


def goal_targets() -> Mapping[str, Mapping[str, int]]:
    """What each intensity asks, by kind of goal."""
    return numbers().goal_targets


def ensure_goals(user_id: int, local_date: date) -> GoalsOfDay:
    """Set the goals of this day if they are not set yet, and tell them; again, or at the same time, it changes nothing.

    To be called before a change of intensity, so that today's goals stay as they are.
    """
    today = goals_of_day(user_id, local_date)
    if not today.are_set:
        values = {
            "user_id": user_id,
            "local_date": local_date,
            "slots": [goal.slot for goal in today.goals],
            "kinds": [goal.kind for goal in today.goals],
            "targets": [goal.target for goal in today.goals],
            "coins": [goal.coins for goal in today.goals],
        }
        session.connection().execute(SET_GOALS, values)
    return today


def newly_reached(user_id: int, day: date, totals: DayTotals) -> tuple[tuple[Goal, ...], bool]:
    """The goals that these totals of the day reach and that were not reached before, and whether all three are now.

    Sets the goals first if this is the day's first write. No statement if they came along with the fact, else one; two
    more on the day's first write.
    """
    progress = rules.goal_progress(
        distinct_lessons=totals.distinct_lessons,
        xp=totals.xp,
        seconds=totals.seconds,
        first_try=totals.first_try,
        correct=totals.correct,
        mended=totals.mended,
    )
    still_open = _still_open(user_id, day)
    hits = tuple(goal for goal in still_open if progress[goal.kind] >= goal.target)
    return hits, len(hits) == len(still_open)


def _still_open(user_id: int, day: date) -> list[Goal]:
    which = {"user_id": user_id, "local_date": day}
    stored: list[Any] | None = known(GOALS, user_id, lambda: send(SET, which)[0][0])
    if stored is not None:
        return [Goal(*each[:4]) for each in sorted(stored) if not each[4]]
    today = ensure_goals(user_id, day)
    return [goal for goal in today.goals if goal.slot not in today.reached]
