"""What courses, lessons, steps and their wordings are called, wherever they have been loaded."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from codyverse.archives.numbers import CONTENT
from codyverse.core.database import session
from codyverse.courses.models import Course, Lesson, Step, StepRevision

Keys = tuple[str, ...]
_QUERIES: dict[str, Any] = {
    "courses": (select(Course.id, Course.title, Course.key), Course.id),
    "lessons": (
        select(Lesson.id, Lesson.title, Course.key, Lesson.key).join(Course, Course.id == Lesson.course_id),
        Lesson.id,
    ),
    "steps": (
        select(Step.id, StepRevision.title, Course.key, Lesson.key, Step.key)
        .join(Lesson, Lesson.id == Step.lesson_id)
        .join(Course, Course.id == Lesson.course_id)
        .outerjoin(StepRevision, StepRevision.id == Step.revision_id),
        Step.id,
    ),
    "step_revisions": (
        select(StepRevision.id, StepRevision.title, Course.key, Lesson.key, Step.key, StepRevision.digest)
        .join(Step, Step.id == StepRevision.step_id)
        .join(Lesson, Lesson.id == Step.lesson_id)
        .join(Course, Course.id == Lesson.course_id),
        StepRevision.id,
    ),
}


def names(table: str, ids: Collection[int]) -> dict[int, tuple[Keys, str]]:
    """Id → its keys from the course down, and its title."""
    query, column = _QUERIES[table]
    return {row[0]: (tuple(row[2:]), row[1] or "") for row in session.execute(query.where(column.in_(ids)))}


def places(courses: Collection[str]) -> dict[str, dict[Keys, int]]:
    """Table → keys → id, of these courses here."""
    return {
        table: {
            tuple(row[2:]): row[0]
            for row in session.execute(_QUERIES[table][0].where(Course.key.in_(courses)))
        }
        for table in CONTENT
    }


def present_wording(step_id: int) -> int | None:
    """The revision that the step shows now."""
    found = session.execute(select(Step.revision_id).where(Step.id == step_id)).scalar_one_or_none()
    return None if found is None else int(found)
