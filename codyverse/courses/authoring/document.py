"""Reading a course from a JSON document, as the REST contract takes it: the rules of the files, without a second copy.

Every value of the document is given lines of its own, as if it had been written into a file. So all checks work as they
are, and the line of a fault tells which value it is about.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from codyverse.core.errors import Invalid
from codyverse.courses.authoring.exercise_parser import exercise_from
from codyverse.courses.authoring.fields import FLAG, NUMBER, TEXT, Reader
from codyverse.courses.authoring.limits import (
    MAX_BODY,
    MAX_LESSONS,
    MAX_MODULES,
    MAX_SKILLS_OF_STEP,
    MAX_STEPS,
    MAX_TITLE,
)
from codyverse.courses.authoring.nodes import Node
from codyverse.courses.authoring.prose import Place, ProseCheck
from codyverse.courses.authoring.rules import (
    MEANINGLESS,
    Named,
    StepRules,
    course_from,
    lesson_from,
    module_from,
    refuse_same,
    skills_from,
)
from codyverse.courses.authoring.tree import (
    CourseSource,
    ExerciseSource,
    Faults,
    LessonSource,
    ModuleSource,
    StepSource,
)

MAX_DEPTH, MAX_VALUES = 16, 50_000
MAX_FAULTS, MAX_MESSAGE = 200, 300
NO_PICTURES = "courses of the API have no pictures: say it in words, or keep the course in files"
_NO_FILE = ""
_SPARE = 2
"""Lines left free below a text: a fault may be found where it ends too early."""


def read_course(document: Any) -> CourseSource:
    """The course that a document describes. Safe for anything that JSON can hold.

    Raises Invalid with all faults by the path of the value that they are about, such as
    `modules.0.lessons.1.steps.2.exercise.options`; a fault in a text of several lines names the line.
    """
    faults = Faults()
    layout = _Layout(faults)
    root = layout.node(document, "", 0)
    if isinstance(root.value, dict):
        course = _DocumentReader(layout, faults).course(root)
        if not faults.found:
            digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
            return replace(course, digest=digest)
    else:
        faults.add(_NO_FILE, root.line, f"a course is an object, not {root.form}")
    raise Invalid(layout.by_path())


@dataclass(slots=True)
class _Layout:
    """Turns JSON values into nodes, and lines back into the paths of values."""

    faults: Faults
    firsts: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    free: int = 1

    def node(self, value: Any, path: str, depth: int) -> Node:
        """The node of a value; what JSON cannot say or a text must not hold is a fault."""
        line = self._take(path, value.count("\n") + _SPARE if isinstance(value, str) else 0)
        if depth > MAX_DEPTH or len(self.paths) > MAX_VALUES:
            self.faults.add(_NO_FILE, line, "this is nested too deeply or is too long")
            return Node("null", line, form="cut off")
        if isinstance(value, str):
            return Node(self._text(value, line), line, '"', TEXT)
        if isinstance(value, Mapping):
            fields = {}
            for name, inner in value.items():
                shown = _shown(name)
                fields[shown] = self.node(inner, f"{path}.{shown}" if path else shown, depth + 1)
            return Node(fields, line, form="an object")
        if isinstance(value, list | tuple):
            items = [self.node(inner, f"{path}.{number}", depth + 1) for number, inner in enumerate(value)]
            return Node(items, line, form="a list")
        return _scalar(value, line)

    def _take(self, path: str, more: int) -> int:
        line = self.free
        self.firsts.append(line)
        self.paths.append(path)
        self.free += 1 + more
        return line

    def _text(self, text: str, line: int) -> str:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if found := MEANINGLESS.search(text):
            at = line + text.count("\n", 0, found.start())
            message = f"a character without meaning (U+{ord(found[0]):04X}) stands here; take it out"
            self.faults.add(_NO_FILE, at, message)
        return MEANINGLESS.sub("", text)

    def path(self, line: int) -> str:
        """Which value a line belongs to."""
        return self.paths[bisect_right(self.firsts, line) - 1]

    def by_path(self) -> dict[str, list[str]]:
        """All faults by path in the document's order; of very many the first, and how many more there are."""
        found = self.faults.sorted()
        said: dict[str, list[str]] = {}
        for fault in found[:MAX_FAULTS]:
            number = bisect_right(self.firsts, fault.line) - 1
            inner = fault.line - self.firsts[number]
            where = f" (line {inner + 1} of the text)" if inner else ""
            said.setdefault(self.paths[number], []).append(fault.message[:MAX_MESSAGE] + where)
        if len(found) > MAX_FAULTS:
            said.setdefault("", []).append(f"and {len(found) - MAX_FAULTS} faults more")
        return said


