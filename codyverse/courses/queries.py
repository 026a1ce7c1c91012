"""Reading courses: a few prebuilt statements, the same number however large the courses are.

Retired parts are left out of what is offered; what an open attempt has pinned stays readable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import and_, bindparam, case, func, or_, select, true, tuple_

from codyverse.core.cache import kept_many
from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.courses.models import DIFFICULTIES, Course, Lesson, Module, Step, StepRevision
from codyverse.courses.versions import kept_of_content


@dataclass(frozen=True, slots=True)
class CourseCard:
    """A course in the catalogue. `minutes` is the sum of its lessons' estimates."""

    id: int
    slug: str
    title: str
    summary: str
    difficulty: str
    lessons: int
    minutes: int


@dataclass(frozen=True, slots=True)
class LessonItem:
    """A lesson in an outline: how many steps it has, and how many of them ask."""

    id: int
    title: str
    summary: str
    difficulty: str
    minutes: int
    steps: int
    exercises: int


@dataclass(frozen=True, slots=True)
class ModuleOutline:
    """A module with its lessons in order."""

    id: int
    title: str
    summary: str
    lessons: tuple[LessonItem, ...]


@dataclass(frozen=True, slots=True)
class CourseOutline:
    """A course with its modules in order."""

    id: int
    slug: str
    title: str
    summary: str
    difficulty: str
    description_html: str
    modules: tuple[ModuleOutline, ...]


@dataclass(frozen=True, slots=True)
class LessonDetail:
    """A lesson. `retired`: it is no longer offered, or its module or course is not; an open attempt may be finished."""

    id: int
    title: str
    summary: str
    goal: str
    difficulty: str
    minutes: int
    course_id: int
    course_slug: str
    course_title: str
    module_title: str
    steps: int
    exercises: int
    next_lesson_id: int | None
    next_lesson_title: str | None
    retired: bool


@dataclass(frozen=True, slots=True)
class StepPin:
    """What an attempt pins of a step. `position` counts from 1; `asks` tells an exercise from a teaching step."""

    step_id: int
    revision_id: int
    position: int
    asks: bool


@dataclass(frozen=True, slots=True)
class StepContent:
    """A revision of a step. `exercise` is the compiled exercise with its answer key: never show it as it is."""

    id: int
    step_id: int
    kind: str
    title: str
    body_html: str
    exercise: dict[str, Any] | None
    skills: tuple[str, ...]
    level: int | None


@dataclass(frozen=True, slots=True)
class ReadingStep:
    """What a step shows to somebody who only reads."""

    position: int
    title: str
    body_html: str
    asks: bool


@dataclass(frozen=True, slots=True)
class LessonReading:
    """A lesson and what can be read of it."""

    lesson: LessonDetail
    steps: tuple[ReadingStep, ...]


_ease = case({word: place for place, word in enumerate(DIFFICULTIES)}, value=Course.difficulty)
IN_CATALOGUE_ORDER = (_ease, Course.position, Course.key)
"""The easier courses first; among equally hard ones those from files in their order, then those of the API."""

_module_is_offered = and_(Module.course_id == Course.id, Module.retired_at.is_(None))
_lesson_is_offered = and_(Lesson.module_id == Module.id, Lesson.retired_at.is_(None))

_CATALOGUE = (
    select(
        Course.id,
        Course.key,
        Course.title,
        Course.summary,
        Course.difficulty,
        func.count(Lesson.id),
        func.coalesce(func.sum(Lesson.minutes), 0),
    )
    .outerjoin(Module, _module_is_offered)
    .outerjoin(Lesson, _lesson_is_offered)
    .where(Course.retired_at.is_(None))
    .group_by(Course.id)
    .order_by(*IN_CATALOGUE_ORDER)
)

_COURSE = select(
    Course.id, Course.key, Course.title, Course.summary, Course.difficulty, Course.description_html
).where(Course.key == bindparam("slug"), Course.retired_at.is_(None))

_OUTLINE = (
    select(
        Module.id,
        Module.title,
        Module.summary,
        Lesson.id.label("lesson_id"),
        Lesson.title.label("lesson_title"),
        Lesson.summary.label("lesson_summary"),
        Lesson.difficulty,
        Lesson.minutes,
        func.count(StepRevision.id).label("steps"),
        func.count(StepRevision.exercise).label("exercises"),
    )
    .outerjoin(Lesson, _lesson_is_offered)
    .outerjoin(Step, and_(Step.lesson_id == Lesson.id, Step.retired_at.is_(None)))
    .outerjoin(StepRevision, StepRevision.id == Step.revision_id)
    .where(Module.course_id == bindparam("course_id"), Module.retired_at.is_(None))
    .group_by(Module.id, Lesson.id)
    .order_by(Module.position, Module.id, Lesson.position, Lesson.id)
)

