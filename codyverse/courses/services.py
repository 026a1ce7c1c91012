"""Loading courses from files: what changed is written, what went is retired, what stayed is not touched.

Ids hang on keys: titles, places and modules may change, and every learner keeps what they have done.
"""

from collections.abc import Collection

from sqlalchemy import select, update

from codyverse.core import clock
from codyverse.core.database import session
from codyverse.courses.authoring.tree import CourseSource
from codyverse.courses.differences import Change, differences
from codyverse.courses.models import Course
from codyverse.courses.writing import read_stored, take_turns, taken, write_course


def plan_course(course: CourseSource, position: int) -> tuple[Change, ...]:
    """What `apply_course` would change, in its order. Writes nothing.

    Raises Conflict when the key belongs to a course that was made over the API.
    """
    return differences(read_stored(course.key, "files"), course, position)


def refuse_taken_keys(keys: Collection[str]) -> None:
    """Raise Conflict when one of the keys belongs to a course that was made over the API; asked before any is loaded."""
    other = session.scalars(select(Course.key).where(Course.origin != "files", Course.key.in_(keys))).first()
    if other is not None:
        raise taken(other, "api")


def apply_course(course: CourseSource, position: int) -> tuple[Change, ...]:
    """Load one course, to stand at `position` in the catalogue; what was changed. A second time changes nothing.

    The source must be free of faults. Waits for another who is loading. Raises Conflict when the key belongs to a
    course that was made over the API.
    """
    take_turns()
    return write_course(course, position, "files")


def plan_retirement(keys: Collection[str]) -> tuple[Change, ...]:
    """What `retire_courses` would change."""
    gone = select(Course.key).where(
        Course.origin == "files", Course.retired_at.is_(None), Course.key.not_in(keys)
    )
    return tuple(Change("retire", "course", (key,), {}) for key in session.scalars(gone.order_by(Course.key)))


def retire_courses(keys: Collection[str]) -> tuple[Change, ...]:
    """Retire every course from files whose key is not among `keys`. Nothing is deleted; a course may come back."""
    take_turns()
    changes = plan_retirement(keys)
    gone = [change.key[0] for change in changes]
    if gone:
        now = clock.now()
        values = {"retired_at": now, "updated_at": now, "version": Course.version + 1}
        session.execute(update(Course).where(Course.key.in_(gone)).values(values))
    return changes
