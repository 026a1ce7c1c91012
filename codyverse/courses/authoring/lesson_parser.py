"""From the text of one file to what it says: front matter, and for a lesson its steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from codyverse.courses.authoring.exercise_parser import Block, parse_exercise
from codyverse.courses.authoring.fields import KEY_RULE, Reader, is_key
from codyverse.courses.authoring.limits import MAX_STEPS, MAX_TITLE
from codyverse.courses.authoring.nodes import read_mapping
from codyverse.courses.authoring.prose import Place, Prose, ProseCheck
from codyverse.courses.authoring.rules import (
    Named,
    StepRules,
    lesson_from,
    refuse_same,
)
from codyverse.courses.authoring.tree import Faults, LessonSource, StepSource
from codyverse.courses.markdown import is_comment

_STEP = re.compile(r"##[ \t]+(?P<title>.*?)[ \t]*\{#(?P<key>[^}]*)\}[ \t]*\Z")
_FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})(?P<info>.*)\Z")
_SKILLS = re.compile(r"skills:(?P<skills>.*)\Z")


@dataclass(slots=True)
class Lines:
    """A part of a file: its lines, and the number of the first in the file."""

    lines: list[str]
    first: int

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def split_front_matter(text: str, path: str, faults: Faults) -> tuple[Reader | None, Lines]:
    """The front matter's fields and the lines below it; None when there is no usable front matter."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        faults.add(
            path, 1, "the file must begin with front matter: a line `---`, fields `name: value`, a line `---`"
        )
        return None, Lines(lines, 1)
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        faults.add(path, 1, "the front matter is never closed; end it with a line `---`")
        return None, Lines([], len(lines))
    node = read_mapping("\n".join(lines[1:end]), 2, path, faults, "front matter")
    rest = Lines(lines[end + 1 :], end + 2)
    return (Reader(node, path, faults, "front matter") if node else None), rest


@dataclass(slots=True)
class _RawStep:
    """The lines of one step before they are understood."""

    title: str
    key: str
    line: int
    lines: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    after_block: list[tuple[int, str]] = field(default_factory=list)


class LessonParser:
    """Reads one lesson, as well as it can be read; nothing is applied while there is a fault.

    `skills` is the course's vocabulary; None when it is not known, then any skill may be named.
    """

    def __init__(self, path: str, skills: dict[str, str] | None, faults: Faults) -> None:
        self.path = path
        self.skills = skills
        self.faults = faults
        self.images: list[tuple[str, int]] = []

    def parse(self, text: str) -> LessonSource | None:
        """The lesson, without its pictures; `images` then names those it shows, with their lines."""
        reader, rest = split_front_matter(text, self.path, self.faults)
        steps = tuple(step for raw in self._raw_steps(rest) if (step := self._step(raw)))
        self._refuse_same_keys(steps)
        if not steps:
            self.faults.add(self.path, rest.first, "a lesson has at least one step: `## Title {#key}`")
        if len(steps) > MAX_STEPS:
            self.faults.add(
                self.path, 1, f"the lesson has {len(steps)} steps; split it, {MAX_STEPS} is the most"
            )
        if reader is None:
            return None
        return lesson_from(reader, steps, self.path)

    def _refuse_same_keys(self, steps: tuple[StepSource, ...]) -> None:
        found = (Named(step.key, self.path, step.line, f"stands on line {step.line}") for step in steps)
        refuse_same(found, "step", "choose another", self.faults)

    def _raw_steps(self, rest: Lines) -> Iterator[_RawStep]:
        """Cut the lines into steps; headings inside code fences do not count."""
        step: _RawStep | None = None
        scan = _Scan(self.path, self.faults)
        before = []
        for number, line in enumerate(rest.lines, rest.first):
            if scan.is_heading(line):
                if step:
                    scan.close(step)
                    yield step
                step = self._heading(line, number)
            elif step is None:
                before.append((number, line))
            else:
                scan.take(step, number, line)
        if step:
            scan.close(step)
            yield step
        stray = next(((number, line) for number, line in before if line.strip()), None)
        if stray and not is_comment("\n".join(line for _, line in before)):
            self.faults.add(
                self.path,
                stray[0],
                "text before the first step is shown nowhere; put it below a `## Title {#key}`",
            )

    def _heading(self, line: str, number: int) -> _RawStep:
        match = _STEP.match(line)
        if match is None:
            self.faults.add(self.path, number, "a step's heading ends in its key: `## Title {#key}`")
            return _RawStep(line.lstrip("# ").strip(), "", number)
        title, key = match["title"], match["key"]
        if not title:
            self.faults.add(self.path, number, "this step has no title: `## Title {#key}`")
        if len(title) > MAX_TITLE:
            self.faults.add(
                self.path, number, f"this title has {len(title)} characters; shorten it to {MAX_TITLE}"
            )
        StepRules(self.path, number, self.faults).title(title, number)
        if not is_key(key):
            self.faults.add(self.path, number, f"`{key}` cannot be a key; write {KEY_RULE}")
        return _RawStep(title, key, number)

    def _step(self, raw: _RawStep) -> StepSource:
        skills = self._skills(raw)
        body = Lines(raw.lines[1:], raw.line + 2)
        prose = ProseCheck(self.path, self.faults, "step", Place.BODY).run(body.text, body.first)
        self.images.extend(prose.images)
        has_code = any(fence.language == "python" for fence in prose.fences)
        exercise = None
        for number, block in enumerate(raw.blocks):
            if number:
                self.faults.add(
                    self.path, block.line - 1, "a step has one exercise; begin a new step for this one"
                )
            found = parse_exercise(block, self.path, self.faults, step_has_code=has_code)
            exercise = exercise or found
        self._check_amount(raw, body, prose)
        return StepSource(
            raw.key,
            raw.title,
            skills,
            body.text.strip("\n"),
            body.first,
            exercise,
            tuple(prose.fences),
            tuple(prose.checks),
            raw.line,
        )

    def _check_amount(self, raw: _RawStep, body: Lines, prose: Prose) -> None:
        has_gaps = "kind: blank" in "".join(block.text for block in raw.blocks)
        rules = StepRules(self.path, raw.line, self.faults)
        rules.amount(raw.key, body.text, prose, asks=bool(raw.blocks), has_gaps=has_gaps)
        for number, line in raw.after_block:
            if line.strip() and not is_comment(line):
                self.faults.add(
                    self.path,
                    number,
                    "the exercise block ends a step; move this text before it or into a new step",
                )
                break

    def _skills(self, raw: _RawStep) -> tuple[str, ...]:
        line = raw.line + 1
        match = _SKILLS.match(raw.lines[0]) if raw.lines else None
        if match is None:
            self.faults.add(
                self.path, line, "the line after a step's heading names its skills: `skills: key, key`"
            )
            if raw.lines and raw.lines[0].strip():
                raw.lines.insert(0, "")
                raw.line -= 1
            return ()
        names = [name.strip() for name in match["skills"].split(",")]
        StepRules(self.path, raw.line, self.faults).skills(names, self.skills, line)
        return tuple(names)


