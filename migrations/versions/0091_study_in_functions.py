"""what study reads under the lock and writes: functions, whose plans a connection keeps"""

from alembic import op

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None

_DAY = """lessons int, distinct_lessons int, answers int, correct int, first_try int, seconds int, xp int, mended int"""
_DAY_COLUMNS = "lessons, distinct_lessons, answers, correct, first_try, seconds, xp, mended"

_ATTEMPT = """
create function study_attempt(p_user bigint, p_attempt bigint) returns table (
    time_zone text, day_start_hour smallint, last_game_date date, owed_until timestamptz, lesson_id bigint, seconds int,
    counted_to timestamptz, completed_at timestamptz, asked bigint, answered_right bigint, waiting bigint, title text,
    difficulty text, minutes smallint, course_id bigint, best_score numeric, last_local_date date
) language plpgsql {HOW} as $$
#variable_conflict use_column
declare
    v_lesson bigint;
begin
    select users.time_zone, users.day_start_hour, users.last_game_date, users.owed_until, attempts.lesson_id,
           attempts.seconds, greatest(attempts.last_event_at, users.studied_until), attempts.completed_at
    into time_zone, day_start_hour, last_game_date, owed_until, v_lesson, seconds, counted_to, completed_at
    from users join attempts on attempts.user_id = users.id
    where users.id = p_user and attempts.id = p_attempt
    for no key update of users, attempts;
    if not found then
        return;
    end if;
    lesson_id := v_lesson;
    select counted.asked, counted.answered_right, counted.waiting, lessons.title, lessons.difficulty, lessons.minutes,
           lessons.course_id, standing.best_score, standing.last_local_date
    into asked, answered_right, waiting, title, difficulty, minutes, course_id, best_score, last_local_date
    from lessons
    cross join (
        select count(*) filter (where step.asks) as asked,
               count(*) filter (where step.asks and step.first_correct) as answered_right,
               count(*) filter (where step.asks and step.done_at is null) as waiting
        from attempt_steps as step where step.attempt_id = p_attempt
    ) as counted
    left join lesson_progress as standing on standing.lesson_id = lessons.id and standing.user_id = p_user
    where lessons.id = v_lesson;
    return next;
end $$
"""

_STEP_COLUMNS = """
    select users.time_zone, users.day_start_hour, users.last_game_date, users.owed_until, attempts.id,
           attempts.lesson_id, attempts.seed, attempts.seconds, greatest(attempts.last_event_at, users.studied_until),
           attempts.completed_at, step.revision_id, step.asks, step.tries, step.solved, step.hints, step.done_at,
           step.draft, revision.kind, revision.exercise, lessons.minutes,
           exists (
               select from answers
               where answers.user_id = users.id and answers.step_id = step.step_id and answers.attempt_id <> attempts.id
           )
    from users
    join attempts on attempts.user_id = users.id
    join attempt_steps as step on step.attempt_id = attempts.id
    join step_revisions as revision on revision.id = step.revision_id
    join lessons on lessons.id = attempts.lesson_id
    where users.id = p_user and step.step_id = p_step
"""
_STEP = f"""
create function study_step(p_user bigint, p_attempt bigint, p_lesson bigint, p_step bigint) returns table (
    time_zone text, day_start_hour smallint, last_game_date date, owed_until timestamptz, attempt_id bigint,
    lesson_id bigint, seed bigint, seconds int, counted_to timestamptz, completed_at timestamptz, revision_id bigint,
    asks boolean, tries int, solved boolean, hints smallint, done_at timestamptz, draft jsonb, kind text, exercise jsonb,
    minutes smallint, met_before boolean
) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    if p_attempt is not null then
        return query {_STEP_COLUMNS} and attempts.id = p_attempt
        for no key update of users, attempts, step;
    else
        return query {_STEP_COLUMNS} and attempts.lesson_id = p_lesson and attempts.completed_at is null
        for no key update of users, attempts, step;
    end if;
end $$
"""

