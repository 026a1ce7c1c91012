"""What can be studied, and by which rules: everything that a story needs to know, read once."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from codyverse.core.database import session
from codyverse.courses.exercises.solving import right_answer, wrong_answer
from codyverse.gamification.badge_catalogue import Badge, badges
from codyverse.gamification.numbers import numbers
from codyverse.gamification.rules import GameNumbers
from codyverse.stories.rows import line, told

_LESSONS = text("""
    select lesson.id, lesson.course_id, lesson.title, lesson.difficulty, lesson.minutes,
           jsonb_agg(jsonb_build_array(step.id, revision.id, step.position, revision.exercise) order by step.position)
               as steps
    from lessons as lesson
    join modules as module on module.id = lesson.module_id and module.retired_at is null
    join courses as course on course.id = lesson.course_id and course.retired_at is null
    join steps as step on step.lesson_id = lesson.id and step.retired_at is null
    join step_revisions as revision on revision.id = step.revision_id
    where lesson.retired_at is null
    group by lesson.id, course.position, course.id, module.position, module.id
    order by course.position, course.id, module.position, module.id, lesson.position, lesson.id
""")


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it is now, with its part of rows, written for COPY.

    `pin` of an attempt's step; `right` of a right answer at the first try, `second` at the second, `wrong` of a wrong
    one before it; empty if it asks nothing.
    """

    id: int
    asks: bool
    pin: str
    right: str = ""
    second: str = ""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson that is offered, with its steps in order."""

    id: int
    course_id: int
    title: str
    difficulty: str
    minutes: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """All lessons that are offered, in the order of the catalogue; how many each course has; the rules in force."""

    lessons: tuple[Lesson, ...]
    of_course: dict[int, int]
    numbers: GameNumbers
    badges: tuple[Badge, ...]


def read_library() -> Library:
    """As it is now. One statement."""
    lessons = tuple(_lesson(row) for row in session.connection().execute(_LESSONS))
    of_course: dict[int, int] = {}
    for lesson in lessons:
        of_course[lesson.course_id] = of_course.get(lesson.course_id, 0) + 1
    return Library(lessons, of_course, numbers(), badges())


def _lesson(row: Any) -> Lesson:
    steps = tuple(_step(*each) for each in row.steps)
    return Lesson(row.id, row.course_id, row.title, row.difficulty, row.minutes, steps)


def _step(step_id: int, revision_id: int, position: int, exercise: dict[str, Any] | None) -> Step:
    pin = line((step_id, revision_id, position, exercise is not None))
    if exercise is None:
        return Step(step_id, False, pin)
    head = line((step_id, revision_id))
    right, wrong = (told(json.dumps(make(exercise))) for make in (right_answer, wrong_answer))
    answers = [f"{head}\t{answer}\t0" for answer in (f"1\t{right}\tt", f"2\t{right}\tt", f"1\t{wrong}\tf")]
    return Step(step_id, True, pin, *answers)