def _shown(name: Any) -> str:
    """A field's name that may stand in a message."""
    return MEANINGLESS.sub("?", str(name))[:60]


def _scalar(value: Any, line: int) -> Node:
    if value is None:
        return Node("null", line, form="nothing")
    if isinstance(value, bool):
        return Node("true" if value else "false", line, form=FLAG)
    if isinstance(value, int):
        return Node(str(value) if value.bit_length() <= 64 else "a huge number", line, form=NUMBER)
    if isinstance(value, float):
        return Node(f"{Decimal(repr(value)):f}", line, form=NUMBER)
    return Node(str(value), line, form="a value that JSON does not know")


@dataclass(slots=True)
class _DocumentReader:
    layout: _Layout
    faults: Faults
    lessons: list[Named] = field(default_factory=list)

    def course(self, node: Node) -> CourseSource:
        reader = Reader(node, _NO_FILE, self.faults, "course")
        skills = skills_from(reader)
        description = self._text(reader, "description")
        ProseCheck(_NO_FILE, self.faults, "description", Place.BLOCK).run(
            description, _line(reader, "description")
        )
        readers = reader.readers("modules", 1, MAX_MODULES, "module")
        modules = tuple(self._module(found, skills) for found in readers)
        named = [self._named(found, module.key) for found, module in zip(readers, modules, strict=True)]
        refuse_same(named, "module", "it must be unique in the course", self.faults)
        refuse_same(self.lessons, "lesson", "it must be unique in the course", self.faults)
        return course_from(reader, skills, description, modules, path=_NO_FILE)

    def _named(self, reader: Reader, key: str) -> Named:
        line = reader.node.line
        return Named(key, _NO_FILE, line, f"is used by `{self.layout.path(line)}`")

    def _module(self, reader: Reader, skills: dict[str, str]) -> ModuleSource:
        readers = reader.readers("lessons", 0, MAX_LESSONS, "lesson")
        return module_from(reader, tuple(self._lesson(found, skills) for found in readers), _NO_FILE)

    def _lesson(self, reader: Reader, skills: dict[str, str]) -> LessonSource:
        readers = reader.readers("steps", 1, MAX_STEPS, "step")
        steps = tuple(self._step(found, skills) for found in readers)
        named = [self._named(found, step.key) for found, step in zip(readers, steps, strict=True)]
        refuse_same(named, "step", "choose another", self.faults)
        lesson = lesson_from(reader, steps, _NO_FILE)
        self.lessons.append(self._named(reader, lesson.key))
        return lesson

    def _step(self, reader: Reader, vocabulary: dict[str, str]) -> StepSource:
        rules = StepRules(_NO_FILE, reader.node.line, self.faults)
        key, title = reader.key(), reader.line("title", MAX_TITLE)
        rules.title(title, _line(reader, "title"))
        names = reader.texts("skills", 1, MAX_SKILLS_OF_STEP)
        rules.skills(names, vocabulary, _line(reader, "skills"))
        body, line = self._text(reader, "body"), _line(reader, "body")
        prose = ProseCheck(_NO_FILE, self.faults, "step", Place.BODY).run(body, line)
        for name, at in prose.images:
            self.faults.add(_NO_FILE, at, f"step: the picture `{name}` cannot be shown; {NO_PICTURES}")
        has_code = any(fence.language == "python" for fence in prose.fences)
        asks, exercise = self._exercise(reader, step_has_code=has_code)
        has_gaps = exercise is not None and exercise.kind == "blank"
        rules.amount(key, body, prose, asks=asks, has_gaps=has_gaps)
        reader.finish()
        fences, checks = tuple(prose.fences), tuple(prose.checks)
        return StepSource(key, title, names, body, line, exercise, fences, checks, reader.node.line)

    def _exercise(self, reader: Reader, *, step_has_code: bool) -> tuple[bool, ExerciseSource | None]:
        """Whether the step has an exercise, and what can be read of it."""
        node = reader.get("exercise", required=False)
        if node is None:
            return False, None
        if not isinstance(node.value, dict):
            reader.fault(f"{reader.what}: `exercise` must be an object, not {node.form}", node)
            return True, None
        return True, exercise_from(node, _NO_FILE, self.faults, step_has_code=step_has_code)

    def _text(self, reader: Reader, name: str) -> str:
        """A Markdown text; one that is missing or blank is empty."""
        node = reader.get(name, required=False)
        if node is None or (isinstance(node.value, str) and not node.value.strip()):
            return ""
        return reader.as_text(node, f"`{name}`", MAX_BODY)


def _line(reader: Reader, name: str) -> int:
    """The line on which a field begins; that of its mapping when it is missing."""
    fields = reader.node.value
    node = fields.get(name) if isinstance(fields, dict) else None
    return node.line if node else reader.node.line
