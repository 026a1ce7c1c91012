"""The real courses, read once, and what tests want to know about them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codyverse.courses.authoring.files import Content, read_content
from codyverse.courses.authoring.prose import Place, ProseCheck
from codyverse.courses.authoring.tree import (
    ChoiceBody,
    CourseSource,
    ExerciseSource,
    Faults,
    Fence,
    LessonSource,
    StepSource,
)
from codyverse.courses.markdown import tokens

FOLDER = Path(__file__).resolve().parents[2] / "content"
COURSES = sorted(path.name for path in FOLDER.iterdir() if (path / "course.md").is_file())


@cache
def content() -> Content:
    """Everything in content/."""
    return read_content(FOLDER)


def course(folder: str) -> CourseSource:
    """The course in one folder."""
    return next(found for found in content().courses if Path(found.path).name == folder)


@dataclass(frozen=True, slots=True)
class Spot:
    """A step and the lesson that it stands in, to name it in a failure."""

    lesson: LessonSource
    step: StepSource

    def __str__(self) -> str:
        return f"{Path(self.lesson.path).relative_to(FOLDER)}:{self.step.line} ({self.step.key})"


def steps(found: CourseSource) -> Iterator[Spot]:
    """All steps of a course."""
    return (Spot(lesson, step) for lesson in found.lessons for step in lesson.steps)


def asking(found: CourseSource) -> Iterator[tuple[Spot, ExerciseSource]]:
    """All steps of a course that ask."""
    return ((place, place.step.exercise) for place in steps(found) if place.step.exercise)


def fences_in(text: str) -> list[Fence]:
    """The code fences of a Markdown text."""
    return ProseCheck("", Faults(), "", Place.BODY).run(text, 1, gaps=True).fences


def explanations(exercise: ExerciseSource) -> list[str]:
    """What an exercise says to a learner after the answer, and its hints."""
    whys = [option.why for option in exercise.body.options] if isinstance(exercise.body, ChoiceBody) else []
    return [exercise.right, exercise.wrong, *exercise.hints, *whys]


def words_of(markdown: str) -> str:
    """The prose of a Markdown text: sentences only, without code fences, tables and headings; inline code is one word."""
    said: list[str] = []
    skip = 0
    for token in tokens(markdown):
        if token.type in ("table_open", "heading_open"):
            skip += 1
        elif token.type in ("table_close", "heading_close"):
            skip -= 1
        elif token.type == "inline" and not skip:
            parts = (
                "code" if child.type == "code_inline" else child.content for child in token.children or []
            )
            kinds = {child.type for child in token.children or []}
            text = (
                "" if kinds == {"image"} else " ".join(part for part in parts if not part.startswith("<!--"))
            )
            said.append(text if re.search(r"[.!?]\W*$", text) else f"{text}.")
    return "\n".join(said)
