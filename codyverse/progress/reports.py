"""What other programs tell about a learner's work: a lesson that was finished elsewhere, or where somebody is at it.

The honest way to finish a lesson is an attempt, where the server asks, grades and sees the time pass. A report is
believed, so whoever may send one must be trusted; the face sees to that. It publishes the same event, and is paid by the
same rules. Add and flush, never commit.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from codyverse.accounts.game_days import game_date_for
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Invalid, NotFound
from codyverse.core.events import publish
from codyverse.courses import queries as courses
from codyverse.courses.queries import LessonDetail
from codyverse.progress import rules, statements
from codyverse.progress.events import DayTotals, LessonCompleted, StudyTimeGrew
from codyverse.progress.services import start_attempt


@dataclass(frozen=True, slots=True)
class Report:
    """What a report came to: the finished attempt that it made, None if it told nothing new.

    `first_time`: the learner had never finished the lesson before it.
    """

    attempt_id: int | None
    first_time: bool


def report_completion(
    user_id: int, lesson_id: int, minutes: Any, score: Any, *, module_id: int | None = None
) -> Report:
    """Keep that a learner finished a lesson elsewhere, with a score of 0–100 after so many minutes (0–1440).

    Told again it changes nothing: on a local day on which the lesson was finished already, by a report or here, only a
    score above the best so far is news. On another day the lesson counts as done again. Time counts up to the lesson's
    estimate, for the day together with what the day has of this lesson already. An attempt that is open here goes on.
    Raises Invalid, and NotFound for a lesson that is unknown or no longer offered, or not of the module if one is told,
    and for an unknown learner.
    """
    at = now()
    told, result = _checked(minutes, score)
    local_date = game_date_for(user_id, at)
    lesson = _offered(lesson_id)
    _must_be_of(module_id, lesson_id)
    which = {"user_id": user_id, "lesson_id": lesson_id, "local_date": local_date}
    stood = session.connection().execute(statements.STOOD, which).one()
    best = None if stood.best_score is None else Fraction(stood.best_score)
    if best is not None and stood.last_local_date == local_date and result <= best:
        return Report(None, first_time=False)
    seconds = min(told, lesson.minutes * 60)
    attempt_id, day = _keep(
        **which,
        at=at,
        seconds=seconds,
        score=rules.stored_score(result),
        added=max(0, min(seconds, lesson.minutes * 60 - stood.counted)),
        distinct=int(stood.last_local_date != local_date),
    )
    publish(
        LessonCompleted(
            user_id=user_id,
            lesson_id=lesson_id,
            lesson_title=lesson.title,
            course_id=lesson.course_id,
            attempt_id=attempt_id,
            first_time=best is None,
            score=result,
            previous_best=best,
            seconds=seconds,
            difficulty=lesson.difficulty,
            at=at,
            local_date=local_date,
            day=day,
            reported=True,
        )
    )
    return Report(attempt_id, first_time=best is None)


def _checked(minutes: Any, score: Any) -> tuple[int, Fraction]:
    """Seconds and score. Raises one Invalid with every fault."""
    fields: dict[str, list[str]] = {}
    try:
        seconds = rules.reported_seconds(minutes)
    except Invalid as fault:
        fields |= fault.fields
    try:
        result = rules.reported_score(score)
    except Invalid as fault:
        fields |= fault.fields
    if fields:
        raise Invalid(fields)
    return seconds, result


def _offered(lesson_id: int) -> LessonDetail:
    lesson = courses.lesson(lesson_id)
    if lesson.retired:
        raise NotFound("This lesson is no longer offered.", "LESSON_NOT_FOUND")
    return lesson


def _must_be_of(module_id: int | None, lesson_id: int) -> None:
    if module_id is None:
        return
    found = session.connection().execute(statements.MODULE_OF, {"lesson_id": lesson_id}).scalar_one()
    if found != module_id:
        raise NotFound("There is no such lesson in this module.", "LESSON_NOT_FOUND")


def _keep(**values: Any) -> tuple[int, DayTotals]:
    row = session.connection().execute(statements.REPORT, values).one()
    return int(row.attempt_id), DayTotals(*row[:-1])


def report_position(user_id: int, lesson_id: int, minutes: Any, *, module_id: int | None = None) -> int:
    """Keep that a learner is at work on a lesson elsewhere, `minutes` into it so far; the id of their open attempt.

    It begins the lesson here, or goes on with the attempt that is open, so that "continue" leads there. Minutes that
    are told earn nothing by themselves: time counts as between any two events that the server saw, and no further than
    was told. So the same again is harmless. Raises Invalid, and NotFound for a lesson that is unknown or, unless an
    attempt is open, no longer offered.
    """
    at = now()
    told = rules.reported_seconds(minutes)
    local_date = game_date_for(user_id, at)
    attempt_id = start_attempt(user_id, lesson_id)
    _must_be_of(module_id, lesson_id)
    estimate = courses.lesson(lesson_id).minutes
    whose = {"user_id": user_id, "attempt_id": attempt_id}
    connection = session.connection()
    state = connection.execute(statements.LOCKED_ATTEMPT, whose).one()
    time = rules.study_time(state.seconds, state.counted_to, at, estimate, told)
    values = {
        "local_date": local_date,
        "seconds": time.seconds,
        "added": time.added,
        "counted_to": time.counted_to,
    }
    day = DayTotals(*connection.execute(statements.POSITION, whose | values).one())
    publish(StudyTimeGrew(user_id, lesson_id, attempt_id, at, local_date, day))
    return attempt_id