_COMPLETE = f"""
create function study_complete(
    p_user bigint, p_attempt bigint, p_lesson bigint, p_course bigint, p_first_time boolean, p_at timestamptz, p_date date,
    p_score numeric, p_seconds int, p_added int, p_counted_to timestamptz, p_distinct int
) returns table ({_DAY}, whole_course boolean) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    update users set studied_until = p_counted_to where id = p_user;
    update attempts
    set completed_at = p_at, local_date = p_date, score = p_score, seconds = p_seconds, last_event_at = p_counted_to
    where id = p_attempt;
    insert into lesson_progress as standing (user_id, lesson_id, best_score, completions, first_completed_at,
                                             first_local_date, last_completed_at, last_local_date)
    values (p_user, p_lesson, p_score, 1, p_at, p_date, p_at, p_date)
    on conflict (user_id, lesson_id) do update set
        best_score = greatest(standing.best_score, excluded.best_score),
        completions = standing.completions + 1,
        last_completed_at = excluded.last_completed_at,
        last_local_date = excluded.last_local_date;
    insert into activity_days as day (user_id, local_date, lessons, distinct_lessons, seconds)
    values (p_user, p_date, 1, p_distinct, p_added)
    on conflict (user_id, local_date) do update set
        lessons = day.lessons + 1,
        distinct_lessons = day.distinct_lessons + excluded.distinct_lessons,
        seconds = day.seconds + excluded.seconds
    returning {_DAY_COLUMNS} into {_DAY_COLUMNS};
    whole_course := p_first_time and study_has_whole_course(p_user, p_course);
    return next;
end $$
"""  # noqa: S608 - only the columns above

_ANSWER = f"""
create function study_answer(
    p_user bigint, p_attempt bigint, p_step bigint, p_revision bigint, p_try int, p_answer jsonb, p_correct boolean,
    p_hints int, p_gap int, p_at timestamptz, p_date date, p_seconds int, p_added int, p_counted_to timestamptz,
    p_counts int, p_counts_right int, p_counts_first int
) returns table ({_DAY}) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    return query
    with given as (
        insert into answers (attempt_id, user_id, step_id, revision_id, try_no, answer, correct, hints, seconds,
                             local_date, created_at)
        values (p_attempt, p_user, p_step, p_revision, p_try, p_answer, p_correct, p_hints, p_gap, p_date, p_at)
    ), step as (
        update attempt_steps
        set tries = p_try, first_correct = coalesce(first_correct, p_correct), solved = solved or p_correct,
            done_at = coalesce(done_at, p_at), draft = null
        where attempt_id = p_attempt and step_id = p_step
    ), study as (
        update attempts set seconds = p_seconds, last_event_at = p_counted_to where id = p_attempt
    ), clock as (
        update users set studied_until = p_counted_to where id = p_user
    )
    insert into activity_days as day (user_id, local_date, answers, correct, first_try, seconds)
    values (p_user, p_date, p_counts, p_counts_right, p_counts_first, p_added)
    on conflict (user_id, local_date) do update set
        answers = day.answers + excluded.answers,
        correct = day.correct + excluded.correct,
        first_try = day.first_try + excluded.first_try,
        seconds = day.seconds + excluded.seconds
    returning {_DAY_COLUMNS};
end $$
"""  # noqa: S608 - only the columns above

_WHOLE = """
create function study_has_whole_course(p_user bigint, p_course bigint) returns boolean language plpgsql {HOW} as $$
begin
    return not exists (
        select from lessons join modules on modules.id = lessons.module_id
        where lessons.course_id = p_course and lessons.retired_at is null and modules.retired_at is null
              and not exists (
                  select from lesson_progress
                  where lesson_progress.user_id = p_user and lesson_progress.lesson_id = lessons.id
              )
    );
end $$
"""

