"""The facts that badges are earned by: what each counts, and the statement that counts for a learner what is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import text

from codyverse.core.asking import ask, send
from codyverse.core.together import Rider, known
from codyverse.gamification.badge_catalogue import Badge, Count, badges
from codyverse.gamification.statements import BROUGHT, COUNTS, GAME, GOALS
from codyverse.progress.events import LessonCompleted


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be counted. `source` names where, `one` and `many` are its words: 7 of 10 lessons.

    The function `game_counts` of the database tells the number in the list `told`, at `place`; facts with a condition
    are told in the order in which it was given the values that badges ask for. Without a source it stands in the player
    or among the badges.
    """

    source: str
    told: str
    one: str
    many: str
    place: int = 0
    condition: str = ""


FACTS: Mapping[str, tuple[Fact, ...]] = MappingProxyType(
    {
        "lessons": (
            Fact("standing", "standing", "lesson", "lessons"),
            Fact("standing", "scored", "lesson", "lessons", condition="score"),
        ),
        "again": (Fact("standing", "standing", "time", "times", 1),),
        "courses": (Fact("courses", "courses", "course", "courses"),),
        "minutes": (Fact("days", "days", "minute", "minutes"),),
        "first_tries": (Fact("days", "days", "question", "questions", 1),),
        "weekends": (Fact("weekends", "weekends", "weekend", "weekends"),),
        "returns": (Fact("gaps", "gaps", "return", "returns", condition="days"),),
        "full_days": (Fact("goals", "goals", "day", "days"),),
        "new_lessons_in_a_day": (
            Fact("new_in_a_day", "new_in_a_day", "lesson", "lessons on one day", condition="score"),
        ),
        "hinted_in_a_lesson": (Fact("lesson_steps", "lesson_steps", "question", "questions of one lesson"),),
        "persisted_in_a_lesson": (
            Fact("lesson_steps", "tried", "question", "questions of one lesson", condition="tries"),
        ),
        "quests": (Fact("quests", "quests", "quest", "quests"),),
        "league_weeks": (Fact("league_weeks", "league_weeks", "week", "weeks"),),
        "days": (Fact("", "", "day", "days"),),
        "best_streak": (Fact("", "", "day", "days in a row"),),
        "level": (Fact("", "", "level", "levels"),),
        "badges": (Fact("", "", "badge", "badges"),),
    }
)
"""By name; where there are two, the condition chooses."""

SOURCES = frozenset(fact.source for facts in FACTS.values() for fact in facts if fact.source)
_ASKED_FOR = {"scored": "scores", "gaps": "gaps", "new_in_a_day": "day_scores", "tried": "tries"}
"""The lists whose numbers depend on a condition, and the parameter with the values that are asked for."""

_COUNTS = text("""
    select game_counts(:user_id, :attempt_id, :day, :sources, cast(:scores as numeric[]), cast(:gaps as int[]),
                       cast(:day_scores as numeric[]), cast(:tries as int[]))
""")


@lru_cache(maxsize=256)
def fact_of(count: Count) -> Fact:
    """What is counted there. Raises ValueError if there is no such fact, or not with these conditions."""
    conditions = tuple(name for name, _ in count.where)
    for fact in FACTS.get(count.fact, ()):
        if conditions == ((fact.condition,) if fact.condition else ()):
            return fact
    raise ValueError(f"badges: there is no fact {count.fact} with the conditions {conditions}")


@dataclass(frozen=True, slots=True)
class Asking:
    """What `game_counts` is asked, `values`; and where in its answer each count stands."""

    values: Mapping[str, Any]
    places: Mapping[Count, tuple[str, int]]

    def read(self, told: Mapping[str, list[int] | None]) -> dict[Count, int]:
        """The counts in an answer; what was not counted is left out."""
        found = {count: (told.get(name), place) for count, (name, place) in self.places.items()}
        return {count: numbers[place] for count, (numbers, place) in found.items() if numbers is not None}


