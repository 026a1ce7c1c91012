"""The prebuilt SQL of study: what is read under the lock, and one statement for all that an event changes.

Every write about a learner locks their row in `users` first, then the attempt, then its step; the game's rows come
after these. In this order nobody waits in a circle, and two requests about the same attempt come one after another.
"""

from sqlalchemy import Table, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB

from codyverse.courses.models import Lesson
from codyverse.progress.models import Answer, Attempt


def _table(model: type) -> Table:
    return model.__table__  # type: ignore[attr-defined, no-any-return]


lessons, attempts, answers = _table(Lesson), _table(Attempt), _table(Answer)

LOCKED_STEP = text("select * from study_step(:user_id, :attempt_id, null, :step_id)")
LOCKED_OPEN_STEP = text("select * from study_step(:user_id, null, :lesson_id, :step_id)")
"""An own attempt's step with its exercise, locked. What is locked is read as it is after the wait for the lock.
`met_before` asks about other attempts only, and those are finished, so that the wait cannot make it stale. The study time
is counted up to the later of two clocks: the learner has one for all lessons that are open, so that no time counts twice."""

LOCKED_ATTEMPT = text("select * from study_attempt(:user_id, :attempt_id)")
"""An own attempt, locked; and, read after that, how it stands: its steps counted, its lesson, and the learner's best so
far (null: never finished)."""

GIVEN_ANSWER = select(answers.c.answer).where(
    answers.c.attempt_id == bindparam("attempt_id"),
    answers.c.step_id == bindparam("step_id"),
    answers.c.try_no == bindparam("try_no"),
)

OPEN_ATTEMPT = select(attempts.c.id).where(
    attempts.c.user_id == bindparam("user_id"),
    attempts.c.lesson_id == bindparam("lesson_id"),
    attempts.c.completed_at.is_(None),
)

START = text("""
    insert into attempts (user_id, lesson_id, seed, started_at, last_event_at)
    values (:user_id, :lesson_id, :seed, :at, :at)
    on conflict (user_id, lesson_id) where completed_at is null do nothing
    returning id
""")

PIN_STEPS = text("""
    insert into attempt_steps (attempt_id, step_id, revision_id, position, asks)
    select :attempt_id, pin.* from unnest(
        cast(:step_ids as bigint[]), cast(:revision_ids as bigint[]), cast(:positions as int[]), cast(:asks as boolean[])
    ) as pin
""")

_CLOCK = "clock as (update users set studied_until = :counted_to where id = :user_id)"
_OTHER_VERSION = "other_version as (update users set studied_until = studied_until where id = :user_id)"
"""For what changes a learner's standing and not their clock: whoever saw it before finds the learner's row changed."""
WHOLE_COURSE = "study_has_whole_course(:user_id, :course_id)"
_DAY = "lessons, distinct_lessons, answers, correct, first_try, seconds, xp, mended"

ANSWER = (
    "study_answer(:user_id, :attempt_id, :step_id, :revision_id, :try_no, cast(:answer as jsonb), :correct, :hints, :gap, "
    ":at, :local_date, :seconds, :added, :counted_to, :counts, :counts_right, :counts_first)"
)
"""Keep a graded answer: the answer, its step, the study time, the day."""

ANSWER_SEEN = (
    "study_answer_seen(:user_id, :attempt_id, cast(:user_seen as xid), cast(:attempt_seen as xid), :step_id, :revision_id, "
    ":try_no, cast(:answer as jsonb), :correct, :hints, :gap, :at, :local_date, :reached, :owed, :seconds, :added, "
    ":counted_to, :counts, :counts_right, :counts_first)"
)
"""The same in an attempt that was seen without a lock: no row, and nothing done, if the learner's row is not as it was then.
What takes the locks is the writing. `reached` is the learner's new date, if it is one."""

COMPLETE = (
    "study_finish(:user_id, :attempt_id, :lesson_id, :course_id, :first_time, :at, :local_date, :score, :seconds, "
    ":added, :counted_to, :distinct)"
)
"""Finish an attempt: the attempt, the learner's standing with the lesson, the day; `whole_course`: with it every lesson is
finished that the course offers."""

