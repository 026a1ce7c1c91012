"""who acts comes with the attempt or the step, and an answer and an end are one step if that is still as it was seen

Functions of the version before stay: it may still be serving while this one begins.
"""

from alembic import op

revision = "0130"
down_revision = "0121"
branch_labels = None
depends_on = None

_OWNER = "id bigint, told jsonb, content text, last_game_date date, owed_until timestamptz, studied_until timestamptz, xmin xid"
_OWNER_INTO = "id, told, content, last_game_date, owed_until, studied_until, xmin"
_OWNER_REST = "users.last_game_date, users.owed_until, users.studied_until, users.xmin"
_PERSON = """users.id, users.role, users.display_name, users.email, users.time_zone, users.day_start_hour, users.locale,
                             users.preferences"""
_BY_TOKEN = f"""
create function owner_by_token(p_hash bytea, p_at timestamptz, p_noted_by timestamptz) returns table ({_OWNER}) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    select users.id, jsonb_build_array({_PERSON}, token.id, token.scopes,
                             token.last_used_at is null or token.last_used_at < p_noted_by),
           (select version::text from content_state), {_OWNER_REST}
    into {_OWNER_INTO}
    from api_tokens as token join users on users.id = token.user_id
    where token.token_hash = p_hash and token.revoked_at is null and (token.expires_at is null or token.expires_at > p_at)
        and users.deactivated_at is null;
    if found then
        return next;
    end if;
end $$
"""  # noqa: S608 - only the words above
_BY_SESSION = f"""
create function owner_by_session(p_hash bytea, p_since timestamptz) returns table ({_OWNER}) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    select users.id, jsonb_build_array({_PERSON}, mine.id),
           (select version::text from content_state), {_OWNER_REST}
    into {_OWNER_INTO}
    from sessions as mine join users on users.id = mine.user_id
    where mine.token_hash = p_hash and mine.ended_at is null and mine.created_at > p_since
        and users.deactivated_at is null;
    if found then
        return next;
    end if;
end $$
"""  # noqa: S608 - only the words above

_SEEN = """
create function study_seen(p_user bigint, p_attempt bigint) returns jsonb language plpgsql stable {HOW} as $$
begin
    return (
        select jsonb_build_array(
            attempts.id, users.xmin::text, attempts.xmin::text, users.time_zone, users.day_start_hour, users.last_game_date,
            users.owed_until, attempts.lesson_id, attempts.seconds, greatest(attempts.last_event_at, users.studied_until),
            attempts.completed_at, counted.asked, counted.answered_right, counted.waiting, lessons.title,
            lessons.difficulty, lessons.minutes, lessons.course_id, standing.best_score::text, standing.last_local_date)
        from users
        join attempts on attempts.user_id = users.id
        join lessons on lessons.id = attempts.lesson_id
        cross join (
            select count(*) filter (where step.asks) as asked,
                   count(*) filter (where step.asks and step.first_correct) as answered_right,
                   count(*) filter (where step.asks and step.done_at is null) as waiting
            from attempt_steps as step where step.attempt_id = p_attempt
        ) as counted
        left join lesson_progress as standing on standing.lesson_id = lessons.id and standing.user_id = users.id
        where users.id = p_user and attempts.id = p_attempt
    );
end $$
"""

