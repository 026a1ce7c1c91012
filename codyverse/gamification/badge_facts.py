"""The facts that badges are earned by: what each counts, and the one statement that counts all of them for a learner.

The columns of that statement come from the catalogue: one for each different count in it. A table is read only while a
badge that needs it is still to be earned, so a learner with years behind them costs no more than a new one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import TextClause, text

from codyverse.core.database import session
from codyverse.gamification.badge_catalogue import Badge, Count, badges


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
        "days": (Fact("days", "count(*) filter (where lessons > 0)", "day", "days"),),
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
        "best_streak": (Fact("", "", "day", "days in a row"),),
        "level": (Fact("", "", "level", "levels"),),
        "badges": (Fact("", "", "badge", "badges"),),
    }
)
"""By name; where there are two, the conditions choose."""

_SOURCES = {
    "standing": """
        select {columns} from (
            select standing.best_score as score, standing.completions from lesson_progress as standing
            where standing.user_id = :user_id and {wanted}
        ) as standing""",
    "courses": """
        select {columns} from (
            select lesson.course_id, count(*) as finished
            from lesson_progress as standing
            join lessons as lesson on lesson.id = standing.lesson_id
            join modules as module on module.id = lesson.module_id
            join courses as course on course.id = lesson.course_id
            where standing.user_id = :user_id and lesson.retired_at is null and module.retired_at is null
                and course.retired_at is null and {wanted}
            group by lesson.course_id
        ) as mine
        cross join lateral (
            select count(*) as offered from lessons as lesson join modules as module on module.id = lesson.module_id
            where lesson.course_id = mine.course_id and lesson.retired_at is null and module.retired_at is null
        ) as whole
        where mine.finished = whole.offered""",
    "days": "select {columns} from activity_days as day where day.user_id = :user_id and {wanted}",
    "weekends": """
        select {columns} from (
            select from activity_days as day
            where day.user_id = :user_id and day.lessons > 0 and extract(isodow from day.local_date) in (6, 7)
                and {wanted}
            group by date_trunc('week', day.local_date) having count(*) = 2
        ) as weekends""",
    "gaps": """
        select {columns} from (
            select day.local_date - lag(day.local_date) over (order by day.local_date) as gap
            from activity_days as day where day.user_id = :user_id and day.lessons > 0 and {wanted}
        ) as gaps""",
    "goals": """
        select {columns} from (
            select from daily_goals as goal where goal.user_id = :user_id and {wanted}
            group by goal.local_date having count(*) = count(goal.reached_at)
        ) as full_days""",
    "new_in_a_day": """
        select {greatest} from (
            select {columns} from (
                select standing.first_local_date as day, attempt.score from lesson_progress as standing
                join attempts as attempt on attempt.user_id = standing.user_id
                    and attempt.lesson_id = standing.lesson_id
                    and attempt.completed_at = standing.first_completed_at
                where standing.user_id = :user_id
                    and (cast(:day as date) is null or standing.first_local_date = cast(:day as date)) and {wanted}
            ) as first_times group by day
        ) as by_day""",
    "lesson_steps": """
        select {greatest} from (
            select {columns} from attempts as attempt join attempt_steps as step on step.attempt_id = attempt.id
            where attempt.user_id = :user_id and attempt.completed_at is not null and step.solved
                and (cast(:attempt_id as bigint) is null or attempt.id = cast(:attempt_id as bigint)) and {wanted}
            group by attempt.id
        ) as by_attempt""",
    "quests": """
        select {columns} from ledger_entries as entry
        where entry.user_id = :user_id and entry.currency = 'coins' and entry.rule = 'quest' and {wanted}""",
    "league_weeks": """
        select {columns} from league_members as member
        where member.user_id = :user_id and member.rank is not null and {wanted}""",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a learner has: the badges earned so far, and each count of the catalogue that stands in a table.

    A count that only badges need which are earned already is 0.
    """

    earned: frozenset[str]
    counts: Mapping[Count, int]


def fact_of(count: Count) -> Fact:
    """What is counted there. Raises ValueError if there is no such fact, or not with these conditions."""
    conditions = tuple(name for name, _ in count.where)
    for fact in FACTS.get(count.fact, ()):
        if fact.conditions == conditions:
            return fact
    raise ValueError(f"badges: there is no fact {count.fact} with the conditions {conditions}")


def read_counts(user_id: int, attempt_id: int | None = None, day: date | None = None) -> Counted:
    """Count everything for a learner, in one statement.

    What is counted within a lesson or a day is looked at for this attempt and this day only, if they are given: so
    much is enough when something has just happened. Without them it is the best lesson and the best day ever.
    """
    statement, counts = _statement(badges())
    values = {"user_id": user_id, "attempt_id": attempt_id, "day": day}
    row = session.connection().execute(statement, values).one()
    return Counted(frozenset(row[0]), dict(zip(counts, map(int, row[1:]), strict=True)))


@lru_cache(maxsize=4)
def _statement(catalogue: tuple[Badge, ...]) -> tuple[TextClause, tuple[Count, ...]]:
    """The statement for a catalogue, and what its columns after the first one count."""
    by_source: dict[str, list[Badge]] = {}
    for badge in catalogue:
        if source := fact_of(badge.count).source:
            by_source.setdefault(source, []).append(badge)
    counts = tuple(dict.fromkeys(badge.count for each in by_source.values() for badge in each))
    names = {count: f"count_{number}" for number, count in enumerate(counts)}
    parts = [
        f"cross join lateral ({_part(source, each, names)}) as {source}" for source, each in by_source.items()
    ]
    head = ", ".join(["earned.keys", *names.values()])
    earned = "(select coalesce(array_agg(badge), '{}') as keys from earned_badges where user_id = :user_id) as earned"
    return text(f"select {head} from {earned} {' '.join(parts)}"), counts  # noqa: S608 - only what stands in this file and the catalogue's keys, which are checked below


def _part(source: str, wanting: Iterable[Badge], names: Mapping[Count, str]) -> str:
    mine: dict[str, Any] = {names[badge.count]: badge.count for badge in wanting}
    columns = ", ".join(
        f"{fact_of(count).sql.format(**dict(count.where))} as {name}" for name, count in mine.items()
    )
    keys = ", ".join(f"'{_plain(badge.key)}'" for badge in wanting)
    return _SOURCES[source].format(
        columns=columns,
        greatest=", ".join(f"coalesce(max({name}), 0) as {name}" for name in mine),
        wanted=f"not earned.keys @> cast(array[{keys}] as text[])",
    )


def _plain(key: str) -> str:
    if not key.replace("-", "").isalnum() or not key.isascii():
        raise ValueError(f"badges: {key} is no key; use letters, digits and hyphens")
    return key
