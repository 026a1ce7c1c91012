"""Attempts, answers and verdicts as JSON."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from codyverse.api.schemas.common import Day, Id, In, Moment, Out

Kind = Literal["teach", "choice", "choices", "blank", "order", "match", "parsons"]
Text = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00]*$")]


class LineIn(In):
    """A line of a Parsons problem: which one, and how far it is indented."""

    id: Text
    indent: Annotated[int, Field(ge=0, le=20)]


Answer = Annotated[
    Text
    | Annotated[list[Text], Field(max_length=100)]
    | Annotated[list[LineIn], Field(max_length=100)]
    | Annotated[dict[Text, Text], Field(max_length=100)],
    Field(
        description=(
            'By the step\'s kind: choice `"id"`; choices `["id", …]`; blank `["text", …]`; order `["id", …]`; match '
            '`{"left": "right"}`; parsons `[{"id": …, "indent": n}, …]`.'
        ),
        examples=["o3f9", ["o3f9", "o77c"], {"l1": "r2"}, [{"id": "p1", "indent": 0}]],
    ),
]


class AnswerIn(In):
    """One try at a step. The same again replays; another answer under the same number is a conflict."""

    step_id: Id
    try_no: Annotated[int, Field(ge=1, le=10_000)]
    answer: Answer


class HintIn(In):
    """Which hint, from 1."""

    number: Annotated[int, Field(ge=1, le=10)]


class HintOut(Out):
    """A hint."""

    step_id: Id
    number: int
    html: str


class DraftIn(In):
    """A half-written answer. `tryNo` is the try that is being written."""

    answer: Answer
    try_no: Annotated[int, Field(ge=1, le=10_000)] | None = None


class OptionOut(Out):
    """Something to pick, place or join. The id is good for this attempt only."""

    id: str
    html: str
    text: str


class BlankOut(Out):
    """A gap. `index` counts from 0, as in the answer's list."""

    index: int
    label: str
    numeric: bool
    width: int


class ExerciseOut(Out):
    """What is shown of an exercise; which fields are filled depends on `kind`. Answers are not in it."""

    kind: Kind
    options: list[OptionOut]
    parts: list[str | BlankOut]
    code: bool
    items: list[OptionOut]
    lefts: list[OptionOut]
    rights: list[OptionOut]
    lines: list[OptionOut]
    max_indent: int
    language: str


class NoteOut(Out):
    """A remark on a part of an answer; without `aboutHtml` on the whole."""

    about_html: str
    html: str


class VerdictOut(Out):
    """Right or wrong, and why."""

    correct: bool
    explanation_html: str
    notes: list[NoteOut]


class StepOut(Out):
    """A step of an attempt. `given` is the draft or else the last answer, `tryNo` the number of the next try."""

    step_id: Id
    position: int
    kind: Kind
    title: str
    body_html: str
    done: bool
    exercise: ExerciseOut | None
    given: Annotated[Any, WithJsonSchema({"description": "In the shape of an answer, or null."})]
    try_no: int
    hints: list[str]
    hints_left: int
    verdict: VerdictOut | None


class AttemptOut(Out):
    """An attempt at a lesson with all its steps, as they were when it began."""

    attempt_id: Id
    lesson_id: Id
    lesson_title: str
    goal: str
    course_slug: str
    course_title: str
    started_at: Moment
    completed_at: Moment | None
    steps: list[StepOut]


class AnsweredOut(Out):
    """The verdict on one try."""

    step_id: Id
    try_no: int
    verdict: VerdictOut


class EntryOut(Out):
    """What one rule brought, and why."""

    currency: Literal["xp", "coins", "gems"]
    amount: int
    rule: str
    source: str
    reason: str


class RewardsOut(Out):
    """All that an attempt brought, from its first answer to its end."""

    xp: int
    coins: int
    gems: int
    entries: list[EntryOut]
    level_up: int | None


class CompletionOut(Out):
    """A finished attempt. `score` is 0 to 100, `right` of `asked` steps at the first answer."""

    attempt_id: Id
    lesson_id: Id
    lesson_title: str
    first_time: bool
    score: Annotated[float, Field(ge=0, le=100)]
    best_score: Annotated[float, Field(ge=0, le=100)]
    right: int
    asked: int
    seconds: int
    completed_at: Moment
    local_date: Day
    next_lesson_id: Id | None
    rewards: RewardsOut