class _Scan:
    """Follows code fences line by line, so that marks inside them are not taken for structure."""

    def __init__(self, path: str, faults: Faults) -> None:
        self.path = path
        self.faults = faults
        self._fence: tuple[str, int] | None = None
        self._exercise: tuple[int, int] | None = None
        self._yaml: list[str] = []

    def is_heading(self, line: str) -> bool:
        """Whether a step begins here. Inside an exercise only a complete step heading counts, for then its end is missing."""
        if self._exercise:
            return _STEP.match(line) is not None
        if self._fence:
            return False
        return line.startswith("##") and not line.startswith("###")

    def take(self, step: _RawStep, number: int, line: str) -> None:
        """Put one line where it belongs: the body, the exercise, or after it."""
        if self._exercise:
            self._take_yaml(step, line)
            return
        match = _FENCE.match(line)
        if self._fence is None and match:
            info = match["info"].strip()
            if info == "exercise" and not match["indent"] and match["mark"][0] == "`":
                self._exercise = (number, len(match["mark"]))
                return
            self._fence = (match["mark"][0], len(match["mark"]))
        elif self._fence and match and not match["info"].strip():
            mark, length = self._fence
            self._fence = (
                None if set(match["mark"]) == {mark} and len(match["mark"]) >= length else self._fence
            )
        if step.blocks:
            step.after_block.append((number, line))
        else:
            step.lines.append(line)

    def _take_yaml(self, step: _RawStep, line: str) -> None:
        start, length = self._exercise or (0, 3)
        marks = line.rstrip()
        if marks.startswith("```") and set(marks) == {"`"} and len(marks) >= length:
            step.blocks.append(Block("\n".join(self._yaml), start + 1))
            self._exercise, self._yaml = None, []
        else:
            self._yaml.append(line)

    def close(self, step: _RawStep) -> None:
        """The step ends here; a block that is still open is a fault."""
        if self._exercise:
            start = self._exercise[0]
            self.faults.add(
                self.path, start, "this exercise block is never closed; end it with ``` at the left edge"
            )
            step.blocks.append(Block("\n".join(self._yaml), start + 1))
        self._exercise, self._fence, self._yaml = None, None, []
