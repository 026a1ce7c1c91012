"""The lesson player and the summary after it: an attempt as its learner sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from codyverse.core.asking import ask
from codyverse.core.errors import NotFound
from codyverse.courses import exercises
from codyverse.courses import queries as courses
from codyverse.courses.exercises import ExerciseView, Verdict
from codyverse.courses.queries import StepContent
from codyverse.progress.rules import attempt_key


@dataclass(frozen=True, slots=True)
class StepDot:
    """A step in the progress bar. `right`: None before an answer and for teaching steps, then whether it was right at once."""

    position: int
    state: str
    right: bool | None


@dataclass(frozen=True, slots=True)
class StepView:
    """The step that is shown. `given` is the draft, else the last answer, in the contract's shape; `try_no` the next try.

    `verdict` belongs to the last answer. `hints` are those taken, as HTML; `hints_left` how many more there are.
    """

    step_id: int
    position: int
    kind: str
    title: str
    body_html: str
    done: bool
    exercise: ExerciseView | None
    given: Any
    try_no: int
    hints: tuple[str, ...]
    hints_left: int
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class PlayerView:
    """An attempt as its player shows it. `all_done`: every step was read or answered."""

    attempt_id: int
    lesson_id: int
    lesson_title: str
    goal: str
    course_slug: str
    course_title: str
    steps: tuple[StepDot, ...]
    current: StepView
    all_done: bool

    @property
    def following(self) -> int | None:
        """The place of the step after the one that is shown."""
        return next((dot.position for dot in self.steps if dot.position > self.current.position), None)

    @property
    def left_open(self) -> int | None:
        """The place of the first other step that is still open."""
        return next((dot.position for dot in self.steps if dot.state == "open"), None)


@dataclass(frozen=True, slots=True)
class WholeAttempt:
    """An attempt with all its steps at once, for programs that show them in their own way."""

    attempt_id: int
    lesson_id: int
    lesson_title: str
    goal: str
    course_slug: str
    course_title: str
    started_at: datetime
    completed_at: datetime | None
    steps: tuple[StepView, ...]


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How an asking step went: right at the first answer, or in the end; how many tries and hints it took."""

    position: int
    title: str
    first_right: bool
    solved: bool
    tries: int
    hints: int


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished attempt: `score` 0–100, `right` of `asked` steps at the first answer, `seconds` of study time.

    One that was `reported` has no steps: score and time are what another program told.
    """

    attempt_id: int
    lesson_id: int
    lesson_title: str
    course_slug: str
    course_title: str
    first_time: bool
    score: Decimal
    best_score: Decimal
    right: int
    asked: int
    seconds: int
    completed_at: datetime
    local_date: date
    steps: tuple[StepOutcome, ...]
    next_lesson_id: int | None
    next_lesson_title: str | None
    reported: bool = False


_PLAYER = text("select * from study_player(:user_id, :attempt_id)")
"""An own attempt with its steps in order, and what was answered last to each. `step_page`, another function of the
database, has the same columns first."""
Steps = list[Row[*tuple[Any, ...]]]
Where = Callable[[Steps], int]
"""At which of these steps somebody looks."""


def at_place(step: int | None) -> Where:
    """The step in place `step`; without one, or out of range, the first that is open. When all are done, the last."""

    def where(rows: Steps) -> int:
        places = {row.position: index for index, row in enumerate(rows)}
        index = places.get(step) if step is not None else None
        return _first_open(rows) if index is None else index

    return where


def at_step(step_id: int) -> Where:
    """The step with this id. Raises NotFound if the attempt has no such step."""
    return lambda rows: _index_of(rows, step_id)


def after_step(step_id: int) -> Where:
    """The step that follows this one; after the last the first that is open, else the last."""

    def where(rows: Steps) -> int:
        index = _index_of(rows, step_id) + 1
        return index if index < len(rows) else _first_open(rows)

    return where


FIRST_OPEN = at_place(None)


def player(user_id: int, attempt_id: int, where: Where = FIRST_OPEN) -> PlayerView:
    """The learner's own attempt at one of its steps. Two statements. Raises NotFound."""
    return player_in(_steps(user_id, attempt_id), where)


def player_in(rows: Steps, where: Where) -> PlayerView:
    """The same from the rows of `_PLAYER` or `step_page`. One statement. Raises NotFound where there are none."""
    if not rows:
        raise NotFound("There is no such attempt.")
    return _player_at(rows, where(rows))


