"""what a finished lesson needs to know comes from one function, and all that it brings is written by fewer statements

Functions of the version before stay: it may still be serving while this one begins.
"""

from alembic import op

revision = "0120"
down_revision = "0101"
branch_labels = None
depends_on = None

_ACCOUNT = """
create function account_by_token(p_hash bytea, p_at timestamptz) returns table (
    id bigint, role text, display_name text, email text, time_zone text, day_start_hour smallint, locale text,
    preferences jsonb, token_id bigint, scopes jsonb, last_used_at timestamptz, last_game_date date,
    owed_until timestamptz, xmin xid
) language plpgsql {HOW} as $$
#variable_conflict use_column
begin
    select users.id, users.role, users.display_name, users.email, users.time_zone, users.day_start_hour, users.locale,
           users.preferences, token.id, token.scopes, token.last_used_at, users.last_game_date, users.owed_until, users.xmin
    into id, role, display_name, email, time_zone, day_start_hour, locale, preferences, token_id, scopes, last_used_at,
         last_game_date, owed_until, xmin
    from api_tokens as token join users on users.id = token.user_id
    where token.token_hash = p_hash and token.revoked_at is null and (token.expires_at is null or token.expires_at > p_at)
        and users.deactivated_at is null;
    if found then
        return next;
    end if;
end $$
"""

_VERSION = """
create function content_version() returns text language plpgsql as $$
begin
    return (select version::text from content_state);
end $$
"""

_DAY = """lessons int, distinct_lessons int, answers int, correct int, first_try int, seconds int, xp int, mended int"""
_DAY_COLUMNS = "lessons, distinct_lessons, answers, correct, first_try, seconds, xp, mended"
_FINISH = f"""
create function study_finish(
    p_user bigint, p_attempt bigint, p_lesson bigint, p_course bigint, p_first_time boolean, p_at timestamptz, p_date date,
    p_score numeric, p_seconds int, p_added int, p_counted_to timestamptz, p_distinct int
) returns table ({_DAY}, whole_course boolean) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    with clock as (
        update users set studied_until = p_counted_to where id = p_user
    ), attempt as (
        update attempts
        set completed_at = p_at, local_date = p_date, score = p_score, seconds = p_seconds, last_event_at = p_counted_to
        where id = p_attempt
    ), stands as (
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

_AFTER_LESSON = """
create function game_after_lesson(
    p_user bigint, p_date date, p_lesson bigint, p_course bigint, p_attempt bigint, p_lessons int, p_distinct int,
    p_first_time boolean, p_whole boolean, p_asked jsonb
) returns jsonb language plpgsql {HOW} as $$
declare
    v_badges jsonb := p_asked -> 'badges';
    v_weekday int := extract(isodow from p_date);
    v_found jsonb;
    v_earned jsonb;
    v_standing bigint[];
    v_steps bigint[];
    v_study bigint[];
    v_leagues boolean;
    v_days boolean;
    v_courses boolean;
    v_sources text[] := '{}';
    v_counts jsonb;