@lru_cache(maxsize=256)
def asking(counts: tuple[Count, ...]) -> Asking:
    """How to ask for these counts."""
    values: dict[str, Any] = {name: [] for name in _ASKED_FOR.values()}
    places = {}
    for count in counts:
        fact = fact_of(count)
        place = fact.place
        if fact.condition:
            wanted = values[_ASKED_FOR[fact.told]]
            place = len(wanted)
            wanted.append(count.where[0][1])
        places[count] = (fact.told, place)
    values["sources"] = sorted({fact_of(count).source for count in counts})
    return Asking(values, places)


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
    how = asking(asked)
    values = {"user_id": user_id, "attempt_id": attempt_id, "day": day, **how.values}
    [[told]] = ask(_COUNTS, values)
    return how.read(told)


# --- after a lesson ---

_AFTER_LESSON = text("""
    select game_after_lesson(:user_id, :local_date, :lesson_id, :course_id, :attempt_id, :lessons, :distinct_lessons,
                             :first_time, null, cast(:asked as jsonb)) -> 'counts'
""")


def counts_of_lesson(fact: LessonCompleted) -> dict[Count, int]:
    """What a finished lesson can have brought nearer, counted for badges that are not earned yet; days of reached goals are
    not among it. No statement if it came along with the fact.

    Counted is only what this lesson can have changed: weekends by a weekend's first lesson of a day, returns by one after a
    pause, whole courses by a lesson that is new. Quests and weeks of leagues are closed at night by a job, and what they
    brought is looked at when somebody is back at work.
    """
    asked = _asked_of_catalogue()
    return asked.read(known(COUNTS, fact.user_id, lambda: _read(fact)))


def _read(fact: LessonCompleted) -> Any:
    values = {
        "user_id": fact.user_id,
        "attempt_id": fact.attempt_id,
        "lesson_id": fact.lesson_id,
        "course_id": fact.course_id,
        "local_date": fact.local_date,
        "lessons": fact.day.lessons,
        "distinct_lessons": fact.day.distinct_lessons,
        "first_time": fact.first_time,
        **_asked_of_catalogue().values,
    }
    [[told]] = send(_AFTER_LESSON, values)
    return told


_of_catalogue: list[tuple[tuple[Badge, ...], Asking]] = []


def _asked_of_catalogue() -> Asking:
    """How to ask for all badges that are in force."""
    if not _of_catalogue or _of_catalogue[0][0] is not badges():
        _of_catalogue[:] = [(badges(), _asking_for(badges()))]
    return _of_catalogue[0][1]


def _asking_for(catalogue: tuple[Badge, ...]) -> Asking:
    wanted = [(badge, fact_of(badge.count).source) for badge in catalogue if fact_of(badge.count).source]
    found = asking(tuple(dict.fromkeys(badge.count for badge, _ in wanted)))
    keys: dict[str, list[str]] = {source: [] for source in (*SOURCES, "leagues")}
    for badge, source in wanted:
        keys["leagues" if source in {"quests", "league_weeks"} else source].append(badge.key)
    least = (badge.at_least for badge, source in wanted if source == "new_in_a_day")
    asked = {name: found.values[name] for name in _ASKED_FOR.values()} | {
        "badges": keys,
        "new_in_a_day": min(least, default=1),
        "shortest_gap": min(found.values["gaps"], default=None),
    }
    return Asking({"asked": orjson.dumps(asked).decode()}, found.places)


GAME_RIDER = Rider(
    GAME,
    "game_after_lesson(:user_id, :local_date, :lesson_id, :course_id, :attempt_id, kept.lessons, kept.distinct_lessons, "
    ":first_time, kept.whole_course, cast(:asked as jsonb))",
    lambda: _asked_of_catalogue().values,
    parts=(GOALS, COUNTS, BROUGHT),
)
"""What rides along with a finished lesson: all that the game has to know, worked out after it was kept."""
