"""The facts that badges are earned by: what each counts, and the statement that counts for a learner what is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from sqlalchemy import TextClause, text

from codyverse.core.database import session
from codyverse.gamification.badge_catalogue import Count


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be counted. `source` names where, `sql` how, `conditions` what a badge must say with it.

    Without a source it stands in the player or among the badges. `one` and `many` are its words: 7 of 10 lessons.
    """

    source: str
    sql: str
    one: str
    many: str
    conditions: tuple[str, ...] = ()


_SCORED = "count(*) filter (where score >= {score})"
FACTS: Mapping[str, tuple[Fact, ...]] = MappingProxyType(
    {
        "lessons": (
            Fact("standing", "count(*)", "lesson", "lessons"),
            Fact("standing", _SCORED, "lesson", "lessons", ("score",)),
        ),
        "again": (Fact("standing", "coalesce(sum(completions - 1), 0)", "time", "times"),),
        "courses": (Fact("courses", "count(*)", "course", "courses"),),
        "minutes": (Fact("days", "coalesce(sum(seconds), 0) / 60", "minute", "minutes"),),
        "first_tries": (Fact("days", "coalesce(sum(first_try), 0)", "question", "questions"),),
        "weekends": (Fact("weekends", "count(*)", "weekend", "weekends"),),
        "returns": (Fact("gaps", "count(*) filter (where gap > {days})", "return", "returns", ("days",)),),
        "full_days": (Fact("goals", "count(*)", "day", "days"),),
        "new_lessons_in_a_day": (Fact("new_in_a_day", _SCORED, "lesson", "lessons on one day", ("score",)),),
        "hinted_in_a_lesson": (
            Fact("lesson_steps", "count(*) filter (where hints > 0)", "question", "questions of one lesson"),
        ),
        "persisted_in_a_lesson": (
            Fact(
                "lesson_steps",
                "count(*) filter (where tries >= {tries})",
                "question",
                "questions of one lesson",
                ("tries",),
            ),
        ),
        "quests": (Fact("quests", "count(*)", "quest", "quests"),),
        "league_weeks": (Fact("league_weeks", "count(*)", "week", "weeks"),),
        "days": (Fact("", "", "day", "days"),),
        "best_streak": (Fact("", "", "day", "days in a row"),),
        "level": (Fact("", "", "level", "levels"),),
        "badges": (Fact("", "", "badge", "badges"),),
    }
)
"""By name; where there are two, the conditions choose."""

_SOURCES = {
    "standing": """
        select array[{columns}] from (
            select standing.best_score as score, standing.completions from lesson_progress as standing
            where standing.user_id = :user_id
        ) as standing""",
    "courses": """
        select array[{columns}] from (
            select lesson.course_id, count(*) as finished
            from lesson_progress as standing
            join lessons as lesson on lesson.id = standing.lesson_id
            join modules as module on module.id = lesson.module_id
            join courses as course on course.id = lesson.course_id
            where standing.user_id = :user_id and lesson.retired_at is null and module.retired_at is null
                and course.retired_at is null
            group by lesson.course_id
        ) as mine
        where mine.finished = (
            select count(*) from lessons as lesson join modules as module on module.id = lesson.module_id
            where lesson.course_id = mine.course_id and lesson.retired_at is null and module.retired_at is null
        )""",
    "days": "select array[{columns}] from activity_days as day where day.user_id = :user_id",
    "weekends": """
        select array[{columns}] from (
            select from activity_days as day
            where day.user_id = :user_id and day.lessons > 0 and extract(isodow from day.local_date) in (6, 7)
            group by date_trunc('week', day.local_date) having count(*) = 2
        ) as weekends""",
    "gaps": """
        select array[{columns}] from (
            select day.local_date - lag(day.local_date) over (order by day.local_date) as gap
            from activity_days as day where day.user_id = :user_id and day.lessons > 0
        ) as gaps""",
    "goals": """
        select array[{columns}] from (
            select from daily_goals as goal where goal.user_id = :user_id
            group by goal.local_date having count(*) = count(goal.reached_at)
        ) as full_days""",
    "new_in_a_day": """
        select array[{greatest}] from (
            select {named} from (
                select standing.first_local_date as day, (array_agg(attempt.score order by attempt.id))[1] as score
                from lesson_progress as standing
                join attempts as attempt on attempt.user_id = standing.user_id
                    and attempt.lesson_id = standing.lesson_id and attempt.completed_at = standing.first_completed_at
                where standing.user_id = :user_id
                    and (cast(:day as date) is null or standing.first_local_date = cast(:day as date))
                group by standing.lesson_id, standing.first_local_date
            ) as first_times group by day
        ) as by_day""",
    "lesson_steps": """
        select array[{greatest}] from (
            select {named} from attempts as attempt join attempt_steps as step on step.attempt_id = attempt.id
            where attempt.user_id = :user_id and attempt.completed_at is not null and step.solved
                and (cast(:attempt_id as bigint) is null or attempt.id = cast(:attempt_id as bigint))
            group by attempt.id
        ) as by_attempt""",
    "quests": """
        select array[{columns}] from ledger_entries as entry
        where entry.user_id = :user_id and entry.currency = 'coins' and entry.rule = 'quest'""",
    "league_weeks": """
        select array[{columns}] from league_members as member
        where member.user_id = :user_id and member.rank is not null""",
}


def fact_of(count: Count) -> Fact:
    """What is counted there. Raises ValueError if there is no such fact, or not with these conditions."""
    conditions = tuple(name for name, _ in count.where)
    for fact in FACTS.get(count.fact, ()):
        if fact.conditions == conditions:
            return fact
    raise ValueError(f"badges: there is no fact {count.fact} with the conditions {conditions}")


def read_counts(
    user_id: int, wanted: Iterable[Count], attempt_id: int | None = None, day: date | None = None
) -> dict[Count, int]:
    """Count these for a learner, in one statement; none if nothing is wanted. All of them stand in tables.

    What is counted within a lesson or a day is looked at for this attempt and this day only, if they are given: so
    much is enough when something has just happened. Without them it is the best lesson and the best day ever.
    """
    asked = tuple(dict.fromkeys(wanted))
    if not asked:
        return {}
    statement, counts = _statement(asked)
    values = {"user_id": user_id, "attempt_id": attempt_id, "day": day}
    row = session.connection().execute(statement, values).one()
    numbers = [number for array in row for number in array]
    return dict(zip(counts, numbers, strict=True))


@lru_cache(maxsize=256)
def _statement(asked: tuple[Count, ...]) -> tuple[TextClause, tuple[Count, ...]]:
    """The statement that counts these: one array for each table. And what it counts, in the order of the numbers."""
    by_source: dict[str, list[Count]] = {}
    for count in asked:
        by_source.setdefault(fact_of(count).source, []).append(count)
    arrays = ", ".join(f"({_array(source, counts)})" for source, counts in by_source.items())
    return text(f"select {arrays}"), tuple(count for counts in by_source.values() for count in counts)


def _array(source: str, counts: Iterable[Count]) -> str:
    columns = [f"cast({fact_of(count).sql.format(**dict(count.where))} as bigint)" for count in counts]
    return _SOURCES[source].format(
        columns=", ".join(columns),
        named=", ".join(f"{column} as n{number}" for number, column in enumerate(columns)),
        greatest=", ".join(f"coalesce(max(n{number}), 0)" for number in range(len(columns))),
    )
