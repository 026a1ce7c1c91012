"""Courses as JSON: what is read, and the document that an author sends.

The shapes and sizes stand here, from the same numbers as the rules of the files. What a text may hold, what is fair and
what belongs together is checked by the courses themselves, and told by the path of the value.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from codyverse.api.schemas.common import Id, In, Moment, Out, PageQuery
from codyverse.courses.authoring import limits

Difficulty = Literal["beginner", "intermediate", "advanced"]
Kind = Literal["teach", "choice", "choices", "blank", "order", "match", "parsons"]
KEY = f"^{limits.KEY_PATTERN}$"


def text(most: int, *, least: int = 1, **more: Any) -> Any:
    """A field for a text."""
    return Field(min_length=least, max_length=most, **more)


def some(least: int, most: int, **more: Any) -> Any:
    """A field for a list."""
    return Field(min_length=least, max_length=most, **more)


Name = Annotated[str, text(limits.MAX_KEY, pattern=KEY)]
Key = Annotated[Name, Field(description="What progress hangs on: it stays when all else changes.")]
Title = Annotated[str, text(limits.MAX_TITLE)]
Summary = Annotated[str, text(limits.MAX_SUMMARY)]
Prose = Annotated[str, text(limits.MAX_PROSE, description="Markdown.")]
Small = Annotated[str, text(limits.MAX_ITEM, description="Markdown: words, code, no lists or links.")]
Program = Annotated[
    str, text(limits.MAX_PROGRAM, description="A program, indented by four spaces per level.")
]
Skills = Annotated[
    dict[Name, Annotated[str, text(limits.MAX_SKILL_NAME)]],
    Field(
        min_length=1,
        max_length=limits.MAX_SKILLS,
        description="The course's vocabulary: key → name.",
        json_schema_extra={"propertyNames": {"pattern": KEY, "maxLength": limits.MAX_KEY}},
    ),
]


# --- what an author sends: the exercises, with the names of docs/authoring.md ---


class _ExerciseIn(In):
    level: Annotated[int, Field(ge=1, le=limits.MAX_LEVEL, description="1 nearly everyone, 5 a stretch.")]
    right: Prose = Field(description="Shown after a right answer: why it is right. Markdown.")
    wrong: Prose = Field(
        description="Shown after a wrong answer, without giving the right one away. Markdown."
    )
    hints: Annotated[list[Prose], some(0, limits.MAX_HINTS)] = Field(default_factory=list)
    checks: Annotated[
        list[Annotated[str, text(limits.MAX_EXPRESSION)]],
        some(0, limits.MAX_CHECKS, description="Python expressions that are true; kept, never run here."),
    ] = Field(default_factory=list)
    predicts: bool = Field(False, description="The question is what the step's Python code prints.")


class OptionIn(In):
    """Something to pick, and why it is right or wrong."""

    id: Name
    text: Prose
    correct: bool = False
    why: Prose


class ChoiceIn(_ExerciseIn):
    """One option is right."""

    kind: Literal["choice"]
    options: Annotated[list[OptionIn], some(2, limits.MAX_OPTIONS)]
    fixed: bool = Field(False, description="Keep the options in this order.")


class ChoicesIn(_ExerciseIn):
    """Some options are right, at least one is wrong."""

    kind: Literal["choices"]
    options: Annotated[list[OptionIn], some(2, limits.MAX_OPTIONS)]
    fixed: bool = Field(False, description="Keep the options in this order.")


Forms = Annotated[list[Annotated[str, text(limits.MAX_FORM)]], some(1, limits.MAX_FORMS)]
Number = (
    Annotated[int | float, Field()] | Annotated[str, Field(pattern=r"^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$")]
)


class MistakeIn(In):
    """Known wrong answers, and what to say to them."""

    match: Forms
    why: Prose


class GapIn(In):
    """A gap: accepted forms, or a number, or both."""

    label: Annotated[str, text(limits.MAX_LABEL, description="For screen readers.")]
    accept: Forms = Field(default_factory=list)
    number: Number = Field(default_factory=int, description="As a text it is taken exactly as written.")
    tolerance: Number = Field(default_factory=int, description="Absolute.")
    exact: bool = Field(False, description="Case and inner spaces count.")
    mistakes: Annotated[list[MistakeIn], some(0, limits.MAX_MISTAKES)] = Field(default_factory=list)


class BlankIn(_ExerciseIn):
    """A text with the gaps `[[1]]`, `[[2]]` …, which `blanks` lists in this order."""

    kind: Literal["blank"]
    text: Prose
    blanks: Annotated[list[GapIn], some(1, limits.MAX_BLANKS)]


Place = Annotated[int, Field(ge=1, le=limits.MAX_ITEMS)]


class OrderIn(_ExerciseIn):
    """Items in the right order; `also` are other right orders, by item numbers from 1."""

    kind: Literal["order"]
    items: Annotated[list[Small], some(3, limits.MAX_ITEMS)]
    also: Annotated[list[Annotated[list[Place], some(3, limits.MAX_ITEMS)]], some(0, limits.MAX_ORDERS)] = (
        Field(default_factory=list)
    )


class MatchIn(_ExerciseIn):
    """Pairs of a left and a right side; `extra` are right sides that belong to nothing."""

    kind: Literal["match"]
    pairs: Annotated[list[Annotated[list[Small], some(2, 2)]], some(2, limits.MAX_PAIRS)]
    extra: Annotated[list[Small], some(0, limits.MAX_EXTRA)] = Field(default_factory=list)


class DistractorIn(In):
    """A line that does not belong, and why."""

    code: Annotated[str, text(limits.MAX_DISTRACTOR)]
    why: Prose


class ParsonsIn(_ExerciseIn):
    """A program to build from its lines; `also` are other right programs of the same lines."""

    kind: Literal["parsons"]
    language: Annotated[str, text(limits.MAX_LANGUAGE)]
    solution: Program
    also: Annotated[list[Program], some(0, limits.MAX_PROGRAMS)] = Field(default_factory=list)
    distractors: Annotated[list[DistractorIn], some(0, limits.MAX_DISTRACTORS)] = Field(default_factory=list)
    output: str = Field(default_factory=str, description="What the solution prints; kept, never run here.")


ExerciseIn = Annotated[
    ChoiceIn | ChoicesIn | BlankIn | OrderIn | MatchIn | ParsonsIn, Field(discriminator="kind")
]


# --- what an author sends: the course ---


class StepIn(In):
    """A step: it teaches, or with an exercise it asks."""

    key: Key
    title: Title
    skills: Annotated[list[Name], some(1, limits.MAX_SKILLS_OF_STEP)]
    body: Annotated[str, text(limits.MAX_BODY, least=0, description="Markdown, without pictures.")] = ""
    exercise: ExerciseIn | None = None


class LessonIn(In):
    """A lesson with its steps in order. `minutes` is an honest estimate."""

    key: Key
    title: Title
    summary: Summary
    goal: Annotated[str, text(limits.MAX_GOAL)]
    difficulty: Difficulty
    minutes: Annotated[int, Field(ge=1, le=limits.MAX_MINUTES)]
    steps: Annotated[list[StepIn], some(1, limits.MAX_STEPS)]


class ModuleIn(In):
    """A module with its lessons in order."""

    key: Key
    title: Title
    summary: Summary
    lessons: Annotated[list[LessonIn], some(0, limits.MAX_LESSONS)]


Description = Annotated[str, text(limits.MAX_BODY, least=0, description="Markdown.")]


class CourseIn(In):
    """A whole course: what is not in it is retired."""

    key: Key
    title: Title
    summary: Summary
    difficulty: Difficulty
    skills: Skills
    description: Description = ""
    modules: Annotated[list[ModuleIn], some(1, limits.MAX_MODULES)]


class CourseChangeIn(In):
    """Some of a course's own fields. What is left out stays as it is."""

    title: Title = Field(default_factory=str)
    summary: Summary = Field(default_factory=str)
    difficulty: Difficulty = Field(default_factory=lambda: "beginner")
    skills: Skills = Field(default_factory=dict)
    description: Description = Field(default_factory=str)


