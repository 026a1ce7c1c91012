"""A learner's progress as a whole, for programs: each lesson that was begun or done, the sums of all study days."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text

from codyverse.core.asking import ask, ask_one


@dataclass(frozen=True, slots=True)
class LessonStanding:
    """A lesson that is open or done. `attempt_id` is the open attempt; `offered`: it can still be begun.

    `best_score` 0–100, `completions`, and the two moments are None or 0 until it was finished once.
    """

    lesson_id: int
    title: str
    course_id: int
    offered: bool
    best_score: Decimal | None
    completions: int
    first_completed_at: datetime | None
    last_completed_at: datetime | None
    attempt_id: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """All study days together: finished lessons with repeats, different ones, answers, study time in seconds, days with a lesson."""

    completions: int
    lessons: int
    answers: int
    correct: int
    seconds: int
    days: int


_STANDINGS = text("""
    select lesson.id, lesson.title, lesson.course_id,
           lesson.retired_at is null and module.retired_at is null and course.retired_at is null as offered,
           done.best_score, coalesce(done.completions, 0), done.first_completed_at, done.last_completed_at, attempt.id
    from lessons as lesson
    join modules as module on module.id = lesson.module_id
    join courses as course on course.id = lesson.course_id
    left join lesson_progress as done on done.lesson_id = lesson.id and done.user_id = :user_id
    left join attempts as attempt
        on attempt.lesson_id = lesson.id and attempt.user_id = :user_id and attempt.completed_at is null
    where (done.user_id is not null or attempt.id is not null)
        and (cast(:course_id as bigint) is null or lesson.course_id = cast(:course_id as bigint))
    order by course.position, course.id, module.position, module.id, lesson.position, lesson.id
""")
_TOTALS = text("""
    select coalesce(sum(lessons), 0), (select count(*) from lesson_progress where user_id = :user_id),
           coalesce(sum(answers), 0), coalesce(sum(correct), 0), coalesce(sum(seconds), 0),
           count(*) filter (where lessons > 0)
    from activity_days where user_id = :user_id
""")


def lesson_standings(user_id: int, course_id: int | None = None) -> tuple[LessonStanding, ...]:
    """Every lesson that the learner has begun or done, of one course or of all, in their order. One statement."""
    values = {"user_id": user_id, "course_id": course_id}
    return tuple(LessonStanding(*row) for row in ask(_STANDINGS, values))


def totals(user_id: int) -> Totals:
    """The sums of all the learner's study days. One statement."""
    row = ask_one(_TOTALS, {"user_id": user_id})
    return Totals(*(int(number) for number in row))
