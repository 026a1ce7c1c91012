"""The facts that badges are earned by: what each counts, and the statement that counts for a learner what is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

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

_OF_LESSON = "game_of_lesson(:user_id, :local_date, :course_id, :attempt_id, {first}, :first_time, {whole}, cast(:asked as jsonb))"
_COUNTS_OF_LESSON = text(f"select {_OF_LESSON.format(first=':first', whole='null')} -> 'counts'")
_LEAGUES = frozenset({"quests", "league_weeks"})
_FRIDAY = 5
"""As `isoweekday` counts."""


class _Counted(NamedTuple):
    """What `game_of_lesson` counts; None where all badges of it are earned. `standing` are lessons, repetitions, lessons with
    the first score that is asked about; `steps` those of the attempt with hints, and with as many tries as are asked about
    first; `days` minutes, questions right at once, days since the last one with a lesson, lessons on the weekend's other day.
    `in_league`: quests and weeks of leagues may count; `courses`: whole courses may.
    """

    standing: list[int] | None
    steps: list[int] | None
    days: list[int | None] | None
    in_league: bool
    courses: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked after a lesson for all badges that are in force. `keys` are the badges of each source, `new_in_a_day` and
    `shortest_gap` the least that any of them wants."""

    asking: Asking
    keys: Mapping[str, frozenset[str]]
    new_in_a_day: int
    shortest_gap: int | None
    sent: str


def counts_of_lesson(fact: LessonCompleted, earned: frozenset[str]) -> dict[Count, int]:
    """What a finished lesson can have brought nearer, counted for badges that are not among those `earned`; days of reached
    goals are not among it. No statement if it came along with the fact and nothing rare has to be counted.

    Counted is only what this lesson can have changed: weekends by a weekend's first lesson of a day, returns by one after a
    pause, whole courses by a lesson that is new. Quests and weeks of leagues are closed at night by a job, and what they
    brought is looked at when somebody is back at work.
    """
    asked = _asked_of_catalogue()
    found = _Counted(*known(COUNTS, fact.user_id, lambda: _read(fact, asked)))
    is_open = {source: not keys <= earned for source, keys in asked.keys.items()}
    told: dict[str, Any] = {}
    if found.standing is not None:
        told |= {"standing": found.standing[:2], "scored": found.standing[2:]}
    if found.steps is not None:
        told |= {"lesson_steps": found.steps[:1], "tried": found.steps[1:]}
    if found.days is not None and is_open["days"]:
        told["days"] = found.days[:2]
    rare = _rare(fact, found, asked, is_open)
    if rare:
        told |= _count(fact, asked, rare)
    return asked.asking.read(told)


def _rare(fact: LessonCompleted, found: _Counted, asked: _Asked, is_open: Mapping[str, bool]) -> set[str]:
    """The sources that this lesson can have changed and that are counted by a statement of their own."""
    values = asked.asking.values
    rare = set()
    if found.standing is not None and len(values["scores"]) > 1:
        rare.add("standing")
    if found.steps is not None and len(values["tries"]) > 1:
        rare.add("lesson_steps")
    if fact.day.lessons == 1:
        assert found.days is not None
        _, _, pause, other_day = found.days
        if is_open["gaps"] and _may_be_back(pause, asked.shortest_gap, whole_time=is_open["days"]):
            rare.add("gaps")
        if is_open["weekends"] and fact.local_date.isoweekday() > _FRIDAY and other_day:
            rare.add("weekends")
    if found.courses:
        rare.add("courses")
    if fact.first_time and is_open["new_in_a_day"] and fact.day.distinct_lessons >= asked.new_in_a_day:
        rare.add("new_in_a_day")
    return rare | _LEAGUES if found.in_league else rare


def _may_be_back(pause: int | None, shortest: int | None, *, whole_time: bool) -> bool:
    """Whether this may be a return after a pause of so many days: where none was seen there was no day before, if the
    `whole_time` was looked at; else it is longer than that."""
    if shortest is None:
        return False
    return not whole_time if pause is None else pause > shortest


def _count(fact: LessonCompleted, asked: _Asked, sources: set[str]) -> dict[str, Any]:
    whose = {"user_id": fact.user_id, "attempt_id": fact.attempt_id, "day": fact.local_date}
    [[told]] = send(_COUNTS, {**asked.asking.values, **whose, "sources": sorted(sources)})
    return told  # type: ignore[no-any-return]


def _read(fact: LessonCompleted, asked: _Asked) -> Any:
    values = {
        "user_id": fact.user_id,
        "attempt_id": fact.attempt_id,
        "course_id": fact.course_id,
        "local_date": fact.local_date,
        "first": fact.day.lessons == 1,
        "first_time": fact.first_time,
        "asked": asked.sent,
    }
    [[told]] = send(_COUNTS_OF_LESSON, values)
    return told


_of_catalogue: list[tuple[tuple[Badge, ...], _Asked]] = []


def _asked_of_catalogue() -> _Asked:
    """How to ask for all badges that are in force."""
    if not _of_catalogue or _of_catalogue[0][0] is not badges():
        _of_catalogue[:] = [(badges(), _asking_for(badges()))]
    return _of_catalogue[0][1]


def _asking_for(catalogue: tuple[Badge, ...]) -> _Asked:
    wanted = [(badge, fact_of(badge.count).source) for badge in catalogue if fact_of(badge.count).source]
    how = asking(tuple(dict.fromkeys(badge.count for badge, _ in wanted)))
    keys: dict[str, list[str]] = {source: [] for source in (*SOURCES, "leagues")}
    for badge, source in wanted:
        keys["leagues" if source in _LEAGUES else source].append(badge.key)
    least = (badge.at_least for badge, source in wanted if source == "new_in_a_day")
    sent: dict[str, Any] = {
        name: keys[name] for name in ("standing", "lesson_steps", "days", "leagues", "courses")
    }
    sent |= {"score": next(iter(how.values["scores"]), None), "tries": next(iter(how.values["tries"]), None)}
    return _Asked(
        asking=how,
        keys={source: frozenset(names) for source, names in keys.items()},
        new_in_a_day=min(least, default=1),
        shortest_gap=min(how.values["gaps"], default=None),
        sent=orjson.dumps(sent).decode(),
    )


GAME_RIDER = Rider(
    GAME,
    _OF_LESSON.format(first="kept.lessons = 1", whole="kept.whole_course"),
    lambda: {"asked": _asked_of_catalogue().sent},
    parts=(GOALS, COUNTS, BROUGHT),
)
"""What rides along with a finished lesson: all that the game has to know, worked out after it was kept."""