# --- what is read ---


class LessonsQuery(PageQuery):
    """Which lessons of a course."""

    module_id: Annotated[Id | None, Field(description="Only those of this module.")] = None


class CourseEntryOut(Out):
    """A course in the list. `minutes` is the sum of its lessons' estimates."""

    id: Id
    key: str
    origin: Literal["files", "api"]
    title: str
    summary: str
    difficulty: Difficulty
    lessons: int
    minutes: int
    updated_at: Moment


class LessonEntryOut(Out):
    """A lesson in a list. `exercises` of its `steps` ask, the others teach."""

    id: Id
    key: str
    module_id: Id
    title: str
    summary: str
    goal: str
    difficulty: Difficulty
    minutes: int
    steps: int
    exercises: int


class ModuleOut(Out):
    """A module with its lessons in order."""

    id: Id
    key: str
    title: str
    summary: str
    lessons: list[LessonEntryOut]


class CourseOut(Out):
    """A course with its modules in order. Courses of the origin `files` are changed in the site's files only."""

    id: Id
    key: str
    origin: Literal["files", "api"]
    title: str
    summary: str
    difficulty: Difficulty
    description_html: str
    skills: dict[str, str]
    updated_at: Moment
    modules: list[ModuleOut]


class CourseSourceOut(Out):
    """A course as its author sent it."""

    source: Annotated[
        dict[str, Any], WithJsonSchema({"type": "object", "description": "As it was sent: a `CourseIn`."})
    ]


class StepEntryOut(Out):
    """A step of a lesson, without what it says: that comes with an attempt."""

    id: Id
    key: str
    position: int
    title: str
    kind: Kind


class LessonOut(Out):
    """A lesson, and the steps that a new attempt has. An attempt that is open keeps the steps it began with."""

    id: Id
    key: str
    course_id: Id
    course_key: str
    course_title: str
    module_id: Id
    module_title: str
    title: str
    summary: str
    goal: str
    difficulty: Difficulty
    minutes: int
    exercises: int
    steps: list[StepEntryOut]
    next_lesson_id: Id | None
    next_lesson_title: str | None
