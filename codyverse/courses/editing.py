"""Courses made over the API: made, replaced, changed, retired. Each write keeps the document as it was sent.

A course is replaced as a whole, from a document with all its modules, lessons and steps. Ids hang on keys as they do for
files, so every learner keeps what they have done, and what is gone from the document is retired, never deleted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from codyverse.core import clock
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound, Stale
from codyverse.courses.authoring.document import read_course
from codyverse.courses.differences import Change
from codyverse.courses.models import Course
from codyverse.courses.rendering import VERSION
from codyverse.courses.writing import take_turns, taken, write_course

POSITION = 10_000
"""Where courses of the API stand among those that are equally hard: after the ones from files, by their keys."""
FIELDS = ("title", "summary", "description", "difficulty", "skills")
"""What `change_course` changes; the rest of a document is replaced as a whole."""


@dataclass(frozen=True, slots=True)
class _Held:
    id: int
    key: str
    origin: str
    version: int
    retired_at: datetime | None


_HELD = select(Course.id, Course.key, Course.origin, Course.version, Course.retired_at)


def create_course(document: Mapping[str, Any]) -> int:
    """Make a course from its document; its id.

    Raises Invalid with every fault of the document by path, and Conflict when the key is taken, also by a course that is
    retired: `replace_course` offers that one again.
    """
    course = read_course(document)
    take_turns()
    row = session.execute(_HELD.where(Course.key == course.key)).one_or_none()
    if row is not None:
        held = _Held(*row)
        if held.origin != "api":
            raise taken(held.key, held.origin)
        raise Conflict(
            f"The key “{held.key}” belongs to the course {held.id} already. Replace that, or choose another key."
        )
    write_course(course, POSITION, "api", source=dict(document))
    return session.execute(select(Course.id).where(Course.key == course.key)).scalar_one()


def replace_course(
    course_id: int, document: Mapping[str, Any], expected: Collection[int] | None = None
) -> tuple[Change, ...]:
    """Make the course what the document says; what was changed. The same document again changes nothing.

    A retired course is offered again. Raises Invalid as `create_course` does and when the key is another one, NotFound,
    Conflict for a course that is kept in files, and Stale when `expected` is given and the course's version is not in it.
    """
    course = read_course(document)
    held = _hold(course_id, expected)
    if course.key != held.key:
        raise Invalid(
            {"key": [f"the key of a course never changes, for progress hangs on it; it is `{held.key}`"]}
        )
    return write_course(course, POSITION, "api", source=dict(document))


def change_course(
    course_id: int, fields: Mapping[str, Any], expected: Collection[int] | None = None
) -> tuple[Change, ...]:
    """Change some of the course's own fields (`FIELDS`) and leave its modules; what was changed.

    Raises as `replace_course` does, for the course as it would then be; NotFound also for a retired course.
    """
    strange = {
        name: ["this cannot be changed alone; replace the course"] for name in fields if name not in FIELDS
    }
    if strange:
        raise Invalid(strange)
    held = _hold(course_id, expected)
    if held.retired_at is not None:
        raise _unknown()
    source = session.execute(select(Course.source).where(Course.id == course_id)).scalar_one()
    document = {**(source or {}), **fields}
    return write_course(read_course(document), POSITION, "api", source=document)


def retire_course(course_id: int, expected: Collection[int] | None = None) -> bool:
    """Offer the course no longer; whether it was offered. Again is harmless, so that a lost answer may be asked anew.

    What learners have done stays, and open attempts may be finished. Raises NotFound, Conflict for a course that is kept
    in files, and Stale as `replace_course` does, but never for a course that is retired already.
    """
    held = _hold(course_id, None)
    if held.retired_at is not None:
        return False
    _refuse_stale(held, expected)
    now = clock.now()
    values = {"retired_at": now, "updated_at": now, "version": Course.version + 1}
    session.execute(update(Course).where(Course.id == held.id).values(values))
    return True


def documents(keys: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """The documents of the courses of the API that are offered, by key: all, or those named. Raises NotFound for others."""
    offered = select(Course.key, Course.source).where(Course.origin == "api", Course.retired_at.is_(None))
    found = {row.key: dict(row.source or {}) for row in session.execute(offered.order_by(Course.key))}
    if unknown := sorted(set(keys) - found.keys()):
        raise NotFound(
            f"No course of the API that is offered has the key {', '.join(unknown)}.", "COURSE_NOT_FOUND"
        )
    return {key: document for key, document in found.items() if not keys or key in keys}


def render_again() -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Bring courses that an older version rendered to how this one renders; what was changed, and which could not be.

    One whose document breaks a rule that is new stays as it is. Again changes nothing.
    """
    take_turns()
    older = select(Course.key, Course.source).where(
        Course.origin == "api", Course.retired_at.is_(None), Course.digest.not_like(f"{VERSION}:%")
    )
    changes: list[Change] = []
    refused: list[str] = []
    for key, document in session.execute(older.order_by(Course.key)).all():
        try:
            changes += write_course(read_course(document), POSITION, "api")
        except Invalid:
            refused.append(key)
    return tuple(changes), tuple(refused)


def _hold(course_id: int, expected: Collection[int] | None) -> _Held:
    """The course, which nobody else writes until the transaction's end."""
    take_turns()
    row = session.execute(_HELD.where(Course.id == course_id)).one_or_none()
    if row is None:
        raise _unknown()
    held = _Held(*row)
    if held.origin != "api":
        raise taken(held.key, held.origin)
    _refuse_stale(held, expected)
    return held


def _unknown() -> NotFound:
    return NotFound("There is no such course.", "COURSE_NOT_FOUND")


def _refuse_stale(held: _Held, expected: Collection[int] | None) -> None:
    if expected is not None and held.version not in expected:
        raise Stale("Somebody else has changed this course meanwhile. Read it again and redo your change.")
