"""Writing one course: what is stored is read, what differs is written. Whoever writes takes turns with all others."""

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
from codyverse.courses.versions import about_to_write

APPLY_LOCK = 0x436F6479_01
"""Advisory lock: two who write courses at once take turns, and the second finds what the first has done."""

_MODELS: dict[str, type[Base]] = {"course": Course, "module": Module, "lesson": Lesson, "step": Step}
_COURSE = [column for column in Course.__table__.c if column.name != "source"]
_KEPT = {
    "files": "The course “{key}” is kept in files. Change it there, or give the new course another key.",
    "api": "The course “{key}” was made over the API and is kept there. Give the course in the files another key.",
}


def take_turns() -> None:
    """Wait for another who is writing courses; until the transaction's end all others wait."""
    session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": APPLY_LOCK})
    about_to_write()


def taken(key: str, origin: str) -> Conflict:
    """The key belongs to a course of another origin, `origin`."""
    return Conflict(_KEPT[origin].format(key=key))


def write_course(course: CourseSource, position: int, origin: str, **more: Any) -> tuple[Change, ...]:
    """Write what differs, under `take_turns`; what was changed. `more` are columns of the course to set with it.

    The source must be free of faults. Raises Conflict when the key belongs to a course of another origin.
    """
    stored = read_stored(course.key, origin)
    changes = differences(stored, course, position)
    if changes:
        writer = _Writer(course.key, stored, {"origin": origin, **more})
        writer.write(changes)
        _publish_new_lessons(course, changes, writer.ids["course", (course.key,)])
    return changes


def _publish_new_lessons(course: CourseSource, changes: tuple[Change, ...], course_id: int) -> None:
    added = [change.what for change in changes if change.action == "add"]
    if lessons := added.count("lesson"):
        publish(LessonsPublished(course_id, course.key, course.title, lessons, "course" in added))


def read_stored(key: str, origin: str) -> Stored:
    """The course as it is. Raises Conflict for a course of another origin."""
    course = session.execute(select(*_COURSE).where(Course.key == key)).mappings().one_or_none()
    if course is None:
        return Stored()
    if course["origin"] != origin:
        raise taken(key, course["origin"])
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

    def __init__(self, course_key: str, stored: Stored, more: dict[str, Any]) -> None:
        self.now = clock.now()
        self.course_key = course_key
        self.more = more
        self.ids: dict[tuple[str, Key], int] = {}
        rows = {"module": stored.modules, "lesson": stored.lessons, "step": stored.steps}
        for what, found in rows.items():
            self.ids.update({(what, key): row.id for key, row in found.items()})
        if stored.course:
            self.ids["course", (course_key,)] = stored.course.id

    def write(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._write(change)
        values = {"version": Course.version + 1, **self.more}
        if any(change.visible for change in changes):
            values["updated_at"] = self.now
        self._update("course", (self.course_key,), values)

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

    def _parents(self, change: Change) -> dict[str, Any]:
        if change.what == "course":
            return self.more
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
