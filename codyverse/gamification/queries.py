"""Reads of the game: the player's card, today's goals, the ledger, what a completion brought."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from codyverse.accounts.rules import Reckoning, ShortDays, stamped_date
from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.gamification import rules
from codyverse.gamification.explain import reason
from codyverse.gamification.goals import goals_of_day
from codyverse.gamification.numbers import numbers

ONE_DAY = timedelta(days=1)
PAGE_MAX = 200


@dataclass(frozen=True, slots=True)
class DayDot:
    """One of the last seven days (weekday 0 is Monday). `lessons` finished on it."""

    date: date
    weekday: int
    lessons: int
    today: bool


@dataclass(frozen=True, slots=True)
class PlayerCard:
    """A player at one moment. XP within the level; the three about the next level are None, None and 1 at the top.

    `streak` in days as it is alive today (yesterday's is alive until today ends), `best_streak` ever.
    """

    xp: int
    level: int
    level_name: str
    level_icon: str
    xp_into_level: int
    xp_for_level: int | None
    xp_to_next: int | None
    xp_progress: float
    coins: int
    gems: int
    streak: int
    best_streak: int
    studied_today: bool
    week: tuple[DayDot, ...]


@dataclass(frozen=True, slots=True)
class GoalView:
    """A goal of today. `progress` may go beyond `target`; `coins` are what it pays or paid."""

    slot: int
    kind: str
    target: int
    progress: int
    coins: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Board:
    """Card and goals together, for pages that show both."""

    card: PlayerCard
    goals: tuple[GoalView, ...]


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry of the ledger with its reason in a plain sentence."""

    id: int
    currency: str
    amount: int
    rule: str
    source: str
    reason: str
    local_date: date
    created_at: datetime
    attempt_id: int | None


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some entries, newest first. `next_before_id` asks for the page after it; None at the end."""

    entries: tuple[EntryLine, ...]
    next_before_id: int | None


@dataclass(frozen=True, slots=True)
class LevelView:
    """A level that was reached, and the gems that it paid."""

    number: int
    name: str
    icon: str
    gems: int


@dataclass(frozen=True, slots=True)
class StreakView:
    """The streak on the day of a completion; `extended` if this completion made the day count."""

    days: int
    extended: bool


@dataclass(frozen=True, slots=True)
class Rewards:
    """All that one attempt brought. `goals` are those reached in it, `level_up` the highest level reached in it."""

    xp: int
    coins: int
    gems: int
    entries: tuple[EntryLine, ...]
    level_up: LevelView | None
    goals: tuple[GoalView, ...]
    streak: StreakView


_PERSON = text("""
    select users.time_zone, users.day_start_hour, users.last_game_date, player.xp, player.coins, player.gems,
           player.level, player.streak, player.best_streak, player.streak_date
    from users left join players as player on player.user_id = users.id
    where users.id = :user_id
""")
_WEEK = """
    select
        (select array_agg(local_date order by local_date) from activity_days
         where user_id = :user_id and local_date between :first and :last and lessons > 0) as dates,
        (select array_agg(lessons order by local_date) from activity_days
         where user_id = :user_id and local_date between :first and :last and lessons > 0) as lessons
"""
_ZONES = """
        array_agg(since order by since) as since, array_agg(time_zone order by since) as zones,
        array_agg(day_start_hour order by since) as hours
    from zone_facts where user_id = :user_id
"""
_WEEK_ALONE = text(_WEEK)
_WEEK_AND_ZONES = text(f"{_WEEK}, {_ZONES}")


def player(user_id: int, at: datetime, *, week: bool = True) -> PlayerCard:
    """The learner's card at the moment `at`; writes nothing. Raises NotFound.

    Two statements; without the `week` one, unless the streak may have been bridged.
    """
    row = _person(user_id)
    return _card(user_id, row, _today(row, at), week)


def goals(user_id: int, at: datetime) -> tuple[GoalView, ...]:
    """The learner's three goals at the moment `at`; writes nothing, also on a day without goals yet. Two statements."""
    return _goals(user_id, _today(_person(user_id), at))


def board(user_id: int, at: datetime) -> Board:
    """Card and goals in three statements."""
    row = _person(user_id)
    today = _today(row, at)
    return Board(_card(user_id, row, today, True), _goals(user_id, today))


def _person(user_id: int) -> Row[*tuple[Any, ...]]:
    row = session.connection().execute(_PERSON, {"user_id": user_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return row


def _today(row: Row[*tuple[Any, ...]], at: datetime) -> date:
    return stamped_date(at, row.time_zone, row.day_start_hour, row.last_game_date)


def _card(user_id: int, row: Row[*tuple[Any, ...]], today: date, with_week: bool) -> PlayerCard:
    days = [today - number * ONE_DAY for number in reversed(range(7))] if with_week else []
    short: ShortDays | frozenset[date] = frozenset()
    lessons: dict[date, int] = {}
    gap = row.streak_date is not None and row.streak_date < today - ONE_DAY
    if gap or with_week:
        values = {"user_id": user_id, "first": today - 6 * ONE_DAY, "last": today}
        week = session.connection().execute(_WEEK_AND_ZONES if gap else _WEEK_ALONE, values).one()
        short = _short_days(week) if gap else short
        lessons = dict(zip(week.dates or (), week.lessons or (), strict=True))
    xp = row.xp or 0
    standing = rules.standing(xp, numbers())
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
        streak=rules.current_streak(row.streak or 0, row.streak_date, today, short),
        best_streak=row.best_streak or 0,
        studied_today=row.streak_date == today,
        week=tuple(DayDot(day, day.weekday(), lessons.get(day, 0), day == today) for day in days),
    )


def _short_days(row: Row[*tuple[Any, ...]]) -> ShortDays:
    facts = zip(row.since or (), row.zones or (), row.hours or (), strict=True)
    return ShortDays([Reckoning(*fact) for fact in facts])


def _goals(user_id: int, today: date) -> tuple[GoalView, ...]:
    day = goals_of_day(user_id, today)
    return tuple(
        GoalView(
            goal.slot, goal.kind, goal.target, day.progress[goal.kind], goal.coins, goal.slot in day.reached
        )
        for goal in day.goals
    )


_ENTRY = "id, currency, amount, rule, source, details, local_date, created_at, attempt_id"
_PAGE = text(f"""
    select {_ENTRY} from ledger_entries
    where user_id = :user_id and id < :before_id order by id desc limit :limit
""")  # noqa: S608 - only the column list above
_PAGE_OF_CURRENCY = text(f"""
    select {_ENTRY} from ledger_entries
    where user_id = :user_id and id < :before_id and currency = :currency order by id desc limit :limit
""")  # noqa: S608 - only the column list above


def ledger_page(
    user_id: int, before_id: int | None = None, currency: str | None = None, limit: int = 50
) -> LedgerPage:
    """The learner's entries below `before_id` (None: from the newest), of one currency or of all, newest first."""
    size = max(1, min(limit, PAGE_MAX))
    values: dict[str, Any] = {
        "user_id": user_id,
        "before_id": 2**63 - 1 if before_id is None else before_id,
        "limit": size + 1,
    }
    statement = _PAGE
    if currency is not None:
        statement, values["currency"] = _PAGE_OF_CURRENCY, currency
    lines = [_line(row) for row in session.connection().execute(statement, values)]
    return LedgerPage(tuple(lines[:size]), lines[size - 1].id if len(lines) > size else None)


def _line(row: Row[*tuple[Any, ...]]) -> EntryLine:
    return EntryLine(
        row.id,
        row.currency,
        row.amount,
        row.rule,
        row.source,
        reason(row.rule, row.source, row.details),
        row.local_date,
        row.created_at,
        row.attempt_id,
    )


_FINISHED = text("""
    select attempt.local_date, player.streak, player.streak_date,
           not exists (
               select from attempts as earlier
               where earlier.user_id = attempt.user_id and earlier.local_date = attempt.local_date
                   and (earlier.completed_at, earlier.id) < (attempt.completed_at, attempt.id)
           ) as first_of_day
    from attempts as attempt left join players as player on player.user_id = attempt.user_id
    where attempt.id = :attempt_id and attempt.user_id = :user_id and attempt.completed_at is not null
""")
_EARNED = text(f"""
    select {_ENTRY} from ledger_entries
    where user_id = :user_id and attempt_id = :attempt_id order by id
""")  # noqa: S608 - only the column list above
_STREAK_THEN = text(f"""
    select (select array_agg(local_date) from activity_days
            where user_id = :user_id and local_date <= :day and lessons > 0) as dates, {_ZONES}
""")  # noqa: S608 - only the columns above


def rewards_of(user_id: int, attempt_id: int) -> Rewards:
    """All that a finished attempt of the learner's own brought, from its first answer to its completion; also later.

    Two statements, three when it is not of the latest study day. Raises NotFound.
    """
    which = {"user_id": user_id, "attempt_id": attempt_id}
    finished = session.connection().execute(_FINISHED, which).one_or_none()
    if finished is None:
        raise NotFound("There is no such finished attempt.")
    rows = session.connection().execute(_EARNED, which).all()
    entries = tuple(_line(row) for row in rows)
    totals = {
        currency: sum(line.amount for line in entries if line.currency == currency)
        for currency in ("xp", "coins", "gems")
    }
    return Rewards(
        **totals,
        entries=entries,
        level_up=_level_up(entries),
        goals=tuple(_reached(row) for row in rows if row.rule == "goal"),
        streak=StreakView(_streak_on(user_id, finished), finished.first_of_day),
    )


def _level_up(entries: tuple[EntryLine, ...]) -> LevelView | None:
    reached = [(int(line.source.split(":")[1]), line.amount) for line in entries if line.rule == "level"]
    ladder = rules.levels(numbers())
    if not reached or max(reached)[0] > len(ladder):
        return None
    number, gems = max(reached)
    level = ladder[number - 1]
    return LevelView(number, level.name, level.icon, gems)


def _reached(row: Row[*tuple[Any, ...]]) -> GoalView:
    told = row.details
    return GoalView(told["slot"], told["kind"], told["target"], told["target"], row.amount, True)


def _streak_on(user_id: int, finished: Row[*tuple[Any, ...]]) -> int:
    """The streak on the day of a completion: the player's, if no later day was added, else derived for that day."""
    day: date = finished.local_date
    if finished.streak_date == day:
        return int(finished.streak)
    row = session.connection().execute(_STREAK_THEN, {"user_id": user_id, "day": day}).one()
    return rules.streak(row.dates or (), _short_days(row), day).run
