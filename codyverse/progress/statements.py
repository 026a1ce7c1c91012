"""The prebuilt SQL of study: what is read under the lock, and one statement for all that an event changes.

Every write about a learner locks their row in `users` first, then the attempt, then its step; the game's rows come
after these. In this order nobody waits in a circle, and two requests about the same attempt come one after another.
"""

from sqlalchemy import Table, bindparam, exists, func, select, text
from sqlalchemy.dialects.postgresql import JSONB

from codyverse.accounts.models import User
from codyverse.courses.models import Lesson, StepRevision
from codyverse.progress.models import Answer, Attempt, AttemptStep, LessonProgress


def _table(model: type) -> Table:
    return model.__table__  # type: ignore[attr-defined, no-any-return]


users, lessons, revisions = _table(User), _table(Lesson), _table(StepRevision)
attempts, attempt_steps, answers = _table(Attempt), _table(AttemptStep), _table(Answer)
lesson_progress = _table(LessonProgress)

_CALENDAR = (users.c.time_zone, users.c.day_start_hour, users.c.last_game_date, users.c.owed_until)
_COUNTED_TO = func.greatest(attempts.c.last_event_at, users.c.studied_until).label("counted_to")
"""The learner has one clock: time that was counted in one lesson is not counted again in another that is open, too."""

_LOCKED = (
    select(
        *_CALENDAR,
        attempts.c.id.label("attempt_id"),
        attempts.c.lesson_id,
        attempts.c.seed,
        attempts.c.seconds,
        _COUNTED_TO,
        attempts.c.completed_at,
        attempt_steps.c.revision_id,
        attempt_steps.c.asks,
        attempt_steps.c.tries,
        attempt_steps.c.solved,
        attempt_steps.c.hints,
        attempt_steps.c.done_at,
        attempt_steps.c.draft,
        revisions.c.kind,
        revisions.c.exercise,
        lessons.c.minutes,
        exists()
        .where(
            answers.c.user_id == users.c.id,
            answers.c.step_id == attempt_steps.c.step_id,
            answers.c.attempt_id != attempts.c.id,
        )
        .label("met_before"),
    )
    .select_from(users)
    .join(attempts, attempts.c.user_id == users.c.id)
    .join(attempt_steps, attempt_steps.c.attempt_id == attempts.c.id)
    .join(revisions, revisions.c.id == attempt_steps.c.revision_id)
    .join(lessons, lessons.c.id == attempts.c.lesson_id)
    .where(users.c.id == bindparam("user_id"), attempt_steps.c.step_id == bindparam("step_id"))
    .with_for_update(key_share=True, of=(users, attempts, attempt_steps))
)
LOCKED_STEP = _LOCKED.where(attempts.c.id == bindparam("attempt_id"))
LOCKED_OPEN_STEP = _LOCKED.where(
    attempts.c.lesson_id == bindparam("lesson_id"), attempts.c.completed_at.is_(None)
)
"""An own attempt's step with its exercise, locked. What is locked is read as it is after the wait for the lock.
`met_before` asks about other attempts only, and those are finished, so that the wait cannot make it stale."""

LOCKED_ATTEMPT = (
    select(
        *_CALENDAR,
        attempts.c.lesson_id,
        attempts.c.seconds,
        _COUNTED_TO,
        attempts.c.completed_at,
    )
    .select_from(users)
    .join(attempts, attempts.c.user_id == users.c.id)
    .where(users.c.id == bindparam("user_id"), attempts.c.id == bindparam("attempt_id"))
    .with_for_update(key_share=True, of=(users, attempts))
)

_asking = attempt_steps.c.asks
_STEPS = (
    select(
        func.count().filter(_asking).label("asked"),
        func.count().filter(_asking, attempt_steps.c.first_correct).label("right"),
        func.count().filter(_asking, attempt_steps.c.done_at.is_(None)).label("open"),
    )
    .where(attempt_steps.c.attempt_id == bindparam("attempt_id"))
    .subquery("counted")
)
STANDING = (
    select(
        _STEPS.c.asked,
        _STEPS.c.right,
        _STEPS.c.open,
        lessons.c.title,
        lessons.c.difficulty,
        lessons.c.minutes,
        lessons.c.course_id,
        lesson_progress.c.best_score,
        lesson_progress.c.last_local_date,
    )
    .select_from(lessons)
    .join(_STEPS, text("true"))
    .outerjoin(
        lesson_progress,
        (lesson_progress.c.lesson_id == lessons.c.id) & (lesson_progress.c.user_id == bindparam("user_id")),
    )
    .where(lessons.c.id == bindparam("lesson_id"))
)
"""How an attempt stands: its steps counted, its lesson, and the learner's best so far (null: never finished)."""

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
_DAY = "lessons, distinct_lessons, answers, correct, first_try, seconds, xp, mended"

ANSWER = text(f"""
    with given as (
        insert into answers (attempt_id, user_id, step_id, revision_id, try_no, answer, correct, hints, seconds,
                             local_date, created_at)
        values (:attempt_id, :user_id, :step_id, :revision_id, :try_no, :answer, :correct, :hints, :gap,
                :local_date, :at)
    ), step as (
        update attempt_steps
        set tries = :try_no, first_correct = coalesce(first_correct, :correct), solved = solved or :correct,
            done_at = coalesce(done_at, :at), draft = null
        where attempt_id = :attempt_id and step_id = :step_id
    ), study as (
        update attempts set seconds = :seconds, last_event_at = :counted_to where id = :attempt_id
    ), {_CLOCK}
    insert into activity_days as day (user_id, local_date, answers, correct, first_try, seconds)
    values (:user_id, :local_date, :counts, :counts_right, :counts_first, :added)
    on conflict (user_id, local_date) do update set
        answers = day.answers + excluded.answers,
        correct = day.correct + excluded.correct,
        first_try = day.first_try + excluded.first_try,
        seconds = day.seconds + excluded.seconds
    returning {_DAY}
""").bindparams(bindparam("answer", type_=JSONB(none_as_null=True)))  # noqa: S608 - only the texts above
"""Keep a graded answer: the answer, its step, the study time, the day."""

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

COMPLETE = text(f"""
    with done as (
        update attempts
        set completed_at = :at, local_date = :local_date, score = :score, seconds = :seconds,
            last_event_at = :counted_to
        where id = :attempt_id
    ), {_CLOCK}, {_FINISH}
""")  # noqa: S608 - only the texts above
"""Finish an attempt: the attempt, the learner's standing with the lesson, the day."""

REPORT = text(f"""
    with done as (
        insert into attempts (user_id, lesson_id, seed, started_at, last_event_at, seconds, completed_at, local_date,
                              score, reported)
        values (:user_id, :lesson_id, 0, :at, :at, :seconds, :at, :local_date, :score, true)
        returning id
    ), {_FINISH}, (select id from done) as attempt_id
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