_counts = (
    select(func.count(StepRevision.id).label("steps"), func.count(StepRevision.exercise).label("exercises"))
    .join(Step, Step.revision_id == StepRevision.id)
    .where(Step.lesson_id == Lesson.id, Step.retired_at.is_(None))
    .lateral("counts")
)
_LaterLesson = Lesson.__table__.alias("later_lesson")
_LaterModule = Module.__table__.alias("later_module")
_next = (
    select(_LaterLesson.c.id, _LaterLesson.c.title)
    .join(_LaterModule, _LaterModule.c.id == _LaterLesson.c.module_id)
    .where(
        _LaterLesson.c.course_id == Lesson.course_id,
        _LaterLesson.c.retired_at.is_(None),
        _LaterModule.c.retired_at.is_(None),
        tuple_(_LaterModule.c.position, _LaterModule.c.id, _LaterLesson.c.position, _LaterLesson.c.id)
        > tuple_(Module.position, Module.id, Lesson.position, Lesson.id),
    )
    .order_by(_LaterModule.c.position, _LaterModule.c.id, _LaterLesson.c.position, _LaterLesson.c.id)
    .limit(1)
    .lateral("next")
)
_LESSON = (
    select(
        Lesson.id,
        Lesson.title,
        Lesson.summary,
        Lesson.goal,
        Lesson.difficulty,
        Lesson.minutes,
        Course.id,
        Course.key,
        Course.title,
        Module.title,
        _counts.c.steps,
        _counts.c.exercises,
        _next.c.id,
        _next.c.title,
        or_(Lesson.retired_at.is_not(None), Module.retired_at.is_not(None), Course.retired_at.is_not(None)),
    )
    .join(Module, Module.id == Lesson.module_id)
    .join(Course, Course.id == Lesson.course_id)
    .join(_counts, true())
    .outerjoin(_next, true())
    .where(Lesson.id == bindparam("lesson_id"))
)

_STEPS = (
    select(Step.id, StepRevision.id, Step.position, StepRevision.kind != "teach")
    .join(StepRevision, StepRevision.id == Step.revision_id)
    .where(Step.lesson_id == bindparam("lesson_id"), Step.retired_at.is_(None))
    .order_by(Step.position, Step.id)
)

_REVISIONS = select(
    StepRevision.id,
    StepRevision.step_id,
    StepRevision.kind,
    StepRevision.title,
    StepRevision.body_html,
    StepRevision.exercise,
    StepRevision.skills,
    StepRevision.level,
).where(StepRevision.id.in_(bindparam("ids", expanding=True)))


def catalogue() -> tuple[CourseCard, ...]:
    """All courses that are offered, in their order. Kept until somebody writes courses."""
    return kept_of_content("catalogue", _read_catalogue)


def _read_catalogue() -> tuple[CourseCard, ...]:
    return tuple(CourseCard(*row) for row in session.execute(_CATALOGUE))


def course_outline(slug: str) -> CourseOutline:
    """A course with its modules and lessons. Kept until somebody writes courses. Raises NotFound."""
    return kept_of_content(f"outline:{slug}", lambda: _read_outline(slug))


def _read_outline(slug: str) -> CourseOutline:
    course: Any = session.execute(_COURSE, {"slug": slug}).one_or_none()
    if course is None:
        raise NotFound("There is no such course.", "COURSE_NOT_FOUND")
    rows: Sequence[Any] = session.execute(_OUTLINE, {"course_id": course.id}).all()
    modules = tuple(_module(list(found)) for _, found in groupby(rows, key=lambda row: row.id))
    return CourseOutline(
        id=course.id,
        slug=course.key,
        title=course.title,
        summary=course.summary,
        difficulty=course.difficulty,
        description_html=course.description_html,
        modules=modules,
    )


def _module(rows: Sequence[Any]) -> ModuleOutline:
    """A module from its rows: one per lesson, or a single one without a lesson."""
    lessons = tuple(LessonItem(*row[3:]) for row in rows if row.lesson_id is not None)
    return ModuleOutline(rows[0].id, rows[0].title, rows[0].summary, lessons)


def lesson(lesson_id: int) -> LessonDetail:
    """A lesson, retired or not. Kept until somebody writes courses. Raises NotFound."""
    return kept_of_content(f"lesson:{lesson_id}", lambda: _read_lesson(lesson_id))


def _read_lesson(lesson_id: int) -> LessonDetail:
    row: Any = session.execute(_LESSON, {"lesson_id": lesson_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such lesson.", "LESSON_NOT_FOUND")
    return LessonDetail(*row)


def reading(lesson_id: int) -> LessonReading:
    """A lesson as one page to read, its questions without what is needed to answer them. Kept until somebody writes courses.

    Raises NotFound.
    """
    return kept_of_content(f"reading:{lesson_id}", lambda: _read_reading(lesson_id))


def _read_reading(lesson_id: int) -> LessonReading:
    found = lesson(lesson_id)
    pins = current_steps(lesson_id)
    contents = revisions(pin.revision_id for pin in pins)
    steps = ((pin, contents[pin.revision_id]) for pin in pins)
    return LessonReading(
        found, tuple(ReadingStep(pin.position, each.title, each.body_html, pin.asks) for pin, each in steps)
    )


def current_steps(lesson_id: int) -> tuple[StepPin, ...]:
    """The steps of a lesson as a new attempt pins them, in order; empty for an unknown lesson."""
    return tuple(StepPin(*row) for row in session.execute(_STEPS, {"lesson_id": lesson_id}))


def revisions(ids: Iterable[int]) -> dict[int, StepContent]:
    """Revisions by their ids, current or not, retired or not; unknown ids are left out."""
    return kept_many("static", "revision", ids, _read_revisions)


def _read_revisions(ids: list[int]) -> dict[int, StepContent]:
    """A revision never changes, so that what is kept of it is never wrong."""
    found: Sequence[Any] = session.execute(_REVISIONS, {"ids": ids}).all()
    return {row.id: _content(row) for row in found}


def _content(row: Any) -> StepContent:
    return StepContent(
        id=row.id,
        step_id=row.step_id,
        kind=row.kind,
        title=row.title,
        body_html=row.body_html,
        exercise=row.exercise,
        skills=tuple(row.skills),
        level=row.level,
    )