_DAY = """lessons int, distinct_lessons int, answers int, correct int, first_try int, seconds int, xp int, mended int"""
_DAY_COLUMNS = "lessons, distinct_lessons, answers, correct, first_try, seconds, xp, mended"
_AS_IT_WAS = """    update users set
        studied_until = p_counted_to,
        last_game_date = coalesce(p_reached, last_game_date),
        owed_until = case when p_reached is null then owed_until else p_owed end
    where id = p_user and xmin = p_user_seen;
    if not found then
        return;
    end if;
"""
"""The learner's row, if it is still the one that was seen: its clock, and the new date, if it is one."""
_FINISH = f"""
create function study_finish_seen(
    p_user bigint, p_attempt bigint, p_user_seen xid, p_attempt_seen xid, p_lesson bigint, p_course bigint,
    p_first_time boolean, p_at timestamptz, p_date date, p_reached date, p_owed timestamptz, p_score numeric,
    p_seconds int, p_added int, p_counted_to timestamptz, p_distinct int
) returns table ({_DAY}, whole_course boolean) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
{_AS_IT_WAS}    update attempts
    set completed_at = p_at, local_date = p_date, score = p_score, seconds = p_seconds, last_event_at = p_counted_to
    where id = p_attempt and user_id = p_user and xmin = p_attempt_seen;
    if not found then
        raise exception 'the attempt was changed meanwhile' using errcode = 'serialization_failure';
    end if;
    with stands as (
        insert into lesson_progress as standing (user_id, lesson_id, best_score, completions, first_completed_at,
                                                 first_local_date, last_completed_at, last_local_date)
        values (p_user, p_lesson, p_score, 1, p_at, p_date, p_at, p_date)
        on conflict (user_id, lesson_id) do update set
            best_score = greatest(standing.best_score, excluded.best_score),
            completions = standing.completions + 1,
            last_completed_at = excluded.last_completed_at,
            last_local_date = excluded.last_local_date
    )
    insert into activity_days as day (user_id, local_date, lessons, distinct_lessons, seconds)
    values (p_user, p_date, 1, p_distinct, p_added)
    on conflict (user_id, local_date) do update set
        lessons = day.lessons + 1,
        distinct_lessons = day.distinct_lessons + excluded.distinct_lessons,
        seconds = day.seconds + excluded.seconds
    returning {_DAY_COLUMNS} into {_DAY_COLUMNS};
    whole_course := p_first_time and not exists (
        select from lessons join modules on modules.id = lessons.module_id
        where lessons.course_id = p_course and lessons.retired_at is null and modules.retired_at is null
              and not exists (
                  select from lesson_progress
                  where lesson_progress.user_id = p_user and lesson_progress.lesson_id = lessons.id
              )
    );
    return next;
end $$
"""  # noqa: S608 - only the columns above

_STEP_SEEN = """
create function study_step_seen(p_user bigint, p_lesson bigint, p_step bigint) returns jsonb language plpgsql stable {HOW} as $$
begin
    return (
        select jsonb_build_array(
            attempts.id, step.step_id, users.xmin::text, attempts.xmin::text, users.time_zone, users.day_start_hour,
            users.last_game_date, users.owed_until, attempts.lesson_id, attempts.seed, attempts.seconds,
            greatest(attempts.last_event_at, users.studied_until), step.revision_id, step.asks, step.tries, step.solved,
            step.hints, revision.exercise, lessons.minutes,
            exists (
                select from answers
                where answers.user_id = users.id and answers.step_id = step.step_id and answers.attempt_id <> attempts.id
            ))
        from users
        join attempts on attempts.user_id = users.id
        join attempt_steps as step on step.attempt_id = attempts.id
        join step_revisions as revision on revision.id = step.revision_id
        join lessons on lessons.id = attempts.lesson_id
        where users.id = p_user and step.step_id = p_step and attempts.lesson_id = p_lesson
            and attempts.completed_at is null
    );
end $$
"""

