"""A lesson played by nobody: demo learners and drills go through the same services as people do."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select

from codyverse.core.clock import standing_at
from codyverse.core.database import session
from codyverse.courses.exercises import encode
from codyverse.courses.exercises.solving import right_answer, wrong_answer
from codyverse.courses.models import StepRevision
from codyverse.progress import services
from codyverse.progress.models import Attempt, AttemptStep
from codyverse.progress.rules import attempt_key

_PINNED = (
    select(Attempt.seed, AttemptStep.step_id, AttemptStep.tries, AttemptStep.done_at, StepRevision.exercise)
    .join(AttemptStep, AttemptStep.attempt_id == Attempt.id)
    .join(StepRevision, StepRevision.id == AttemptStep.revision_id)
    .where(Attempt.id == bindparam("attempt_id"))
    .order_by(AttemptStep.position)
)


@dataclass(frozen=True, slots=True)
class Style:
    """How somebody studies: the chance to be right at once, and the seconds a step takes, least and most."""

    skill: float = 1.0
    least_seconds: int = 15
    most_seconds: int = 80


def solution(attempt_id: int, step_id: int, *, right: bool = True) -> Any:
    """A right (or wrong) answer to a step of this attempt, in the shape in which a browser or client gives it."""
    for row in session.execute(_PINNED, {"attempt_id": attempt_id}):
        if row.step_id == step_id and row.exercise is not None:
            answer = (right_answer if right else wrong_answer)(row.exercise)
            return encode(row.exercise, attempt_key(row.seed), answer)
    raise LookupError(f"step {step_id} of attempt {attempt_id} asks nothing")


def play(
    user_id: int, lesson_id: int, at: datetime, *, until: datetime, style: Style, dice: random.Random
) -> datetime:
    """Go through a lesson from the moment `at` on, in the caller's transaction; the moment it ended.

    What would happen after `until` does not happen: the lesson stays open there. A lesson that is open goes on.
    """
    with standing_at(at):
        attempt_id = services.start_attempt(user_id, lesson_id)
    rows = session.execute(_PINNED, {"attempt_id": attempt_id}).all()
    for row in (each for each in rows if each.done_at is None):
        at += timedelta(seconds=dice.randint(style.least_seconds, style.most_seconds))
        if at >= until:
            return at
        with standing_at(at):
            _do_step(user_id, attempt_id, row, style, dice)
    at += timedelta(seconds=5)
    if at < until:
        with standing_at(at):
            services.complete_attempt(user_id, attempt_id)
    return at


def _do_step(user_id: int, attempt_id: int, row: Any, style: Style, dice: random.Random) -> None:
    if row.exercise is None:
        services.finish_teaching(user_id, attempt_id, row.step_id)
        return
    key, number = attempt_key(row.seed), row.tries + 1
    if dice.random() > style.skill:
        missed = encode(row.exercise, key, wrong_answer(row.exercise))
        services.answer_step(user_id, attempt_id, row.step_id, number, missed)
        number += 1
    given = encode(row.exercise, key, right_answer(row.exercise))
    services.answer_step(user_id, attempt_id, row.step_id, number, given)
