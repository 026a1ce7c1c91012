"""Small courses and learners at work, for the tests of study and of the game: all through the real services."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from codyverse.core.database import session, unit_of_work
from codyverse.courses.authoring.tree import (
    ChoiceBody,
    CourseSource,
    ExerciseSource,
    LessonSource,
    ModuleSource,
    OptionSource,
    StepSource,
)
from codyverse.courses.exercises.ids import public_id
from codyverse.courses.models import Course, Lesson, StepRevision
from codyverse.courses.services import apply_course
from codyverse.progress import services
from codyverse.progress.models import Attempt, AttemptStep

_numbers = itertools.count(1)
NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """A lesson to be made: so many steps that teach, then so many that ask (a choice of right and wrong, two hints)."""

    asks: int = 5
    teaches: int = 1
    difficulty: str = "beginner"
    minutes: int = 10
    key: str = ""


def choice(key: str, text: str = "Which one?") -> StepSource:
    options = (
        OptionSource("right", "This one", True, "It is."),
        OptionSource("wrong", "That one", False, "It is not."),
        OptionSource("worse", "None", False, "One is."),
    )
    body = ChoiceBody(options)
    hints = ("Look closer.", "It is the first.")
    exercise = ExerciseSource("choice", 1, "Right, because.", "Wrong, because.", body, hints)
    return StepSource(key, f"Question {key}", ("skill",), text, 1, exercise)


def course_source(key: str, *plans: Plan, text: str = "Which one?") -> CourseSource:
    lessons = []
    for number, plan in enumerate(plans, start=1):
        name = plan.key or f"lesson-{number}"
        teaching = [
            StepSource(f"teach-{n}", f"Teaching {n}", ("skill",), "Text.", 1, None)
            for n in range(1, plan.teaches + 1)
        ]
        asking = [choice(f"ask-{n}", text) for n in range(1, plan.asks + 1)]
        steps = (*teaching, *asking)
        told = (name, f"Lesson {number}", "A summary.", "A goal.", plan.difficulty, plan.minutes)
        lessons.append(LessonSource(*told, steps, f"{name}.md"))
    module = ModuleSource("module", "Module", "A module.", tuple(lessons), "module")
    return CourseSource(
        key, f"Course {key}", "A summary.", "beginner", {"skill": "Skill"}, "", (module,), key
    )


def make_course(*plans: Plan, key: str | None = None, text: str = "Which one?") -> list[int]:
    """A course, committed; the ids of its lessons in order. The same key again changes that course."""
    number = next(_numbers)
    slug = key or f"course-{number}"
    with unit_of_work():
        apply_course(course_source(slug, *plans, text=text), number)
    found = (
        select(Lesson.id)
        .join(Course, Course.id == Lesson.course_id)
        .where(Course.key == slug, Lesson.retired_at.is_(None))
        .order_by(Lesson.position)
    )
    return list(session.scalars(found))


@dataclass(frozen=True)
class Pinned:
    """A step of an attempt as the tests need it."""

    step_id: int
    asks: bool
    right: Any
    wrong: Any


def steps_of(attempt_id: int) -> list[Pinned]:
    """The steps of an attempt, with what a learner would have to send to be right or wrong."""
    rows = session.execute(
        select(AttemptStep.step_id, AttemptStep.asks, StepRevision.exercise, Attempt.seed)
        .join(StepRevision, StepRevision.id == AttemptStep.revision_id)
        .join(Attempt, Attempt.id == AttemptStep.attempt_id)
        .where(AttemptStep.attempt_id == attempt_id)
        .order_by(AttemptStep.position)
    ).all()
    return [
        Pinned(row.step_id, row.asks, *(_given(row, name) for name in ("right", "wrong"))) for row in rows
    ]


def _given(row: Any, name: str) -> str | None:
    return public_id(row.exercise, row.seed.to_bytes(8, "big"), name) if row.asks else None


def asking(attempt_id: int) -> list[Pinned]:
    return [step for step in steps_of(attempt_id) if step.asks]


def start(user_id: int, lesson_id: int) -> int:
    with unit_of_work():
        return services.start_attempt(user_id, lesson_id)


def answer(user_id: int, attempt_id: int, step: Pinned, *, right: bool = True, try_no: int = 1) -> Any:
    with unit_of_work():
        return services.answer_step(
            user_id, attempt_id, step.step_id, try_no, step.right if right else step.wrong
        )


def answer_all(user_id: int, attempt_id: int, *, wrong: int = 0) -> None:
    """Answer every asking step once, the first `wrong` of them wrongly."""
    for number, step in enumerate(asking(attempt_id)):
        answer(user_id, attempt_id, step, right=number >= wrong)


def complete(user_id: int, attempt_id: int) -> None:
    with unit_of_work():
        services.complete_attempt(user_id, attempt_id)


def do_lesson(user_id: int, lesson_id: int, *, wrong: int = 0) -> int:
    """A whole lesson, from start to completion; the attempt's id."""
    attempt_id = start(user_id, lesson_id)
    answer_all(user_id, attempt_id, wrong=wrong)
    complete(user_id, attempt_id)
    return attempt_id