_ANSWER = f"""
create function study_answer_seen(
    p_user bigint, p_attempt bigint, p_user_seen xid, p_attempt_seen xid, p_step bigint, p_revision bigint, p_try int,
    p_answer jsonb, p_correct boolean, p_hints int, p_gap int, p_at timestamptz, p_date date, p_reached date,
    p_owed timestamptz, p_seconds int, p_added int, p_counted_to timestamptz, p_counts int, p_counts_right int,
    p_counts_first int
) returns table ({_DAY}) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
{_AS_IT_WAS}    update attempts set seconds = p_seconds, last_event_at = p_counted_to
    where id = p_attempt and user_id = p_user and xmin = p_attempt_seen;
    if not found then
        raise exception 'the attempt was changed meanwhile' using errcode = 'serialization_failure';
    end if;
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

_OF_LESSON = """
create function game_of_lesson(
    p_user bigint, p_date date, p_course bigint, p_attempt bigint, p_first_of_day boolean, p_first_time boolean,
    p_whole boolean, p_asked jsonb
) returns jsonb language plpgsql {HOW} as $$
begin
    return (
        select jsonb_build_object(
            'player', (
                select jsonb_build_array(xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes,
                                         freeze_days, kept_date)
                from players where user_id = p_user
            ),
            'badges', mine.earned,
            'goals', (
                select jsonb_agg(jsonb_build_array(slot, kind, target, coins, reached_at is not null))
                from daily_goals where user_id = p_user and local_date = p_date
            ),
            'brought', (
                select jsonb_agg(jsonb_build_array(id, currency, amount, rule, source, details))
                from ledger_entries where attempt_id = p_attempt
            ),
            'joins', preferences -> 'leagues' = 'true'
                and not coalesce(preferences -> 'hidden' ? 'leagues', false)
                and not exists (
                    select from league_members
                    where user_id = p_user and week = p_date - (extract(isodow from p_date)::int - 1)
                ),
            'counts', jsonb_build_array(
                case when not mine.earned @> (p_asked -> 'standing') then (
                    select jsonb_build_array(count(*), coalesce(sum(completions - 1), 0),
                                             count(*) filter (where best_score >= (p_asked ->> 'score')::numeric))
                    from lesson_progress where user_id = p_user
                ) end,
                case when not mine.earned @> (p_asked -> 'lesson_steps') then (
                    select jsonb_build_array(count(*) filter (where hints > 0),
                                             count(*) filter (where tries >= (p_asked ->> 'tries')::int))
                    from attempt_steps where attempt_id = p_attempt and solved
                ) end,
                case when p_first_of_day or not mine.earned @> (p_asked -> 'days') then (
                    select jsonb_build_array(
                        coalesce(sum(seconds), 0) / 60, coalesce(sum(first_try), 0),
                        p_date - max(local_date) filter (where local_date < p_date and lessons > 0),
                        count(*) filter (
                            where lessons > 0
                                and local_date = p_date + (case extract(isodow from p_date) when 6 then 1 else -1 end)
                        )
                    )
                    from activity_days
                    where user_id = p_user
                        and (not mine.earned @> (p_asked -> 'days') or local_date >= p_date - 400)
                ) end,
                p_first_of_day and not mine.earned @> (p_asked -> 'leagues')
                    and exists (select from league_members where user_id = p_user),
                p_first_time and not mine.earned @> (p_asked -> 'courses')
                    and (p_whole is distinct from false or exists (
                        select from lesson_progress join lessons on lessons.id = lesson_progress.lesson_id
                        where lesson_progress.user_id = p_user and lessons.course_id <> p_course
                    ))
            )
        )
        from users cross join (
            select coalesce(jsonb_agg(badge), '[]') as earned from earned_badges where user_id = p_user
        ) as mine
        where users.id = p_user
    );
end $$
"""

_SETTLED = """
create function game_settled(
    p_user bigint, p_date date, p_at timestamptz, p_attempt bigint, p_entries jsonb, p_number int, p_xp int, p_coins int,
    p_gems int, p_lesson_xp int, p_mended int, p_level int, p_streak int, p_best_streak int, p_streak_date date,
    p_days_learned int, p_freezes int, p_freeze_days int, p_kept_date date, p_goals int[], p_badges text[]
) returns void language plpgsql {HOW} as $$
declare
    v_number int;