begin
    select jsonb_build_object(
               'player', (
                   select jsonb_build_array(xp, coins, gems, level, streak, best_streak, streak_date, days_learned,
                                            freezes, freeze_days, kept_date)
                   from players where user_id = p_user
               ),
               'badges', mine.earned,
               'goals', (
                   select jsonb_agg(jsonb_build_array(slot, kind, target, coins, reached_at is not null) order by slot)
                   from daily_goals where user_id = p_user and local_date = p_date
               ),
               'paid', (
                   select jsonb_agg(jsonb_build_array(found.currency, found.rule, found.source)) from (
                       select entry.currency, entry.rule, entry.source
                       from (values
                           ('xp', 'lesson', 'lesson:' || p_lesson), ('coins', 'lesson', 'lesson:' || p_lesson),
                           ('xp', 'lesson_again', 'attempt:' || p_attempt),
                           ('coins', 'goal', 'goal:' || to_char(p_date, 'YYYY-MM-DD') || '\\:1'),
                           ('coins', 'goal', 'goal:' || to_char(p_date, 'YYYY-MM-DD') || '\\:2'),
                           ('coins', 'goal', 'goal:' || to_char(p_date, 'YYYY-MM-DD') || '\\:3'),
                           ('gems', 'all_goals', 'goals:' || to_char(p_date, 'YYYY-MM-DD'))
                       ) as asked (currency, rule, source)
                       join ledger_entries as entry
                           on entry.user_id = p_user and entry.currency = asked.currency and entry.rule = asked.rule
                               and entry.source = asked.source
                       union all
                       select paid.currency, paid.rule, entry.source
                       from (values ('gems', 'level'), ('xp', 'badge'), ('coins', 'badge')) as paid (currency, rule)
                       join ledger_entries as entry
                           on entry.user_id = p_user and entry.currency = paid.currency and entry.rule = paid.rule
                   ) as found
               ),
               'brought', (
                   select jsonb_agg(jsonb_build_array(id, currency, amount, rule, source, details))
                   from ledger_entries where attempt_id = p_attempt
               ),
               'joins', coalesce(preferences -> 'leagues' = 'true', false)
                   and not coalesce(preferences -> 'hidden' ? 'leagues', false)
                   and not exists (
                       select from league_members where user_id = p_user and week = p_date - (v_weekday - 1)
                   )
           ),
           mine.earned,
           case when not mine.earned @> (v_badges -> 'standing') then (
               select array[count(*), coalesce(sum(completions - 1), 0),
                            count(*) filter (where best_score >= (p_asked -> 'scores' ->> 0)::numeric)]
               from lesson_progress where user_id = p_user
           ) end,
           case when not mine.earned @> (v_badges -> 'lesson_steps') then (
               select array[count(*) filter (where hints > 0),
                            count(*) filter (where tries >= (p_asked -> 'tries' ->> 0)::int)]
               from attempt_steps where attempt_id = p_attempt and solved
           ) end,
           mine.days,
           case when mine.days or p_lessons = 1 then (
               select array[coalesce(sum(seconds), 0) / 60, coalesce(sum(first_try), 0),
                            p_date - max(local_date) filter (where local_date < p_date and lessons > 0),
                            count(*) filter (
                                where lessons > 0 and local_date = p_date + (case v_weekday when 6 then 1 else -1 end)
                            )]
               from activity_days where user_id = p_user and (mine.days or local_date >= p_date - 400)
           ) end,
           p_lessons = 1 and not mine.earned @> (v_badges -> 'leagues')
               and exists (select from league_members where user_id = p_user)
    into v_found, v_earned, v_standing, v_steps, v_days, v_study, v_leagues
    from users cross join (
        select got.earned, not got.earned @> (v_badges -> 'days') as days from (
            select coalesce(jsonb_agg(badge), '[]') as earned from earned_badges where user_id = p_user
        ) as got
    ) as mine
    where users.id = p_user;
    v_counts := jsonb_build_object(
        'standing', v_standing[1:2], 'scored', v_standing[3:3], 'lesson_steps', v_steps[1:1], 'tried', v_steps[2:2],
        'days', case when v_days then v_study[1:2] end
    );
    if v_standing is not null and jsonb_array_length(p_asked -> 'scores') > 1 then
        v_sources := array['standing'];
    end if;
    if v_steps is not null and jsonb_array_length(p_asked -> 'tries') > 1 then
        v_sources := v_sources || array['lesson_steps'];
    end if;
    if p_lessons = 1 and not v_earned @> (v_badges -> 'gaps')
        and (v_study[3] is null and not v_days or v_study[3] > (p_asked ->> 'shortest_gap')::int)
    then
        v_sources := v_sources || array['gaps'];
    end if;
    if p_lessons = 1 and v_weekday > 5 and v_study[4] > 0 and not v_earned @> (v_badges -> 'weekends') then
        v_sources := v_sources || array['weekends'];
    end if;
    if p_first_time then
        if not v_earned @> (v_badges -> 'courses') then
            v_courses := p_whole is distinct from false;
            if not v_courses and (v_standing is null or v_standing[1] > 1) then
                v_courses := exists (
                    select from lesson_progress join lessons on lessons.id = lesson_progress.lesson_id
                    where lesson_progress.user_id = p_user and lessons.course_id <> p_course
                );
            end if;
            if v_courses then
                v_sources := v_sources || array['courses'];
            end if;
        end if;
        if p_distinct >= (p_asked ->> 'new_in_a_day')::int and not v_earned @> (v_badges -> 'new_in_a_day') then
            v_sources := v_sources || array['new_in_a_day'];
        end if;
    end if;
    if v_leagues then
        v_sources := v_sources || array['quests', 'league_weeks'];
    end if;
    if v_sources <> '{}' then
        v_counts := v_counts || game_counts(
            p_user, p_attempt, p_date, v_sources,
            array(select value::numeric from jsonb_array_elements_text(p_asked -> 'scores')),
            array(select value::int from jsonb_array_elements_text(p_asked -> 'gaps')),
            array(select value::numeric from jsonb_array_elements_text(p_asked -> 'day_scores')),
            array(select value::int from jsonb_array_elements_text(p_asked -> 'tries'))
        );
    end if;
    return v_found || jsonb_build_object('counts', v_counts);
end $$
"""

_PAY = """
create function game_pay(p_told jsonb) returns void language plpgsql {HOW} as $$
declare
    v_user bigint := p_told ->> 'user_id';
    v_date date := p_told ->> 'local_date';
    v_at timestamptz := p_told ->> 'at';
    v_attempt bigint := p_told ->> 'attempt_id';
    v_player jsonb := p_told -> 'player';
    v_xp bigint;
    v_coins bigint;
    v_gems bigint;
    v_number int;
    v_players int;
