"""Courses as a client of the API reads them: page by page, by id, with the keys that an author needs.

Nothing of an exercise's answer key is in here, except in `course_source`, which is for those who may write the course.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select

from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.courses.models import Course, Lesson, Module, Step, StepRevision
from codyverse.courses.queries import IN_CATALOGUE_ORDER, LessonDetail, lesson


@dataclass(frozen=True, slots=True)
class CourseEntry:
    """A course in the list. `minutes` is the sum of its lessons' estimates; `version` is raised by each write."""

    id: int
    key: str
    origin: str
    title: str
    summary: str
    difficulty: str
    lessons: int
    minutes: int
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LessonEntry:
    """A lesson in a list: how many steps it has, and how many of them ask."""

    id: int
    key: str
    module_id: int
    title: str
    summary: str
    goal: str
    difficulty: str
    minutes: int
    steps: int
    exercises: int


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """A module with its lessons in order."""

    id: int
    key: str
    title: str
    summary: str
    lessons: tuple[LessonEntry, ...]


@dataclass(frozen=True, slots=True)
class CourseDetail:
    """A course with its modules in order. `skills` are names by keys."""

    id: int
    key: str
    origin: str
    title: str
    summary: str
    difficulty: str
    description_html: str
    skills: dict[str, str]
    version: int
    updated_at: datetime
    retired: bool
    modules: tuple[ModuleEntry, ...]