COMPLETE_SEEN = (
    "study_finish_seen(:user_id, :attempt_id, cast(:user_seen as xid), cast(:attempt_seen as xid), :lesson_id, :course_id, "
    ":first_time, :at, :local_date, :reached, :owed, :score, :seconds, :added, :counted_to, :distinct)"
)
"""The same of an attempt that was seen without a lock, as `ANSWER_SEEN`."""

STUDY = text(f"""
    with step as (
        update attempt_steps set done_at = :done_at, hints = :hints, draft = :draft
        where attempt_id = :attempt_id and step_id = :step_id
    ), study as (
        update attempts set seconds = :seconds, last_event_at = :counted_to where id = :attempt_id
    ), {_CLOCK}
    insert into activity_days as day (user_id, local_date, seconds)
    values (:user_id, :local_date, :added)
    on conflict (user_id, local_date) do update set seconds = day.seconds + excluded.seconds
    returning {_DAY}
""").bindparams(bindparam("draft", type_=JSONB(none_as_null=True)))  # noqa: S608 - only the texts above
"""Keep what an event without an answer changed: a step read, a hint, a draft; the study time, the day."""

_FINISH = f"""
    standing as (
        insert into lesson_progress as standing (user_id, lesson_id, best_score, completions, first_completed_at,
                                                 first_local_date, last_completed_at, last_local_date)
        values (:user_id, :lesson_id, :score, 1, :at, :local_date, :at, :local_date)
        on conflict (user_id, lesson_id) do update set
            best_score = greatest(standing.best_score, excluded.best_score),
            completions = standing.completions + 1,
            last_completed_at = excluded.last_completed_at,
            last_local_date = excluded.last_local_date
    )
    insert into activity_days as day (user_id, local_date, lessons, distinct_lessons, seconds)
    values (:user_id, :local_date, 1, :distinct, :added)
    on conflict (user_id, local_date) do update set
        lessons = day.lessons + 1,
        distinct_lessons = day.distinct_lessons + excluded.distinct_lessons,
        seconds = day.seconds + excluded.seconds
    returning {_DAY}
"""  # noqa: S608 - only the texts above
"""The end of a statement that finishes a lesson: the learner's standing with it, the day."""

REPORT = text(f"""
    with done as (
        insert into attempts (user_id, lesson_id, seed, started_at, last_event_at, seconds, completed_at, local_date,
                              score, reported)
        values (:user_id, :lesson_id, 0, :at, :at, :seconds, :at, :local_date, :score, true)
        returning id
    ), {_OTHER_VERSION}, {_FINISH}, (select id from done) as attempt_id
""")  # noqa: S608 - only the texts above
"""Keep a lesson that was finished elsewhere, as an attempt of its own beside any that is open here."""

STOOD = text("""
    select standing.best_score, standing.last_local_date, coalesce((
        select sum(seconds) from attempts
        where user_id = :user_id and lesson_id = :lesson_id and (completed_at is null or local_date = :local_date)
    ), 0) as counted
    from (values (1)) as one left join lesson_progress as standing
        on standing.user_id = :user_id and standing.lesson_id = :lesson_id
""")
"""A learner's best so far with a lesson (null: never finished), and the study time that this day has of it."""

MODULE_OF = select(lessons.c.module_id).where(lessons.c.id == bindparam("lesson_id"))

POSITION = text(f"""
    with study as (
        update attempts set seconds = :seconds, last_event_at = :counted_to where id = :attempt_id
    ), {_CLOCK}
    insert into activity_days as day (user_id, local_date, seconds)
    values (:user_id, :local_date, :added)
    on conflict (user_id, local_date) do update set seconds = day.seconds + excluded.seconds
    returning {_DAY}
""")  # noqa: S608 - only the texts above
"""Keep that somebody is at work on an attempt elsewhere: the study time, the day."""