_COURSE = """
create function study_course_completed(p_user bigint, p_course bigint, p_at timestamptz, p_date date)
returns text[] language plpgsql {HOW} as $$
declare
    v_course text[];
begin
    with done as (
        insert into course_completions (user_id, course_id, completed_at, local_date)
        select p_user, courses.id, p_at, p_date from courses where courses.id = p_course and courses.retired_at is null
        on conflict do nothing
        returning course_id
    )
    select array[courses.key, courses.title] into v_course
    from courses join done on done.course_id = courses.id;
    return v_course;
end $$
"""
_PLAYER = """
create function study_player(p_user bigint, p_attempt bigint) returns table (
    id bigint, lesson_id bigint, seed bigint, started_at timestamptz, completed_at timestamptz, title text, goal text,
    key text, course_title text, step_id bigint, revision_id bigint, "position" int, asks boolean, tries int,
    first_correct boolean, hints smallint, done_at timestamptz, draft jsonb, answer jsonb
) language plpgsql {HOW} as $$
#variable_conflict use_column
begin
    return query
    select attempts.id, attempts.lesson_id, attempts.seed, attempts.started_at, attempts.completed_at, lessons.title,
           lessons.goal, courses.key, courses.title, step.step_id, step.revision_id, step.position, step.asks, step.tries,
           step.first_correct, step.hints, step.done_at, step.draft, answers.answer
    from attempts
    join lessons on lessons.id = attempts.lesson_id
    join courses on courses.id = lessons.course_id
    join attempt_steps as step on step.attempt_id = attempts.id
    left join answers
        on answers.attempt_id = step.attempt_id and answers.step_id = step.step_id and answers.try_no = step.tries
    where attempts.id = p_attempt and attempts.user_id = p_user
    order by step.position, step.step_id;
end $$
"""

_OUTCOME = """
create function study_outcome(p_user bigint, p_attempt bigint) returns table (
    lesson_id bigint, score numeric, seconds int, completed_at timestamptz, local_date date, reported boolean,
    best_score numeric, first_completed_at timestamptz, revision_id bigint, "position" int, first_correct boolean,
    solved boolean, tries int, hints smallint
) language plpgsql {HOW} as $$
#variable_conflict use_column
begin
    return query
    select attempts.lesson_id, attempts.score, attempts.seconds, attempts.completed_at, attempts.local_date,
           attempts.reported, standing.best_score, standing.first_completed_at, step.revision_id, step.position,
           step.first_correct, step.solved, step.tries, step.hints
    from attempts
    join lesson_progress as standing on standing.user_id = p_user and standing.lesson_id = attempts.lesson_id
    left join attempt_steps as step on step.attempt_id = attempts.id and step.asks
    where attempts.id = p_attempt and attempts.user_id = p_user and attempts.completed_at is not null
    order by step.position;
end $$
"""
HOW = "set plan_cache_mode = force_generic_plan set enable_seqscan = off"
"""A plan is made once, for tables of any size, and not anew when they have grown or have not been looked at yet."""
FUNCTIONS = {
    "study_attempt(bigint, bigint)": _ATTEMPT,
    "study_step(bigint, bigint, bigint, bigint)": _STEP,
    (
        "study_complete(bigint, bigint, bigint, bigint, boolean, timestamptz, date, numeric, int, int, timestamptz, int)"
    ): _COMPLETE,
    (
        "study_answer(bigint, bigint, bigint, bigint, int, jsonb, boolean, int, int, timestamptz, date, int, int, "
        "timestamptz, int, int, int)"
    ): _ANSWER,
    "study_has_whole_course(bigint, bigint)": _WHOLE,
    "study_player(bigint, bigint)": _PLAYER,
    "study_outcome(bigint, bigint)": _OUTCOME,
    "study_course_completed(bigint, bigint, timestamptz, date)": _COURSE,
}


def upgrade() -> None:
    for body in FUNCTIONS.values():
        op.execute(body.replace("{HOW}", HOW))


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
