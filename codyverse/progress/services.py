"""Writes about study: attempts, answers, hints, drafts, completions. Add and flush, never commit.

Each function is one use case on the learner's own attempt; somebody else's does not exist (NotFound). All of them
may be sent twice: what happened already is not counted again.
"""

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson

from codyverse.accounts.game_days import raise_game_date, reckoned_date
from codyverse.core.asking import send_one
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.core.events import publish
from codyverse.core.together import keep, together
from codyverse.courses import exercises
from codyverse.courses import queries as courses
from codyverse.courses.exercises import Verdict
from codyverse.progress import rules, statements
from codyverse.progress.events import DAY_COLUMNS, DayTotals, LessonCompleted, StepAnswered, StudyTimeGrew
from codyverse.progress.seen import Seen, SeenStep, seen, seen_step


def start_attempt(user_id: int, lesson_id: int) -> int:
    """Begin a lesson, or go on with the attempt that is open; the attempt's id. As `begin_attempt` otherwise."""
    return begin_attempt(user_id, lesson_id)[0]


def begin_attempt(user_id: int, lesson_id: int) -> tuple[int, bool]:
    """The learner's open attempt at a lesson, and whether this call made it.

    A new attempt pins the revisions of its steps; an open one keeps those it began with. Raises NotFound if there is
    no such lesson, or if it is retired and not open.
    """
    whose = {"user_id": user_id, "lesson_id": lesson_id}
    connection = session.connection()
    while (open_id := connection.execute(statements.OPEN_ATTEMPT, whose).scalar()) is None:
        if courses.lesson(lesson_id).retired:
            raise NotFound("This lesson is no longer offered.", "LESSON_NOT_FOUND")
        begun = {**whose, "seed": secrets.randbits(63), "at": now()}
        attempt_id = connection.execute(statements.START, begun).scalar()
        if attempt_id is not None:
            _pin_steps(attempt_id, lesson_id)
            return int(attempt_id), True
    return int(open_id), False


def _pin_steps(attempt_id: int, lesson_id: int) -> None:
    pins = courses.current_steps(lesson_id)
    values = {
        "attempt_id": attempt_id,
        "step_ids": [pin.step_id for pin in pins],
        "revision_ids": [pin.revision_id for pin in pins],
        "positions": [pin.position for pin in pins],
        "asks": [pin.asks for pin in pins],
    }
    session.connection().execute(statements.PIN_STEPS, values)


def answer_step(user_id: int, attempt_id: int, step_id: int, try_no: int, given: Any) -> Verdict:
    """Grade an answer on the revision that the attempt pinned, and keep it; the verdict with its explanation.

    `given` has the contract's shape for the step's kind. Tries count from 1; the first one counts for the score, any
    number may follow. The same answer under the same number replays its verdict and stores nothing; another answer
    is a Conflict, as is a number out of turn or a finished attempt. Raises Invalid for what is no answer to this step.
    """
    state = _locked_step(user_id, attempt_id, step_id)
    return _answer(user_id, state, step_id, try_no, given)


def answer_open_step(user_id: int, lesson_id: int, step_id: int, try_no: int, given: Any) -> int:
    """The same in the attempt that is open at this lesson, whichever it is; its id. Raises NotFound if none is."""
    stood = seen_step(lesson_id, step_id, try_no)
    if stood is not None and _grade(user_id, stood, step_id, try_no, given) is not None:
        return stood.attempt_id
    which = {"user_id": user_id, "lesson_id": lesson_id, "step_id": step_id}
    state = send_one(statements.LOCKED_OPEN_STEP, which)
    if state is None:
        raise NotFound("There is no such step in an open attempt of yours.")
    _answer(user_id, state, step_id, try_no, given)
    return int(state.attempt_id)


def _answer(user_id: int, state: Any, step_id: int, try_no: int, given: Any) -> Verdict:
    if not state.asks:
        raise Invalid({"stepId": ["This step asks nothing."]})
    if 1 <= try_no <= state.tries:
        return _replayed(state, step_id, try_no, given)
    # what is no answer at all is said before anything else
    exercises.decode(state.exercise, rules.attempt_key(state.seed), given)
    _must_be_open(state)
    if try_no != state.tries + 1:
        raise Conflict(f"The next try at this step is number {state.tries + 1}.")
    verdict = _grade(user_id, state, step_id, try_no, given)
    assert verdict is not None
    return verdict


