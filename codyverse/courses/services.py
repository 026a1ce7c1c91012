"""Loading courses: what changed is written, what went is retired, what stayed is not touched.

Ids hang on keys: titles, places and modules may change, and every learner keeps what they have done.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Table, insert, null, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from codyverse.core import clock
from codyverse.core.database import Base, session
from codyverse.core.errors import Conflict
from codyverse.core.events import publish
from codyverse.courses.authoring.tree import CourseSource
from codyverse.courses.compiling import CompiledStep
from codyverse.courses.differences import Change, Key, Stored, StoredRow, differences
from codyverse.courses.events import LessonsPublished
from codyverse.courses.models import Course, Lesson, Module, Step, StepRevision

APPLY_LOCK = 0x436F6479_01
"""Advisory lock: two who load courses at once take turns, and the second finds nothing to do."""

_MODELS: dict[str, type[Base]] = {"course": Course, "module": Module, "lesson": Lesson, "step": Step}


def plan_course(course: CourseSource, position: int) -> tuple[Change, ...]:
    """What `apply_course` would change, in its order. Writes nothing.

    Raises Conflict when the key belongs to a course that was made over the API.
    """
    return differences(_stored(course.key), course, position)


def refuse_taken_keys(keys: Collection[str]) -> None:
    """Raise Conflict when one of the keys belongs to a course that was made over the API; asked before any is loaded."""
    taken = session.scalars(select(Course.key).where(Course.origin != "files", Course.key.in_(keys))).first()
    if taken is not None:
        raise _taken(taken)


def _taken(key: str) -> Conflict:
    return Conflict(
        f"The course “{key}” was made over the API and is kept there. Give the course in the files another key."
    )


def apply_course(course: CourseSource, position: int) -> tuple[Change, ...]:
    """Load one course, to stand at `position` in the catalogue; what was changed. A second time changes nothing.

    The source must be free of faults. Waits for another who is loading. Raises Conflict when the key belongs to a
    course that was made over the API.
    """
    session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": APPLY_LOCK})
    stored = _stored(course.key)
    changes = differences(stored, course, position)
    if changes:
        writer = _Writer(course.key, stored)
        writer.write(changes)
        _publish_new_lessons(course, changes, writer.ids["course", (course.key,)])
    return changes


def _publish_new_lessons(course: CourseSource, changes: tuple[Change, ...], course_id: int) -> None:
    added = [change.what for change in changes if change.action == "add"]
    if lessons := added.count("lesson"):
        publish(LessonsPublished(course_id, course.key, course.title, lessons, "course" in added))


def plan_retirement(keys: Collection[str]) -> tuple[Change, ...]:
    """What `retire_courses` would change."""
    gone = select(Course.key).where(
        Course.origin == "files", Course.retired_at.is_(None), Course.key.not_in(keys)
    )
    return tuple(Change("retire", "course", (key,), {}) for key in session.scalars(gone.order_by(Course.key)))


def retire_courses(keys: Collection[str]) -> tuple[Change, ...]:
    """Retire every course from files whose key is not among `keys`. Nothing is deleted; a course may come back."""
    session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": APPLY_LOCK})
    changes = plan_retirement(keys)
    gone = [change.key[0] for change in changes]
    if gone:
        now = clock.now()
        session.execute(update(Course).where(Course.key.in_(gone)).values(retired_at=now, updated_at=now))
    return changes


def _stored(key: str) -> Stored:
    """The course as it is. Raises Conflict for a course of another origin."""
    course = session.execute(select(Course.__table__).where(Course.key == key)).mappings().one_or_none()
    if course is None:
        return Stored()
    if course["origin"] != "files":
        raise _taken(key)
    modules = (
        session.execute(select(Module.__table__).where(Module.course_id == course["id"])).mappings().all()
    )
    names = {row["id"]: row["key"] for row in modules}
    lessons = (
        session.execute(select(Lesson.__table__).where(Lesson.course_id == course["id"])).mappings().all()
    )
    steps = session.execute(
        select(
            Step.id, Step.key, Step.position, Step.retired_at, Lesson.key.label("lesson"), StepRevision.digest
        )
        .join(Lesson, Lesson.id == Step.lesson_id)
        .outerjoin(StepRevision, StepRevision.id == Step.revision_id)
        .where(Lesson.course_id == course["id"])
    ).mappings()
    return Stored(
        _row(course),
        {(row["key"],): _row(row) for row in modules},
        {(row["key"],): _row(row, module=names[row["module_id"]]) for row in lessons},
        {(row["lesson"], row["key"]): _row(row, content=row["digest"]) for row in steps},
    )


def _row(row: Any, **more: Any) -> StoredRow:
    return StoredRow(row["id"], {**row, **more}, row["retired_at"] is not None)


class _Writer:
    """Writes the changes of one course; knows the ids of parents by their keys."""

    def __init__(self, course_key: str, stored: Stored) -> None:
        self.now = clock.now()
        self.course_key = course_key
        self.ids: dict[tuple[str, Key], int] = {}
        rows = {"module": stored.modules, "lesson": stored.lessons, "step": stored.steps}
        for what, found in rows.items():
            self.ids.update({(what, key): row.id for key, row in found.items()})
        if stored.course:
            self.ids["course", (course_key,)] = stored.course.id

    def write(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._write(change)
        if any(change.visible for change in changes):
            self._update("course", (self.course_key,), {"updated_at": self.now})

    def _write(self, change: Change) -> None:
        values = self._columns(change)
        content = values.pop("content", None)
        if change.action == "add":
            values |= {"key": change.key[-1], **self._parents(change)}
            table = _table(change.what)
            added = session.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
            self.ids[change.what, change.key] = added
            values = {}
        elif change.action == "retire":
            values["retired_at"] = self.now
        elif change.action == "return":
            values["retired_at"] = None
        if isinstance(content, CompiledStep):
            values["revision_id"] = self._revision(self.ids["step", change.key], content)
        if values:
            self._update(change.what, change.key, values)

    def _columns(self, change: Change) -> dict[str, Any]:
        values = dict(change.values)
        if "module" in values:
            values["module_id"] = self.ids["module", (values.pop("module"),)]
        return values

    def _parents(self, change: Change) -> dict[str, int]:
        if change.what == "course":
            return {}
        if change.what == "step":
            return {"lesson_id": self.ids["lesson", change.key[:1]]}
        return {"course_id": self.ids["course", (self.course_key,)]}

    def _update(self, what: str, key: Key, values: dict[str, Any]) -> None:
        table = _table(what)
        session.execute(update(table).where(table.c.id == self.ids[what, key]).values(values))

    def _revision(self, step_id: int, content: CompiledStep) -> int:
        """The id of the revision with this content; one that was current before is taken again."""
        values = {
            "step_id": step_id,
            "digest": content.digest,
            "kind": content.kind,
            "title": content.title,
            "body_html": content.body_html,
            "exercise": null() if content.exercise is None else content.exercise,
            "skills": content.skills,
            "level": content.level,
        }
        added = session.execute(
            insert_or(StepRevision).values(values).on_conflict_do_nothing().returning(StepRevision.id)
        ).scalar_one_or_none()
        if added is not None:
            return added
        known = select(StepRevision.id).where(
            StepRevision.step_id == step_id, StepRevision.digest == content.digest
        )
        return session.execute(known).scalar_one()


def _table(what: str) -> Table:
    table = _MODELS[what].__table__
    assert isinstance(table, Table)
    return table
