"""Reads of the game: the player's card, today's goals, the ledger, what a completion brought."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from codyverse.accounts.queries import Preferences
from codyverse.accounts.rules import stamped_date
from codyverse.core.asking import ask, ask_one
from codyverse.core.errors import NotFound
from codyverse.gamification import rules, streaks
from codyverse.gamification.goals import (
    GoalsOfDay,
    PastDay,
    day_values,
    goal_targets,
    goals_in,
    goals_of_day,
    past_goals,
)
from codyverse.gamification.ledger_reads import (
    CURRENCIES,
    EntryLine,
    LedgerPage,
    ledger_entry,
    ledger_page,
    ledger_rules,
    ledger_slice,
    line,
)
from codyverse.gamification.numbers import numbers
from codyverse.gamification.shop_catalogue import unlocked_at
from codyverse.gamification.statements import (
    PERSON_COLUMNS,
    WEEK_COLUMNS,
)
from codyverse.gamification.streak_care import broke_lately, facts_in, facts_of
from codyverse.gamification.streaks import to_mend
from codyverse.gamification.views import (
    Board,
    DayDot,
    GoalView,
    LevelView,
    PlayerCard,
    Rewards,
    StreakView,
)

__all__ = [
    "CURRENCIES",
    "Board",
    "DayDot",
    "EntryLine",
    "GoalView",
    "LedgerPage",
    "LevelView",
    "PastDay",
    "PlayerCard",
    "Rewards",
    "StreakView",
    "board",
    "board_of",
    "board_values",
    "card_of",
    "goal_targets",
    "goals",
    "ledger_entry",
    "ledger_page",
    "ledger_rules",
    "ledger_slice",
    "levels",
    "past_goals",
    "player",
    "rewards_of",
    "right_values",
    "whole_board",
]

ONE_DAY = timedelta(days=1)


_PERSON = text(f"""
    select {PERSON_COLUMNS} from users left join players as player on player.user_id = users.id
    where users.id = :user_id
""")  # noqa: S608 - only the columns above
_WEEK_ALONE = text(f"select {WEEK_COLUMNS}")
_WEEK_AND_FACTS = text("select * from game_streak(:user_id, :first, :last, :until)")
"""`WEEK_COLUMNS`, the facts of the streak up to a date, and whether a missed day was mended on it."""


def player(user_id: int, at: datetime, *, week: bool = True) -> PlayerCard:
    """The learner's card at the moment `at`; writes nothing. Raises NotFound.

    Two statements; without the `week` one, unless the streak may have been bridged.
    """
    row = _person(user_id)
    return _card(user_id, row, at, with_week=week)


def goals(user_id: int, at: datetime) -> tuple[GoalView, ...]:
    """The learner's three goals at the moment `at`; writes nothing, also on a day without goals yet. Two statements."""
    return _goals(user_id, _today(_person(user_id), at))


def board(user_id: int, at: datetime) -> Board:
    """Card and goals in three statements."""
    return board_of(user_id, _person(user_id), at)


def board_of(user_id: int, row: Any, at: datetime, *, week: bool = True) -> Board:
    """The same from a row with `PERSON_COLUMNS`. Two statements; without the `week` one, unless a streak has a story."""
    return Board(_card(user_id, row, at, with_week=week), _goals(user_id, _today(row, at)))


def board_values(user_id: int, today: date, *, weekly: bool) -> dict[str, Any]:
    """What `own_page` is given beside the bell's kinds, to be asked for this date, in this mode of the streak."""
    first = _first_of_week(today, weekly=weekly)
    return {"user_id": user_id, "first": first, "last": first + 6 * ONE_DAY, **day_values(today)}


def right_values(user_id: int, row: Any, at: datetime) -> dict[str, Any]:
    """What they should have been given, as a row of them says."""
    weekly = Preferences.read(row.preferences).streak_mode == "weekly"
    return board_values(user_id, _today(row, at), weekly=weekly)


def whole_board(user_id: int, row: Any, at: datetime) -> Board:
    """The board from a row of `own_page`. No statement, unless a streak has a story."""
    card = _card(user_id, row, at, with_week=True, week=row)
    return Board(card, _views(goals_in(user_id, row, _today(row, at))))


def card_of(user_id: int, row: Any, at: datetime, preferences: Preferences | None = None) -> PlayerCard:
    """The card without its week from a row with `PERSON_COLUMNS`, those without `preferences` if they are given.
    No statement, unless a streak has a story."""
    return _card(user_id, row, at, with_week=False, preferences=preferences)


def levels() -> tuple[rules.Level, ...]:
    """All levels, lowest first."""
    return rules.levels(numbers())


def _person(user_id: int) -> Any:
    row = ask_one(_PERSON, {"user_id": user_id})
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return row


def _today(row: Any, at: datetime) -> date:
    return stamped_date(at, row.time_zone, row.day_start_hour, row.last_game_date, row.owed_until)


def _first_of_week(today: date, *, weekly: bool) -> date:
    return today - timedelta(days=today.weekday() if weekly else 6)


