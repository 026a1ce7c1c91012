"""The streak in the database: its facts read, a studied day counted, a missed one repaired by work."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text

from codyverse.accounts.rules import Reckoning, ShortDays
from codyverse.core.asking import ask_one
from codyverse.core.database import session
from codyverse.gamification import streaks
from codyverse.gamification.numbers import numbers
from codyverse.gamification.rules import ONE_DAY
from codyverse.gamification.settlement import Settlement, streak_columns
from codyverse.gamification.streaks import Course, Streak, StreakFacts
from codyverse.progress.events import LessonCompleted

FACT_COLUMNS = """
    (select array_agg(local_date order by local_date) from activity_days
     where user_id = users.id and lessons > 0 and local_date <= :until) as active,
    (select array_agg(local_date order by local_date) from purchases
     where user_id = users.id and kind = 'freeze' and local_date <= :until) as bought,
    (select array_agg(missed_date) from streak_repairs
     where user_id = users.id and local_date <= :until) as repaired,
    (select json_agg(json_build_array(since, time_zone, day_start_hour) order by since)
     from zone_facts where user_id = users.id) as zones
"""
"""What `facts_in` reads of a row of `users`: the facts of a streak up to the date `:until`. `game_streak`, a function of
the database, brings the same with a week."""

_FACTS = text(f"select {FACT_COLUMNS} from users where id = :user_id")  # noqa: S608 - only the columns above
_REPAIR = text("""
    insert into streak_repairs (user_id, missed_date, local_date, repaired_at, attempt_id)
    values (:user_id, :missed_date, :local_date, :at, :attempt_id)
    on conflict do nothing
    returning missed_date
""")
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a streak, and the calendar that says when each of the learner's days ended."""

    facts: StreakFacts
    calendar: ShortDays

    def course(self, today: date | None = None) -> Course:
        """The streak after the last fact, or as it stands on `today`."""
        return streaks.replay(self.facts, today, numbers())

    def kept(self, course: Course) -> Callable[[date], str]:
        """How a missed day was kept: frozen, mended or bridged; "" if it was not."""
        how = dict.fromkeys(course.frozen, "frozen") | dict.fromkeys(course.mended, "mended")
        return lambda day: how.get(day) or ("bridged" if day in self.calendar else "")


def facts_in(row: Row[*tuple[Any, ...]]) -> Facts:
    """The facts in a row with columns named as in `FACT_COLUMNS`."""
    calendar = ShortDays(
        [Reckoning(datetime.fromisoformat(since), zone, hour) for since, zone, hour in row.zones or ()]
    )
    repaired = frozenset(row.repaired or ())
    return Facts(StreakFacts(row.active or (), row.bought or (), repaired, calendar), calendar)


def facts_of(user_id: int, until: date = date.max) -> Facts:
    """The facts of this learner's streak up to a date. One statement."""
    row = ask_one(_FACTS, {"user_id": user_id, "until": until})
    return facts_in(row)


def kept_days(user_id: int, today: date, since: date, until: date) -> dict[date, str]:
    """How missed days from `since` to `until` were kept: frozen, mended or bridged. Days without a lesson, before today.

    Days before the first lesson are nobody's to miss. One statement.
    """
    known = facts_of(user_id)
    studied = set(known.facts.active)
    kept = known.kept(known.course(today))
    begun = min(studied, default=today)
    days = (since + n * ONE_DAY for n in range((until - since).days + 1))
    missed = (day for day in days if begun < day < today and day not in studied)
    return {day: how for day in missed if (how := kept(day))}


def broke_lately(run: int, days_learned: int) -> bool:
    """Whether a break may be young enough to be mended: there were days before this run, and few in it."""
    return run <= _RECENT and days_learned > run


def streak(settlement: Settlement) -> None:
    """The day counts for the streak with its first finished lesson, new or again; a second one can mend a missed day."""
    fact, player = settlement.fact, settlement.player
    assert isinstance(fact, LessonCompleted)
    if player.streak_date is None or player.streak_date < fact.local_date:
        settlement.change(**streak_columns(_extended(settlement)))
    elif fact.day.lessons == settlement.numbers.repair_lessons and broke_lately(
        player.streak, player.days_learned
    ):
        _repair(settlement, fact)


def _extended(settlement: Settlement) -> Streak:
    """The streak with this day. After a gap all facts are asked, the day among them."""
    fact, before = settlement.fact, settlement.player.kept_streak
    if before.last is not None and before.last + ONE_DAY < fact.local_date:
        return facts_of(fact.user_id).course().streak
    return streaks.counted(before, fact.local_date, settlement.numbers)


def _repair(settlement: Settlement, fact: LessonCompleted) -> None:
    known = facts_of(fact.user_id)
    missed = streaks.to_mend(known.course(), fact.at, known.calendar.ends, settlement.numbers)
    if missed is None:
        return
    values = {
        "user_id": fact.user_id,
        "missed_date": missed,
        "local_date": fact.local_date,
        "at": fact.at,
        "attempt_id": fact.attempt_id,
    }
    if session.connection().execute(_REPAIR, values).one_or_none() is not None:
        settlement.change(**streak_columns(facts_of(fact.user_id).course().streak))