@dataclass(frozen=True, slots=True)
class StepEntry:
    """A step as a lesson lists it, without what it says. `kind` is `teach` or the kind of its exercise."""

    id: int
    key: str
    position: int
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class LessonView:
    """A lesson and its steps in order, with the version of its course; open attempts may have pinned other steps."""

    lesson: LessonDetail
    module_id: int
    key: str
    steps: tuple[StepEntry, ...]
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CoursePage:
    """A part of the catalogue, and how long the whole is."""

    items: tuple[CourseEntry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class LessonPage:
    """A part of a course's lessons, and how many there are in all."""

    items: tuple[LessonEntry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class CourseSourceView:
    """The document of a course as it was sent, and the version that it makes up."""

    document: dict[str, Any]
    version: int
    updated_at: datetime


_LESSONS = (
    select(
        Lesson.id,
        Lesson.key,
        Lesson.module_id,
        Lesson.title,
        Lesson.summary,
        Lesson.goal,
        Lesson.difficulty,
        Lesson.minutes,
        func.count(StepRevision.id),
        func.count(StepRevision.exercise),
    )
    .join(Module, Module.id == Lesson.module_id)
    .outerjoin(Step, (Step.lesson_id == Lesson.id) & Step.retired_at.is_(None))
    .outerjoin(StepRevision, StepRevision.id == Step.revision_id)
    .where(Lesson.retired_at.is_(None), Module.retired_at.is_(None))
    .group_by(Lesson.id, Module.id)
    .order_by(Module.position, Module.id, Lesson.position, Lesson.id)
)

_COURSES = (
    select(
        Course.id,
        Course.key,
        Course.origin,
        Course.title,
        Course.summary,
        Course.difficulty,
        func.count(Lesson.id),
        func.coalesce(func.sum(Lesson.minutes), 0),
        Course.version,
        Course.updated_at,
    )
    .outerjoin(Module, and_(Module.course_id == Course.id, Module.retired_at.is_(None)))
    .outerjoin(Lesson, and_(Lesson.module_id == Module.id, Lesson.retired_at.is_(None)))
    .where(Course.retired_at.is_(None))
    .group_by(Course.id)
    .order_by(*IN_CATALOGUE_ORDER)
)


def courses_page(page: int, per_page: int) -> CoursePage:
    """The courses that are offered, in the catalogue's order. `page` counts from 1; past the end it is empty."""
    rows: Sequence[Any] = session.execute(_COURSES.limit(per_page).offset((page - 1) * per_page)).all()
    total = session.scalar(select(func.count()).select_from(Course).where(Course.retired_at.is_(None)))
    return CoursePage(tuple(CourseEntry(*row) for row in rows), total or 0)


def course_detail(course_id: int, *, even_retired: bool = False) -> CourseDetail:
    """A course with its modules and lessons. Raises NotFound, also when it is retired."""
    row: Any = session.execute(
        select(
            Course.id,
            Course.key,
            Course.origin,
            Course.title,
            Course.summary,
            Course.difficulty,
            Course.description_html,
            Course.skills,
            Course.version,
            Course.updated_at,
            Course.retired_at.is_not(None).label("retired"),
        ).where(Course.id == course_id)
    ).one_or_none()
    if row is None or (row.retired and not even_retired):
        raise _no_course()
    return CourseDetail(**row._mapping, modules=_modules(course_id))


def _no_course() -> NotFound:
    return NotFound("There is no such course.", "COURSE_NOT_FOUND")


def _modules(course_id: int) -> tuple[ModuleEntry, ...]:
    lessons: dict[int, list[LessonEntry]] = {}
    for entry in _lessons(_LESSONS.where(Lesson.course_id == course_id)):
        lessons.setdefault(entry.module_id, []).append(entry)
    rows: Sequence[Any] = session.execute(
        select(Module.id, Module.key, Module.title, Module.summary)
        .where(Module.course_id == course_id, Module.retired_at.is_(None))
        .order_by(Module.position, Module.id)
    ).all()
    return tuple(ModuleEntry(**row._mapping, lessons=tuple(lessons.get(row.id, ()))) for row in rows)


def _lessons(statement: Select[*tuple[Any, ...]]) -> tuple[LessonEntry, ...]:
    return tuple(LessonEntry(*row) for row in session.execute(statement))


def lessons_page(course_id: int, module_id: int | None, page: int, per_page: int) -> LessonPage:
    """The lessons of a course in order, of one module if it is named; one that is not in the course has none.

    Raises NotFound for a course that is unknown or retired.
    """
    offered = select(Course.id).where(Course.id == course_id, Course.retired_at.is_(None))
    if session.scalar(offered) is None:
        raise _no_course()
    wanted = [Lesson.course_id == course_id]
    if module_id is not None:
        wanted.append(Lesson.module_id == module_id)
    part = _LESSONS.where(*wanted).limit(per_page).offset((page - 1) * per_page)
    counted = (
        select(func.count())
        .select_from(Lesson)
        .join(Module, Module.id == Lesson.module_id)
        .where(Lesson.retired_at.is_(None), Module.retired_at.is_(None), *wanted)
    )
    return LessonPage(_lessons(part), session.scalar(counted) or 0)


def lesson_view(lesson_id: int) -> LessonView:
    """A lesson with the steps that a new attempt would have. Raises NotFound, also when it is no longer offered."""
    found = lesson(lesson_id)
    if found.retired:
        raise NotFound("This lesson is no longer offered.", "LESSON_NOT_FOUND")
    row: Any = session.execute(
        select(Lesson.module_id, Lesson.key, Course.version, Course.updated_at)
        .join(Course, Course.id == Lesson.course_id)
        .where(Lesson.id == lesson_id)
    ).one()
    steps = session.execute(
        select(Step.id, Step.key, func.row_number().over(order_by=(Step.position, Step.id)))
        .add_columns(StepRevision.title, StepRevision.kind)
        .join(StepRevision, StepRevision.id == Step.revision_id)
        .where(Step.lesson_id == lesson_id, Step.retired_at.is_(None))
        .order_by(Step.position, Step.id)
    )
    entries = tuple(StepEntry(*step) for step in steps)
    return LessonView(found, row[0], row[1], entries, row[2], row[3])


def course_source(course_id: int) -> CourseSourceView:
    """The document of a course that was made over the API, retired or not: with its answers, for authors only.

    Raises NotFound, also for a course that is kept in files.
    """
    row: Any = session.execute(
        select(Course.source, Course.version, Course.updated_at, Course.origin).where(Course.id == course_id)
    ).one_or_none()
    if row is None:
        raise _no_course()
    if row.source is None:
        raise NotFound("This course is kept in files; there it can be read and changed.")
    return CourseSourceView(row.source, row.version, row.updated_at)
