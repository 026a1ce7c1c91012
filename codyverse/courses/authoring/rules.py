"""Rules of courses, lessons and steps that hold wherever they are written: in files or in a JSON document."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codyverse.courses.authoring.fields import DIFFICULTIES, Reader, closest, is_key
from codyverse.courses.authoring.limits import (
    MAX_BODY,
    MAX_GOAL,
    MAX_MINUTES,
    MAX_SKILL_NAME,
    MAX_SKILLS,
    MAX_SUMMARY,
    MAX_TITLE,
)
from codyverse.courses.authoring.prose import Prose
from codyverse.courses.authoring.tree import CourseSource, Faults, LessonSource, ModuleSource, StepSource

MEANINGLESS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ue000-\uf8ff\ufffe\uffff]")
"""Characters that no text may hold: control signs, halves of pairs, and those that rendering uses as marks."""
_MARKUP = re.compile(r"[`*_<>\[\]]")


@dataclass(frozen=True, slots=True)
class Named:
    """A key that must stand once, and where it stands: for the fault, and in words (`is used by tea/course.md`)."""

    key: str
    path: str
    line: int
    said: str


def refuse_same(found: Iterable[Named], what: str, advice: str, faults: Faults) -> None:
    """A fault for every key that stood before. Keys that are missing are faults already."""
    first: dict[str, Named] = {}
    for named in found:
        if named.key and named.key in first:
            said = first[named.key].said
            faults.add(named.path, named.line, f"the {what} key `{named.key}` {said} already; {advice}")
        first.setdefault(named.key, named)


def course_from(
    reader: Reader,
    skills: dict[str, str],
    description: str,
    modules: tuple[ModuleSource, ...],
    *,
    path: str,
    digest: str = "",
) -> CourseSource:
    """A course from its own fields and what was read before; other fields are faults."""
    course = CourseSource(
        key=reader.key(),
        title=reader.line("title", MAX_TITLE),
        summary=reader.line("summary", MAX_SUMMARY),
        difficulty=reader.one_of("difficulty", DIFFICULTIES),
        skills=skills,
        description=description,
        modules=modules,
        path=path,
        digest=digest,
    )
    reader.finish()
    return course


def module_from(reader: Reader, lessons: tuple[LessonSource, ...], path: str) -> ModuleSource:
    """A module from its own fields and its lessons; other fields are faults."""
    title, summary = reader.line("title", MAX_TITLE), reader.line("summary", MAX_SUMMARY)
    module = ModuleSource(reader.key(), title, summary, lessons, path)
    reader.finish()
    return module


def lesson_from(reader: Reader, steps: tuple[StepSource, ...], path: str) -> LessonSource:
    """A lesson from its own fields and its steps; other fields are faults."""
    lesson = LessonSource(
        key=reader.key(),
        title=reader.line("title", MAX_TITLE),
        summary=reader.line("summary", MAX_SUMMARY),
        goal=reader.line("goal", MAX_GOAL),
        difficulty=reader.one_of("difficulty", DIFFICULTIES),
        minutes=reader.whole("minutes", 1, MAX_MINUTES),
        steps=steps,
        path=path,
    )
    reader.finish()
    return lesson


def skills_from(reader: Reader) -> dict[str, str]:
    """The course's vocabulary: names by their keys."""
    node = reader.get("skills")
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        reader.fault(f"{reader.what}: `skills` must consist of fields `key: Name`", node)
        return {}
    if len(node.value) > MAX_SKILLS:
        reader.fault(f"{reader.what}: a course has at most {MAX_SKILLS} skills, not {len(node.value)}", node)
    names = {}
    for key, value in list(node.value.items())[:MAX_SKILLS]:
        if not is_key(key):
            reader.fault(
                f"{reader.what}: the skill `{key}` cannot be a key; write lower case letters, digits and hyphens",
                value,
            )
        names[key] = reader.as_text(value, f"the name of the skill `{key}`", MAX_SKILL_NAME)
    return names


@dataclass(frozen=True, slots=True)
class StepRules:
    """The rules of one step. `line` is where the step begins."""

    path: str
    line: int
    faults: Faults

    def _fault(self, line: int, message: str) -> None:
        self.faults.add(self.path, line, message)

    def title(self, title: str, line: int) -> None:
        """A title is plain text."""
        if _MARKUP.search(title):
            self._fault(line, "a title is plain text; take out the marks ` * _ < > [ ]")

    def skills(self, names: Sequence[str], vocabulary: dict[str, str] | None, line: int) -> None:
        """Each skill is in the course and named once; an unknown vocabulary (None) holds any."""
        for number, name in enumerate(names):
            if vocabulary is not None and name not in vocabulary:
                near = closest(name, list(vocabulary))
                advice = near or "; add it to the course's `skills` or use one that is there"
                self._fault(line, f"the skill `{name}` is not in the course{advice}")
            elif name in names[:number]:
                self._fault(line, f"the skill `{name}` is named twice")

    def amount(self, key: str, body: str, prose: Prose, *, asks: bool, has_gaps: bool) -> None:
        """A step says something, and not too much; only a text with gaps may be its own question."""
        if not prose.has_text and not has_gaps:
            what = "the question is missing: write it before the block" if asks else "the step is empty"
            self._fault(self.line, f"step `{key}`: {what}")
        if len(body) > MAX_BODY:
            self._fault(
                self.line, f"step `{key}` has {len(body)} characters; split it, {MAX_BODY} is the most"
            )