def _card(
    user_id: int,
    row: Any,
    at: datetime,
    *,
    with_week: bool,
    week: Any = None,
    preferences: Preferences | None = None,
) -> PlayerCard:
    """`week` is a row with `WEEK_COLUMNS`, if there is one already."""
    today = _today(row, at)
    preferences = preferences or Preferences.read(row.preferences)
    weekly = preferences.streak_mode == "weekly"
    first = _first_of_week(today, weekly=weekly)
    values = {"user_id": user_id, "first": first, "last": first + 6 * ONE_DAY, "until": today}
    asks = weekly or _streak_has_a_story(row, today, first)
    if asks or (with_week and week is None):
        week = ask_one(_WEEK_AND_FACTS if asks else _WEEK_ALONE, values)
    told = _told(week, at, today, weekly=weekly) if asks and week is not None else _as_kept(row)
    xp = row.xp or 0
    standing = rules.standing(xp, numbers())
    shows_coins = "coins" not in preferences.hidden
    return PlayerCard(
        xp=xp,
        level=standing.level.number,
        level_name=standing.level.name,
        level_icon=standing.level.icon,
        xp_into_level=standing.into_level,
        xp_for_level=standing.for_level,
        xp_to_next=standing.to_next,
        xp_progress=standing.progress,
        coins=row.coins or 0,
        gems=row.gems or 0,
        streak=told.streak,
        best_streak=told.best,
        studied_today=row.streak_date == today,
        week=_week(week, first, today, told.kept) if week is not None and with_week else (),
        weekly=weekly,
        week_days=told.week_days,
        days_learned=row.days_learned or 0,
        freezes=told.freezes,
        mend=told.mend,
        outfit=row.outfit if shows_coins else None,
        world=row.world if shows_coins else None,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What there is to tell about a streak."""

    streak: int
    best: int
    freezes: int
    week_days: int = 0
    kept: Callable[[date], str] = lambda _day: ""
    mend: date | None = None


def _as_kept(row: Any) -> _Told:
    return _Told(row.streak or 0, row.best_streak or 0, row.freezes or 0)


def _streak_has_a_story(row: Any, today: date, first: date) -> bool:
    """Whether more must be known than the row keeps: after a gap, a break that can be mended, a day kept this week."""
    if row.streak_date is None:
        return False
    gap = row.streak_date < today - ONE_DAY
    broke = broke_lately(row.streak, row.days_learned)
    return gap or broke or (row.kept_date is not None and row.kept_date >= first)


def _told(row: Any, at: datetime, today: date, *, weekly: bool) -> _Told:
    known = facts_in(row)
    course = known.course(today)
    mend = None if row.mended_today else to_mend(course, at, known.calendar.ends, numbers())
    standing = course.streak
    if not weekly:
        return _Told(standing.run, standing.best, standing.freezes, 0, known.kept(course), mend)
    weeks = streaks.weekly(known.facts.active, known.calendar, today, numbers())
    return _Told(weeks.current, weeks.best, standing.freezes, weeks.this_week)


def _week(row: Any, first: date, today: date, kept: Callable[[date], str]) -> tuple[DayDot, ...]:
    lessons = dict(zip(row.dates or (), row.lessons or (), strict=True))
    days = [first + number * ONE_DAY for number in range(7)]
    return tuple(
        DayDot(
            day,
            day.weekday(),
            lessons.get(day, 0),
            day == today,
            day > today,
            "" if day in lessons or day >= today else kept(day),
        )
        for day in days
    )


def _goals(user_id: int, today: date) -> tuple[GoalView, ...]:
    return _views(goals_of_day(user_id, today))


def _views(day: GoalsOfDay) -> tuple[GoalView, ...]:
    return tuple(
        GoalView(
            goal.slot, goal.kind, goal.target, day.progress[goal.kind], goal.coins, goal.slot in day.reached
        )
        for goal in day.goals
    )


_REWARDS = text("select * from game_rewards(:user_id, :attempt_id)")
"""A finished attempt with each entry that it brought; one row with nulls, if there is none."""


def rewards_of(user_id: int, attempt_id: int) -> Rewards:
    """All that a finished attempt of the learner's own brought, from its first answer to its completion; also later.

    One statement, two when it is not of the latest study day. Raises NotFound.
    """
    which = {"user_id": user_id, "attempt_id": attempt_id}
    found = ask(_REWARDS, which)
    if not found:
        raise NotFound("There is no such finished attempt.")
    finished, rows = found[0], [row for row in found if row.id is not None]
    entries = tuple(line(row) for row in rows)
    totals = {
        currency: sum(line.amount for line in entries if line.currency == currency)
        for currency in ("xp", "coins", "gems")
    }
    return Rewards(
        **totals,
        entries=entries,
        level_up=_level_up(entries),
        goals=tuple(_reached(row) for row in rows if row.rule == "goal"),
        streak=StreakView(_streak_on(user_id, finished), finished.first_of_day, finished.mended),
    )


def _level_up(entries: tuple[EntryLine, ...]) -> LevelView | None:
    reached = [(int(line.source.split(":")[1]), line.amount) for line in entries if line.rule == "level"]
    ladder = rules.levels(numbers())
    if not reached or max(reached)[0] > len(ladder):
        return None
    number, gems = max(reached)
    level = ladder[number - 1]
    opens = tuple(item.name for each, _ in sorted(reached) for item in unlocked_at(each))
    return LevelView(number, level.name, level.icon, gems, opens)


def _reached(row: Any) -> GoalView:
    told = row.details
    return GoalView(told["slot"], told["kind"], told["target"], told["target"], row.amount, True)


def _streak_on(user_id: int, finished: Any) -> int:
    """The streak on the day of a completion: the player's, if no later day was added, else derived for that day."""
    day: date = finished.finished_on
    if finished.streak_date == day:
        return int(finished.streak)
    return facts_of(user_id, day).course().streak.run