def whole_attempt(user_id: int, attempt_id: int) -> WholeAttempt:
    """The learner's own attempt with all its steps, open or finished. Two statements. Raises NotFound."""
    rows = _steps(user_id, attempt_id)
    contents = courses.revisions([row.revision_id for row in rows])
    first = rows[0]
    return WholeAttempt(
        attempt_id=first.id,
        lesson_id=first.lesson_id,
        lesson_title=first.title,
        goal=first.goal,
        course_slug=first.key,
        course_title=first.course_title,
        started_at=first.started_at,
        completed_at=first.completed_at,
        steps=tuple(_step_view(row, contents[row.revision_id]) for row in rows),
    )


def _steps(user_id: int, attempt_id: int) -> Steps:
    which = {"user_id": user_id, "attempt_id": attempt_id}
    rows = ask(_PLAYER, which)
    if not rows:
        raise NotFound("There is no such attempt.")
    return rows


def _first_open(rows: Steps) -> int:
    return next((index for index, row in enumerate(rows) if row.done_at is None), len(rows) - 1)


def _index_of(rows: Steps, step_id: int) -> int:
    for index, row in enumerate(rows):
        if row.step_id == step_id:
            return index
    raise NotFound("There is no such step in this attempt.")


def _player_at(rows: Steps, index: int) -> PlayerView:
    shown = rows[index]
    content = courses.revisions([shown.revision_id])[shown.revision_id]
    return PlayerView(
        attempt_id=shown.id,
        lesson_id=shown.lesson_id,
        lesson_title=shown.title,
        goal=shown.goal,
        course_slug=shown.key,
        course_title=shown.course_title,
        steps=tuple(_dot(row, current=row is shown) for row in rows),
        current=_step_view(shown, content),
        all_done=all(row.done_at is not None for row in rows),
    )


def _dot(row: Row[*tuple[Any, ...]], *, current: bool) -> StepDot:
    state = "current" if current else "done" if row.done_at is not None else "open"
    return StepDot(row.position, state, row.first_correct)


def _step_view(row: Row[*tuple[Any, ...]], content: StepContent) -> StepView:
    exercise, key = content.exercise, attempt_key(row.seed)
    given = verdict = shown = None
    hints: tuple[str, ...] = ()
    left = 0
    if exercise is not None:
        shown = exercises.present(exercise, key)
        if row.tries:
            verdict = exercises.grade(exercise, row.answer)
            given = exercises.encode(exercise, key, row.answer)
        if row.draft is not None:
            given = row.draft["given"]
        hints = tuple(exercises.hint(exercise, n) for n in range(1, row.hints + 1))
        left = max(0, exercises.hint_count(exercise) - row.hints)
    return StepView(
        step_id=row.step_id,
        position=row.position,
        kind=content.kind,
        title=content.title,
        body_html=content.body_html,
        done=row.done_at is not None,
        exercise=shown,
        given=given,
        try_no=row.tries + 1,
        hints=hints,
        hints_left=left,
        verdict=verdict,
    )


_COMPLETION = text("select * from study_outcome(:user_id, :attempt_id)")
"""A finished attempt with its asking steps in order; one row without a step, if it has none."""


def completion(user_id: int, attempt_id: int) -> Completion:
    """A finished attempt of the learner's own, with how each asking step went. Raises NotFound, also while it is open."""
    which = {"user_id": user_id, "attempt_id": attempt_id}
    rows = ask(_COMPLETION, which)
    if not rows:
        raise NotFound("There is no such finished attempt.")
    first = rows[0]
    asking = [row for row in rows if row.revision_id is not None]
    contents = courses.revisions([row.revision_id for row in asking])
    steps = tuple(
        StepOutcome(
            position=row.position,
            title=contents[row.revision_id].title,
            first_right=row.first_correct is True,
            solved=row.solved,
            tries=row.tries,
            hints=row.hints,
        )
        for row in asking
    )
    lesson = courses.lesson(first.lesson_id)
    return Completion(
        attempt_id=attempt_id,
        lesson_id=first.lesson_id,
        lesson_title=lesson.title,
        course_slug=lesson.course_slug,
        course_title=lesson.course_title,
        first_time=first.first_completed_at == first.completed_at,
        score=first.score,
        best_score=first.best_score,
        right=sum(step.first_right for step in steps),
        asked=len(steps),
        seconds=first.seconds,
        completed_at=first.completed_at,
        local_date=first.local_date,
        steps=steps,
        next_lesson_id=lesson.next_lesson_id,
        next_lesson_title=lesson.next_lesson_title,
        reported=first.reported,
    )