def _grade(user_id: int, state: Any, step_id: int, try_no: int, given: Any) -> Verdict | None:
    """Grade the next try and keep it; None, and nothing done, if the step was only seen and something has happened since."""
    at = now()
    answer = exercises.decode(state.exercise, rules.attempt_key(state.seed), given)
    verdict = exercises.grade(state.exercise, answer)
    first_try = verdict.correct and try_no == 1 and not state.met_before
    is_seen = isinstance(state, SeenStep)
    when = _when_seen(state, at) if is_seen else _when(user_id, state, at)
    gap = max(timedelta(0), at - state.counted_to)
    values = when | {
        "user_id": user_id,
        "attempt_id": state.attempt_id,
        "step_id": step_id,
        "revision_id": state.revision_id,
        "try_no": try_no,
        "answer": orjson.dumps(answer).decode(),
        "correct": verdict.correct,
        "hints": state.hints,
        "gap": min(int(gap.total_seconds()), 2**31 - 1),
        "counts": int(not state.solved),
        "counts_right": int(verdict.correct and not state.solved),
        "counts_first": int(first_try),
    }
    with together():
        row = keep("study", statements.ANSWER_SEEN if is_seen else statements.ANSWER, values)
        if row is None:
            return None
        told = (state.lesson_id, state.attempt_id, step_id, verdict.correct, first_try)
        publish(StepAnswered(user_id, *told, at, when["local_date"], DayTotals(*row[:DAY_COLUMNS])))
    return verdict


def _replayed(state: Any, step_id: int, try_no: int, given: Any) -> Verdict:
    answer = exercises.decode(state.exercise, rules.attempt_key(state.seed), given)
    which = {"attempt_id": state.attempt_id, "step_id": step_id, "try_no": try_no}
    before = session.connection().execute(statements.GIVEN_ANSWER, which).scalar_one()
    if before != answer:
        raise Conflict(
            f"Try {try_no} at this step was already made with another answer, perhaps somewhere else. "
            f"The next try is number {state.tries + 1}."
        )
    return exercises.grade(state.exercise, answer)


def finish_teaching(user_id: int, attempt_id: int, step_id: int) -> None:
    """A teaching step was read. Again, or after the attempt was finished, it is harmless. Raises Invalid if it asks."""
    at = now()
    state = _locked_step(user_id, attempt_id, step_id)
    if state.asks:
        raise Invalid({"stepId": ["This step asks something; answer it."]})
    if state.done_at is None and state.completed_at is None:
        _study(user_id, attempt_id, step_id, state, at, done_at=at)


def take_hint(user_id: int, attempt_id: int, step_id: int, n: int) -> str:
    """Take hint number `n`, from 1, one after another; its text as HTML. Hints cost nothing.

    One that was taken before is only shown again. Raises Conflict out of turn or when the attempt is finished, and
    NotFound if the step has not so many.
    """
    at = now()
    state = _locked_step(user_id, attempt_id, step_id)
    if not state.asks or not 1 <= n <= exercises.hint_count(state.exercise):
        raise NotFound("There is no such hint.")
    if n > state.hints:
        _must_be_open(state)
        if n != state.hints + 1:
            raise Conflict(f"The next hint is number {state.hints + 1}.")
        _study(user_id, attempt_id, step_id, state, at, hints=n)
    return exercises.hint(state.exercise, n)


def save_draft(user_id: int, attempt_id: int, step_id: int, given: Any, try_no: int | None = None) -> None:
    """Keep a half-written answer, so that nothing typed is lost. The next answer to the step clears it.

    `try_no`, if told, is the try that is being written: a draft that arrives after its answer is left aside, and so
    is one that says just what the last answer said. Raises Invalid for another shape than the step's kind has, and
    Conflict when the attempt is finished.
    """
    at = now()
    state = _locked_step(user_id, attempt_id, step_id)
    draft = {"given": rules.checked_draft(state.kind, given)}
    _must_be_open(state)
    late = try_no is not None and try_no <= state.tries
    if late or draft == state.draft or _is_last_answer(state, attempt_id, step_id, given):
        return
    _study(user_id, attempt_id, step_id, state, at, draft=draft)