begin
    if p_number > 0 then
        insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at, attempt_id, details)
        select p_user, currency, amount, rule, source, p_date, p_at, p_attempt, details
        from jsonb_to_recordset(p_entries)
            as wanted (currency text, amount int, rule text, source text, details jsonb)
        on conflict (user_id, currency, rule, source) do nothing;
        get diagnostics v_number = row_count;
        if v_number <> p_number then
            raise exception 'an entry was written before' using errcode = 'serialization_failure';
        end if;
    end if;
    if p_goals <> '{}' then
        update daily_goals set reached_at = p_at
        where user_id = p_user and local_date = p_date and reached_at is null and slot = any (p_goals);
        get diagnostics v_number = row_count;
        if v_number <> cardinality(p_goals) then
            raise exception 'a goal was marked before' using errcode = 'serialization_failure';
        end if;
    end if;
    if p_badges <> '{}' then
        insert into earned_badges (user_id, badge, earned_at, local_date, attempt_id)
        select p_user, badge, p_at, p_date, p_attempt from unnest(p_badges) as badge
        on conflict do nothing;
        get diagnostics v_number = row_count;
        if v_number <> cardinality(p_badges) then
            raise exception 'a badge was granted before' using errcode = 'serialization_failure';
        end if;
    end if;
    if p_lesson_xp > 0 then
        update activity_days set xp = xp + p_lesson_xp, mended = mended + p_mended
        where user_id = p_user and local_date = p_date;
    end if;
    update players set
        xp = xp + p_xp, coins = coins + p_coins, gems = gems + p_gems, level = p_level, streak = p_streak,
        best_streak = p_best_streak, streak_date = p_streak_date, days_learned = p_days_learned, freezes = p_freezes,
        freeze_days = p_freeze_days, kept_date = p_kept_date
    where user_id = p_user;
    if not found then
        insert into players (user_id, xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes,
                             freeze_days, kept_date)
        values (p_user, p_xp, p_coins, p_gems, p_level, p_streak, p_best_streak, p_streak_date, p_days_learned, p_freezes,
                p_freeze_days, p_kept_date);
    end if;
end $$
"""

_NEWS = """
create function news_told(p_news jsonb, p_push bigint[], p_channel text) returns void language plpgsql {HOW} as $$
declare
    v_number int;
begin
    insert into notifications (user_id, kind, source, details, created_at, read_at)
    select user_id, kind, source, details, at, case when shown then null else at end
    from jsonb_to_recordset(p_news)
        as told (user_id bigint, kind text, source text, details jsonb, at timestamptz, shown boolean)
    on conflict (user_id, kind, source) do nothing;
    get diagnostics v_number = row_count;
    if v_number > 0 and p_push <> '{}' then
        perform pg_notify(p_channel, whom::text) from unnest(p_push) as whom;
    end if;
end $$
"""

HOW = "set plan_cache_mode = force_generic_plan set enable_seqscan = off"
"""A plan is made once, for tables of any size, and not anew when they have grown or have not been looked at yet."""
FUNCTIONS = {
    "owner_by_token(bytea, timestamptz, timestamptz)": _BY_TOKEN,
    "owner_by_session(bytea, timestamptz)": _BY_SESSION,
    "study_seen(bigint, bigint)": _SEEN,
    (
        "study_finish_seen(bigint, bigint, xid, xid, bigint, bigint, boolean, timestamptz, date, date, timestamptz, numeric, "
        "int, int, timestamptz, int)"
    ): _FINISH,
    "study_step_seen(bigint, bigint, bigint)": _STEP_SEEN,
    (
        "study_answer_seen(bigint, bigint, xid, xid, bigint, bigint, int, jsonb, boolean, int, int, timestamptz, date, date, "
        "timestamptz, int, int, timestamptz, int, int, int)"
    ): _ANSWER,
    "game_of_lesson(bigint, date, bigint, bigint, boolean, boolean, boolean, jsonb)": _OF_LESSON,
    (
        "game_settled(bigint, date, timestamptz, bigint, jsonb, int, int, int, int, int, int, int, int, int, date, int, int, "
        "int, date, int[], text[])"
    ): _SETTLED,
    "news_told(jsonb, bigint[], text)": _NEWS,
}


def upgrade() -> None:
    for body in FUNCTIONS.values():
        op.execute(body.replace("{HOW}", HOW))


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