begin
    if p_told ? 'goals' then
        update daily_goals set reached_at = v_at
        where user_id = v_user and local_date = v_date and reached_at is null
            and slot = any (translate(p_told ->> 'goals', '[]', '{}')::smallint[]);
        get diagnostics v_number = row_count;
        if v_number <> jsonb_array_length(p_told -> 'goals') then
            raise exception 'a goal was marked meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    if p_told ? 'badges' then
        insert into earned_badges (user_id, badge, earned_at, local_date, attempt_id)
        select v_user, value, v_at, v_date, v_attempt from jsonb_array_elements_text(p_told -> 'badges')
        on conflict do nothing;
        get diagnostics v_number = row_count;
        if v_number <> jsonb_array_length(p_told -> 'badges') then
            raise exception 'a badge was granted meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    with won as (
        insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at, attempt_id, details)
        select v_user, currency, amount, rule, source, v_date, v_at, v_attempt, details
        from jsonb_to_recordset(p_told -> 'entries')
            as wanted (currency text, amount int, rule text, source text, details jsonb)
        on conflict (user_id, currency, rule, source) do nothing
        returning currency, amount, rule
    ), sums as (
        select coalesce(sum(amount) filter (where currency = 'xp'), 0) as xp,
               coalesce(sum(amount) filter (where currency = 'coins'), 0) as coins,
               coalesce(sum(amount) filter (where currency = 'gems'), 0) as gems,
               coalesce(sum(amount) filter (where currency = 'xp' and rule in ('lesson', 'lesson_again')), 0) as lesson_xp,
               count(*) filter (where currency = 'xp' and rule = 'lesson_again') as mended,
               count(*) as number
        from won
    ), day as (
        update activity_days set xp = activity_days.xp + sums.lesson_xp, mended = activity_days.mended + sums.mended
        from sums where user_id = v_user and local_date = v_date and sums.lesson_xp > 0
    ), paid as (
        update players set
            xp = players.xp + sums.xp,
            coins = players.coins + sums.coins,
            gems = players.gems + sums.gems,
            level = coalesce((v_player ->> 'level')::smallint, level),
            streak = coalesce((v_player ->> 'streak')::int, streak),
            best_streak = coalesce((v_player ->> 'best_streak')::int, best_streak),
            streak_date = coalesce((v_player ->> 'streak_date')::date, streak_date),
            days_learned = coalesce((v_player ->> 'days_learned')::int, days_learned),
            freezes = coalesce((v_player ->> 'freezes')::smallint, freezes),
            freeze_days = coalesce((v_player ->> 'freeze_days')::int, freeze_days),
            kept_date = coalesce((v_player ->> 'kept_date')::date, kept_date)
        from sums where user_id = v_user
        returning 1
    )
    select sums.xp, sums.coins, sums.gems, sums.number, (select count(*) from paid)
    into v_xp, v_coins, v_gems, v_number, v_players from sums;
    if v_number <> jsonb_array_length(p_told -> 'entries') then
        raise exception 'an entry was written meanwhile' using errcode = 'serialization_failure';
    end if;
    if v_players = 0 then
        insert into players (user_id, xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes,
                             freeze_days, kept_date)
        values (v_user, v_xp, v_coins, v_gems, coalesce((v_player ->> 'level')::smallint, 1),
                coalesce((v_player ->> 'streak')::int, 0), coalesce((v_player ->> 'best_streak')::int, 0),
                (v_player ->> 'streak_date')::date, coalesce((v_player ->> 'days_learned')::int, 0),
                coalesce((v_player ->> 'freezes')::smallint, 0), coalesce((v_player ->> 'freeze_days')::int, 0),
                (v_player ->> 'kept_date')::date);
    end if;
end $$
"""

_NEWS = """
create function news_tell(p_news jsonb, p_channel text) returns void language plpgsql {HOW} as $$
declare
    v_told int;
begin
    with news as materialized (
        select * from jsonb_to_recordset(p_news)
            as told (user_id bigint, kind text, source text, details jsonb, at timestamptz, shown boolean, push boolean)
    ), made as (
        insert into notifications (user_id, kind, source, details, created_at, read_at)
        select user_id, kind, source, details, at, case when shown then null else at end from news
        on conflict (user_id, kind, source) do nothing
        returning user_id, kind, source
    )
    select count(pg_notify(p_channel, made.user_id::text)) into v_told
    from made join news on news.user_id = made.user_id and news.kind = made.kind and news.source = made.source
    where news.push;
end $$
"""
HOW = "set plan_cache_mode = force_generic_plan set enable_seqscan = off"
"""A plan is made once, for tables of any size, and not anew when they have grown or have not been looked at yet."""
FUNCTIONS = {
    "account_by_token(bytea, timestamptz)": _ACCOUNT,
    "content_version()": _VERSION,
    (
        "study_finish(bigint, bigint, bigint, bigint, boolean, timestamptz, date, numeric, int, int, timestamptz, int)"
    ): _FINISH,
    "game_after_lesson(bigint, date, bigint, bigint, bigint, int, int, boolean, boolean, jsonb)": _AFTER_LESSON,
    "game_pay(jsonb)": _PAY,
    "news_tell(jsonb, text)": _NEWS,
}


def upgrade() -> None:
    for body in FUNCTIONS.values():
        op.execute(body.replace("{HOW}", HOW))


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