def _is_last_answer(state: Any, attempt_id: int, step_id: int, given: Any) -> bool:
    if state.tries == 0 or state.draft is not None:
        return False
    which = {"attempt_id": attempt_id, "step_id": step_id, "try_no": state.tries}
    last = session.connection().execute(statements.GIVEN_ANSWER, which).scalar_one()
    try:
        return bool(exercises.decode(state.exercise, rules.attempt_key(state.seed), given) == last)
    except Invalid:
        return False


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt that was finished just now, as it stands. `right` of `asked` steps were right at the first answer."""

    attempt_id: int
    lesson_id: int
    first_time: bool
    score: Decimal
    best_score: Decimal
    right: int
    asked: int
    seconds: int
    completed_at: datetime
    local_date: date


def complete_attempt(user_id: int, attempt_id: int, lesson_id: int | None = None) -> Finished | None:
    """Finish an attempt whose asking steps are all answered; again it changes nothing, and tells None.

    Publishes LessonCompleted to the call that finished it, once for all time. Raises Conflict ATTEMPT_INCOMPLETE
    while asking steps are open; teaching steps need not be confirmed one by one. Raises NotFound, also if
    `lesson_id` is told and the attempt is at another lesson.
    """
    at = now()
    stood = seen(attempt_id)
    if stood is not None and lesson_id in (None, stood.lesson_id):
        finished = _complete(user_id, attempt_id, stood, _when_seen(stood, at), statements.COMPLETE_SEEN)
        if finished is not None:
            return finished
    whose = {"user_id": user_id, "attempt_id": attempt_id}
    state = send_one(statements.LOCKED_ATTEMPT, whose)
    if state is None or lesson_id not in (None, state.lesson_id):
        raise NotFound("There is no such attempt.")
    if state.completed_at is not None:
        return None
    if state.waiting:
        steps = "1 step still waits" if state.waiting == 1 else f"{state.waiting} steps still wait"
        raise Conflict(f"{steps} for an answer.", "ATTEMPT_INCOMPLETE")
    finished = _complete(user_id, attempt_id, state, _when(user_id, state, at), statements.COMPLETE)
    assert finished is not None
    return finished


def _complete(
    user_id: int, attempt_id: int, state: Any, when: dict[str, Any], source: str
) -> Finished | None:
    score = rules.score(state.answered_right, state.asked)
    stored, before = rules.stored_score(score), state.best_score
    values = when | {
        "user_id": user_id,
        "attempt_id": attempt_id,
        "lesson_id": state.lesson_id,
        "course_id": state.course_id,
        "first_time": before is None,
        "score": stored,
        "distinct": int(state.last_local_date != when["local_date"]),
    }
    with together():
        row = keep("lesson", source, values)
        if row is None:
            return None
        publish(
            LessonCompleted(
                user_id=user_id,
                lesson_id=state.lesson_id,
                lesson_title=state.title,
                course_id=state.course_id,
                attempt_id=attempt_id,
                first_time=before is None,
                score=score,
                previous_best=None if before is None else Fraction(before),
                seconds=when["seconds"],
                difficulty=state.difficulty,
                at=when["at"],
                local_date=when["local_date"],
                day=DayTotals(*row[:DAY_COLUMNS]),
            )
        )
    return Finished(
        attempt_id=attempt_id,
        lesson_id=state.lesson_id,
        first_time=before is None,
        score=stored,
        best_score=stored if before is None else max(before, stored),
        right=state.answered_right,
        asked=state.asked,
        seconds=when["seconds"],
        completed_at=when["at"],
        local_date=when["local_date"],
    )


def _locked_step(user_id: int, attempt_id: int, step_id: int) -> Any:
    """The learner's own attempt with one of its steps, locked until the end. Raises NotFound."""
    which = {"user_id": user_id, "attempt_id": attempt_id, "step_id": step_id}
    state = send_one(statements.LOCKED_STEP, which)
    if state is None:
        raise NotFound("There is no such step in an attempt of yours.")
    return state


def _must_be_open(state: Any) -> None:
    if state.completed_at is not None:
        raise Conflict("This attempt is finished. Begin the lesson again to practise.")


def _when(user_id: int, state: Any, at: datetime) -> dict[str, Any]:
    """The learner's date for an event at `at`, kept if it is a new one, and the study time that the event closes."""
    today = raise_game_date(
        user_id,
        at,
        state.time_zone,
        state.day_start_hour,
        last=state.last_game_date,
        owed=state.owed_until,
    )
    return _closed(state, at, today)


def _when_seen(state: Seen | SeenStep, at: datetime) -> dict[str, Any]:
    """The same where nothing is locked yet: a new date is kept by the statement that writes all the rest, if nothing has
    happened since."""
    told = (at, state.time_zone, state.day_start_hour, state.last_game_date, state.owed_until)
    today, owed = reckoned_date(*told)
    is_new = today != state.last_game_date
    return _closed(state, at, today) | {
        "user_seen": state.user_seen,
        "attempt_seen": state.attempt_seen,
        "reached": today if is_new else None,
        "owed": owed if is_new else None,
    }


def _closed(state: Any, at: datetime, today: date) -> dict[str, Any]:
    time = rules.study_time(state.seconds, state.counted_to, at, state.minutes)
    return {
        "at": at,
        "local_date": today,
        "seconds": time.seconds,
        "added": time.added,
        "counted_to": time.counted_to,
    }


def _study(user_id: int, attempt_id: int, step_id: int, state: Any, at: datetime, **changed: Any) -> None:
    """Keep an event that is no answer: what it `changed` of the step, its study time, its day."""
    when = _when(user_id, state, at)
    step = {"done_at": state.done_at, "hints": state.hints, "draft": state.draft} | changed
    which = {"user_id": user_id, "attempt_id": attempt_id, "step_id": step_id}
    values = when | which | step
    day = DayTotals(*send_one(statements.STUDY, values))
    publish(StudyTimeGrew(user_id, state.lesson_id, attempt_id, at, when["local_date"], day))
