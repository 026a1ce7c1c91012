"""Reads about study: what is open or done, where to go on, study days. The player's reads stand in `player.py`."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, literal, null, or_, select, true, union_all

from codyverse.core.asking import ask, ask_one
from codyverse.courses.models import Course, Lesson, Module
from codyverse.progress.models import ActivityDay, Attempt, AttemptStep, LessonProgress
from codyverse.progress.player import (
    Completion,
    PlayerView,
    StepDot,
    StepOutcome,
    StepView,
    Where,
    WholeAttempt,
    after_step,
    at_place,
    at_step,
    completion,
    player,
    player_in,
    whole_attempt,
)
from codyverse.progress.statements import OPEN_ATTEMPT

__all__ = [
    "Completion",
    "Continue",
    "CourseWork",
    "Day",
    "LessonState",
    "PlayerView",
    "StepDot",
    "StepOutcome",
    "StepView",
    "Where",
    "WholeAttempt",
    "activity",
    "after_step",
    "at_place",
    "at_step",
    "completion",
    "continue_in",
    "continue_with",
    "course_progress",
    "course_work",
    "lesson_states",
    "open_attempt_id",
    "player",
    "player_in",
    "progress_in",
    "whole_attempt",
]


@dataclass(frozen=True, slots=True)
class LessonState:
    """Where a learner stands with a lesson: new, open or done (done stays done while it is done again)."""

    state: str
    best_score: Decimal | None


@dataclass(frozen=True, slots=True)
class Continue:
    """Where to go on: an open attempt with `steps_done` of `steps`, or a lesson not yet begun (attempt None)."""

    lesson_id: int
    lesson_title: str
    course_slug: str
    course_title: str
    minutes: int
    attempt_id: int | None
    steps_done: int
    steps: int


@dataclass(frozen=True, slots=True)
class Day:
    """What a learner did on one local day; XP is lesson XP only."""

    date: date
    lessons: int
    answers: int
    correct: int
    seconds: int
    xp: int


@dataclass(frozen=True, slots=True)
class CourseWork:
    """What a learner did in one course: finished lessons (repeats included), their study time, right at once of asked."""

    course_id: int
    slug: str
    title: str
    lessons: int
    seconds: int
    right: int
    asked: int


def open_attempt_id(user_id: int, lesson_id: int) -> int | None:
    """The learner's open attempt at this lesson, if there is one."""
    found = ask_one(OPEN_ATTEMPT, {"user_id": user_id, "lesson_id": lesson_id})
    return None if found is None else int(found.id)


_OPEN = and_(
    Attempt.user_id == bindparam("user_id"), Attempt.lesson_id == Lesson.id, Attempt.completed_at.is_(None)
)
_DONE = and_(LessonProgress.user_id == bindparam("user_id"), LessonProgress.lesson_id == Lesson.id)
_STATES = (
    select(Lesson.id, LessonProgress.best_score, Attempt.id.label("attempt_id"))
    .select_from(Lesson)
    .outerjoin(LessonProgress, _DONE)
    .outerjoin(Attempt, _OPEN)
    .where(
        Lesson.course_id == bindparam("course_id"),
        Lesson.retired_at.is_(None),
        or_(LessonProgress.user_id.is_not(None), Attempt.id.is_not(None)),
    )
)


def lesson_states(user_id: int, course_id: int) -> dict[int, LessonState]:
    """The learner's standing with each lesson of a course that is begun or done; lessons that are new are left out."""
    rows = ask(_STATES, {"user_id": user_id, "course_id": course_id})
    return {row.id: LessonState("open" if row.best_score is None else "done", row.best_score) for row in rows}


_COUNTED = (
    select(func.count().label("steps"), func.count().filter(AttemptStep.done_at.is_not(None)).label("done"))
    .where(AttemptStep.attempt_id == Attempt.id)
    .lateral("counted")
)
_LESSON_COLUMNS = (
    Lesson.id,
    Lesson.title,
    Course.key,
    Course.title.label("course_title"),
    Lesson.minutes,
)
_OPEN_LESSON = (
    select(*_LESSON_COLUMNS, Attempt.id.label("attempt_id"), _COUNTED.c.done, _COUNTED.c.steps)
    .select_from(Attempt)
    .join(Lesson, Lesson.id == Attempt.lesson_id)
    .join(Course, Course.id == Lesson.course_id)
    .join(_COUNTED, _COUNTED.c.steps > 0)
    .where(Attempt.user_id == bindparam("user_id"), Attempt.completed_at.is_(None))
    .order_by(Attempt.last_event_at.desc(), Attempt.id.desc())
    .limit(1)
)
_WORKED_ON = (
    select(Lesson.course_id, func.max(LessonProgress.last_completed_at).label("last_done"))
    .join(Lesson, Lesson.id == LessonProgress.lesson_id)
    .where(LessonProgress.user_id == bindparam("user_id"))
    .group_by(Lesson.course_id)
    .subquery("worked_on")
)
"""Reckoned once: asked for each lesson that may come next, it would be all that was ever done, times all lessons."""
_NEXT_LESSON = (
    select(*_LESSON_COLUMNS)
    .select_from(Lesson)
    .join(Module, Module.id == Lesson.module_id)
    .join(Course, Course.id == Lesson.course_id)
    .outerjoin(LessonProgress, _DONE)
    .outerjoin(_WORKED_ON, _WORKED_ON.c.course_id == Course.id)
    .where(
        LessonProgress.user_id.is_(None),
        Lesson.retired_at.is_(None),
        Module.retired_at.is_(None),
        Course.retired_at.is_(None),
    )
    .order_by(
        _WORKED_ON.c.last_done.desc().nulls_last(),
        Course.position,
        Course.key,
        Module.position,
        Lesson.position,
        Lesson.id,
    )
    .limit(1)
)
_HAS_OPEN = exists(select(literal(1)).select_from(_OPEN_LESSON.subquery("open_lesson")))
_CONTINUE = union_all(
    select(_OPEN_LESSON.subquery("open_one")),
    select(_NEXT_LESSON.where(~_HAS_OPEN).subquery("next_one"), null(), literal(0), literal(0)),
)


