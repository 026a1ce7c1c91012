"""What loading a course would change: a pure comparison of what is stored with what is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from codyverse.courses.authoring.tree import CourseSource, LessonSource
from codyverse.courses.compiling import CompiledStep, compile_step
from codyverse.courses.rendering import VERSION, render

Key = tuple[str, ...]
SILENT = frozenset(("digest",))
"""Of a course: the hash of its files, which a comment changes too. Stored, but no change that a reader could see."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as it is: its values under the names of `WantedRow`, and whether it is retired."""

    id: int
    values: dict[str, Any]
    retired: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A course as it is stored; steps by lesson and step key."""

    course: StoredRow | None = None
    modules: dict[Key, StoredRow] = field(default_factory=dict)
    lessons: dict[Key, StoredRow] = field(default_factory=dict)
    steps: dict[Key, StoredRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One row that differs. `values` are the columns to set; a step's new content is under `content`."""

    action: str
    what: str
    key: Key
    values: dict[str, Any]
    title: str = ""

    @property
    def visible(self) -> bool:
        """Whether a reader could notice it."""
        return self.action != "edit" or not set(self.values) <= SILENT

    def __str__(self) -> str:
        sign = {"add": "+", "edit": "~", "retire": "-", "return": "^"}[self.action]
        name = f"{sign} {self.what} {' / '.join(self.key)}"
        said = {
            "add": f"{name}: new, “{self.title}”",
            "retire": f"{name}: retired",
            "return": f"{name}: offered again",
        }
        return said.get(self.action) or f"{name}: {', '.join(self._edits())}"

    def _edits(self) -> Iterator[str]:
        for name, value in self.values.items():
            if name == "module":
                yield f"moved to module {value}"
            elif name == "position":
                yield f"moved to place {value}"
            elif name == "content":
                yield "edited"
            elif name not in SILENT:
                yield f"{name} changed"


def differences(stored: Stored, course: CourseSource, position: int) -> tuple[Change, ...]:
    """All changes in an order in which they can be written: parents before children, retiring last.

    Compiles the steps, unless the files are the same as when they were loaded last.
    """
    digest = f"{VERSION}:{course.digest}"
    kept = stored.course
    same = kept and (kept.values["digest"], kept.values["position"]) == (digest, position)
    if course.digest and same and kept and not kept.retired:
        return ()
    wanted = {
        "title": course.title,
        "summary": course.summary,
        "difficulty": course.difficulty,
        "description_html": render(course.description),
        "skills": course.skills,
        "position": position,
        "digest": digest,
    }
    changes = [
        *_compared("course", {(course.key,): wanted}, {(course.key,): kept} if kept else {}),
        *_compared("module", _modules(course), stored.modules),
        *_compared("lesson", _lessons(course), stored.lessons),
        *_compared("step", _steps(course), _steps_of_kept_lessons(stored, course)),
    ]
    return tuple(sorted(changes, key=lambda change: change.action == "retire"))


def _modules(course: CourseSource) -> dict[Key, dict[str, Any]]:
    return {
        (module.key,): {"title": module.title, "summary": module.summary, "position": place}
        for place, module in enumerate(course.modules, 1)
    }


def _lessons(course: CourseSource) -> dict[Key, dict[str, Any]]:
    return {
        (lesson.key,): {
            "module": module.key,
            "title": lesson.title,
            "summary": lesson.summary,
            "goal": lesson.goal,
            "difficulty": lesson.difficulty,
            "minutes": lesson.minutes,
            "position": place,
        }
        for module in course.modules
        for place, lesson in enumerate(module.lessons, 1)
    }


def _steps(course: CourseSource) -> dict[Key, dict[str, Any]]:
    return {key: value for lesson in course.lessons for key, value in _steps_of(lesson)}


def _steps_of(lesson: LessonSource) -> Iterator[tuple[Key, dict[str, Any]]]:
    for place, step in enumerate(lesson.steps, 1):
        yield (lesson.key, step.key), {"content": compile_step(step, lesson), "position": place}


def _steps_of_kept_lessons(stored: Stored, course: CourseSource) -> dict[Key, StoredRow]:
    """The steps of a lesson that goes are not retired one by one: the lesson is, and may come back with them."""
    lessons = {lesson.key for lesson in course.lessons}
    return {key: row for key, row in stored.steps.items() if key[0] in lessons}


def _compared(what: str, wanted: dict[Key, dict[str, Any]], stored: dict[Key, StoredRow]) -> Iterator[Change]:
    for key, values in wanted.items():
        row = stored.get(key)
        title = _title(values)
        if row is None:
            yield Change("add", what, key, values, title)
            continue
        edited = {name: value for name, value in values.items() if _plain(value) != row.values.get(name)}
        if row.retired:
            yield Change("return", what, key, edited, title)
        elif edited:
            yield Change("edit", what, key, edited, title)
    for key, row in stored.items():
        if key not in wanted and not row.retired:
            yield Change("retire", what, key, {})


def _plain(value: Any) -> Any:
    """What a stored row holds in place of content: its digest."""
    return value.digest if isinstance(value, CompiledStep) else value


def _title(values: dict[str, Any]) -> str:
    content = values.get("content")
    return str(content.title if isinstance(content, CompiledStep) else values.get("title", ""))