def continue_in(told: list[Any] | None) -> Continue | None:
    """From the column `resume` of `own_page`, a function of the database: an array of the same columns as below."""
    return None if told is None else Continue(*told)


def continue_with(user_id: int) -> Continue | None:
    """Where to go on: the attempt that was touched last, else the next lesson of the course that was worked on last.

    For somebody new it is the first lesson of the first course; None when everything is finished. One statement; what
    comes next is looked for only when nothing is open.
    """
    row = ask_one(_CONTINUE, {"user_id": user_id})
    return None if row is None else Continue(*row)


_COURSE_PROGRESS = (
    select(Lesson.course_id, func.count())
    .join(LessonProgress, LessonProgress.lesson_id == Lesson.id)
    .where(LessonProgress.user_id == bindparam("user_id"), Lesson.retired_at.is_(None))
    .group_by(Lesson.course_id)
)


def progress_in(told: list[Any] | None) -> dict[int, int]:
    """From its column `course_progress`: of each course the id, and how many lessons."""
    return dict(told or ())


def course_progress(user_id: int) -> dict[int, int]:
    """How many lessons that are still offered the learner has finished, by course; courses without one are left out."""
    rows = ask(_COURSE_PROGRESS, {"user_id": user_id})
    return {row[0]: row[1] for row in rows}


_ACTIVITY = (
    select(
        ActivityDay.local_date,
        ActivityDay.lessons,
        ActivityDay.answers,
        ActivityDay.correct,
        ActivityDay.seconds,
        ActivityDay.xp,
    )
    .where(
        ActivityDay.user_id == bindparam("user_id"),
        ActivityDay.local_date.between(bindparam("since"), bindparam("until")),
    )
    .order_by(ActivityDay.local_date)
)


def activity(user_id: int, since: date, until: date) -> tuple[Day, ...]:
    """The learner's study days from `since` to `until`, both included, oldest first; days without study are left out."""
    values = {"user_id": user_id, "since": since, "until": until}
    return tuple(Day(*row) for row in ask(_ACTIVITY, values))


_WEEK = timedelta(days=7)
_ASKED = (
    select(
        func.count().label("asked"),
        func.count().filter(AttemptStep.first_correct.is_(True)).label("right"),
    )
    .where(AttemptStep.attempt_id == Attempt.id, AttemptStep.asks)
    .lateral("asked")
)
_COURSE_WORK = (
    select(
        Course.id,
        Course.key,
        Course.title,
        func.count(),
        func.sum(Attempt.seconds),
        func.sum(_ASKED.c.right),
        func.sum(_ASKED.c.asked),
    )
    .select_from(Attempt)
    .join(Lesson, Lesson.id == Attempt.lesson_id)
    .join(Course, Course.id == Lesson.course_id)
    .join(_ASKED, true())
    .where(
        Attempt.user_id == bindparam("user_id"),
        Attempt.completed_at.between(bindparam("from"), bindparam("to")),
        Attempt.local_date.between(bindparam("since"), bindparam("until")),
    )
    .group_by(Course.id)
    .order_by(Course.position, Course.id)
)


def course_work(user_id: int, since: date, until: date) -> tuple[CourseWork, ...]:
    """What the learner finished from `since` to `until`, both included, by course; courses without any are left out.

    The learner's dates decide. The moments only lead to the few rows by their index: no date is a week away from its own.
    """
    first, last = (datetime.combine(each, time(), UTC) for each in (since, until))
    values = {"user_id": user_id, "since": since, "until": until, "from": first - _WEEK, "to": last + _WEEK}
    rows = ask(_COURSE_WORK, values)
    return tuple(CourseWork(*row[:4], *(int(number) for number in row[4:])) for row in rows)
