"""what the game has to know after a fact, and all that it writes of one: functions, whose plans a connection keeps"""

from alembic import op

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None

_GOALS = """
create function game_goals(p_user bigint, p_date date) returns jsonb language plpgsql {HOW} as $$
begin
    return (
        select jsonb_agg(jsonb_build_array(slot, kind, target, coins, reached_at is not null) order by slot)
        from daily_goals where user_id = p_user and local_date = p_date
    );
end $$
"""

_KNOWN = """
create function game_known(p_user bigint, p_date date, p_lesson bigint, p_attempt bigint) returns jsonb
language plpgsql {HOW} as $$
begin
    return jsonb_build_object(
        'player', (
            select jsonb_build_array(xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes,
                                     freeze_days, kept_date)
            from players where user_id = p_user
        ),
        'badges', (select coalesce(jsonb_agg(badge), '[]') from earned_badges where user_id = p_user),
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
                select 'gems', 'level', entry.source from ledger_entries as entry
                where entry.user_id = p_user and entry.currency = 'gems' and entry.rule = 'level'
                union all
                select paid.currency, 'badge', entry.source
                from (values ('xp'), ('coins')) as paid (currency)
                join ledger_entries as entry
                    on entry.user_id = p_user and entry.currency = paid.currency and entry.rule = 'badge'
            ) as found
        ),
        'joins', (
            select coalesce(preferences -> 'leagues' = 'true', false)
                and not coalesce(preferences -> 'hidden' ? 'leagues', false)
                and not exists (
                    select from league_members
                    where user_id = p_user and week = p_date - (extract(isodow from p_date)::int - 1)
                )
            from users where id = p_user
        )
    );
end $$
"""

_COUNTS = """
create function game_counts(
    p_user bigint, p_attempt bigint, p_day date, p_sources text[], p_scores numeric[], p_gaps int[],
    p_day_scores numeric[], p_tries int[]
) returns jsonb language plpgsql {HOW} as $$
declare
    v_found jsonb := '{}';
begin
    if 'standing' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('standing', jsonb_build_array(count(*), coalesce(sum(completions - 1), 0)), 'scored', (
                select jsonb_agg((
                    select count(*) from lesson_progress as standing
                    where standing.user_id = p_user and standing.best_score >= asked.score
                ) order by asked.place) from unnest(p_scores) with ordinality as asked (score, place)
            )) from lesson_progress where user_id = p_user
        );
    end if;
    if 'courses' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('courses', jsonb_build_array(count(*))) from (
                select distinct lesson.course_id
                from lesson_progress as standing
                join lessons as lesson on lesson.id = standing.lesson_id
                join modules as module on module.id = lesson.module_id
                join courses as course on course.id = lesson.course_id
                where standing.user_id = p_user and lesson.retired_at is null and module.retired_at is null
                    and course.retired_at is null
            ) as mine
            where study_has_whole_course(p_user, mine.course_id)
        );
    end if;
    if 'days' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('days', jsonb_build_array(
                coalesce(sum(seconds), 0) / 60, coalesce(sum(first_try), 0)
            )) from activity_days where user_id = p_user
        );
    end if;
    if 'weekends' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('weekends', jsonb_build_array(count(*))) from (
                select from activity_days as day
                where day.user_id = p_user and day.lessons > 0 and extract(isodow from day.local_date) in (6, 7)
                group by date_trunc('week', day.local_date) having count(*) = 2
            ) as weekends
        );
    end if;
    if 'gaps' = any(p_sources) then
        v_found := v_found || (
            with gaps as materialized (
                select day.local_date - lag(day.local_date) over (order by day.local_date) as gap
                from activity_days as day where day.user_id = p_user and day.lessons > 0
            )
            select jsonb_build_object('gaps', jsonb_agg((
                select count(*) from gaps where gaps.gap > asked.days
            ) order by asked.place)) from unnest(p_gaps) with ordinality as asked (days, place)
        );
    end if;
    if 'goals' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('goals', jsonb_build_array(count(*))) from (
                select from daily_goals as goal where goal.user_id = p_user
                group by goal.local_date having count(*) = count(goal.reached_at)
            ) as full_days
        );
    end if;
    if 'new_in_a_day' = any(p_sources) then
        v_found := v_found || (
            with first_times as materialized (
                select standing.first_local_date as day, (array_agg(attempt.score order by attempt.id))[1] as score
                from lesson_progress as standing
                join attempts as attempt on attempt.user_id = standing.user_id
                    and attempt.lesson_id = standing.lesson_id and attempt.completed_at = standing.first_completed_at
                where standing.user_id = p_user and (p_day is null or standing.first_local_date = p_day)
                group by standing.lesson_id, standing.first_local_date
            )
            select jsonb_build_object('new_in_a_day', jsonb_agg((
                select coalesce(max(by_day.lessons), 0) from (
                    select count(*) as lessons from first_times
                    where first_times.score >= asked.score group by first_times.day
                ) as by_day
            ) order by asked.place)) from unnest(p_day_scores) with ordinality as asked (score, place)
        );
    end if;
    if 'lesson_steps' = any(p_sources) then
        v_found := v_found || (
            with steps as materialized (
                select step.attempt_id, step.hints, step.tries
                from attempts as attempt join attempt_steps as step on step.attempt_id = attempt.id
                where attempt.user_id = p_user and attempt.completed_at is not null and step.solved
                    and (p_attempt is null or attempt.id = p_attempt)
            )
            select jsonb_build_object('lesson_steps', jsonb_build_array((
                select coalesce(max(by_attempt.steps), 0) from (
                    select count(*) as steps from steps where steps.hints > 0 group by steps.attempt_id
                ) as by_attempt
            )), 'tried', (
                select jsonb_agg((
                    select coalesce(max(by_attempt.steps), 0) from (
                        select count(*) as steps from steps where steps.tries >= asked.tries group by steps.attempt_id
                    ) as by_attempt
                ) order by asked.place) from unnest(p_tries) with ordinality as asked (tries, place)
            ))
        );
    end if;
    if 'quests' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('quests', jsonb_build_array(count(*))) from ledger_entries as entry
            where entry.user_id = p_user and entry.currency = 'coins' and entry.rule = 'quest'
        );
    end if;
    if 'league_weeks' = any(p_sources) then
        v_found := v_found || (
            select jsonb_build_object('league_weeks', jsonb_build_array(count(*))) from league_members as member
            where member.user_id = p_user and member.rank is not null
        );
    end if;
    return v_found;
end $$
"""

_OF_LESSON = """
create function game_counts_of_lesson(
    p_user bigint, p_attempt bigint, p_day date, p_lessons int, p_distinct int, p_first_time boolean, p_badges jsonb,
    p_new_in_a_day int, p_scores numeric[], p_gaps int[], p_day_scores numeric[], p_tries int[]
) returns jsonb language plpgsql {HOW} as $$
declare
    v_earned jsonb := (select coalesce(jsonb_agg(badge), '[]') from earned_badges where user_id = p_user);
    v_days boolean := not v_earned @> (p_badges -> 'days');
    v_gaps boolean := p_lessons = 1 and not v_earned @> (p_badges -> 'gaps');
    v_weekday int := extract(isodow from p_day);
    v_weekends boolean := p_lessons = 1 and v_weekday > 5 and not v_earned @> (p_badges -> 'weekends');
    v_sources text[] := '{}';
    v_found jsonb := '{}';
    v_first bigint;
    v_second bigint;
    v_third bigint;
    v_before date;
    v_both boolean;
begin
    if not v_earned @> (p_badges -> 'standing') then
        select count(*), coalesce(sum(completions - 1), 0), count(*) filter (where best_score >= p_scores[1])
        into v_first, v_second, v_third from lesson_progress where user_id = p_user;
        v_found := jsonb_build_object('standing', array[v_first, v_second], 'scored', array[v_third]);
        if array_length(p_scores, 1) > 1 then
            v_sources := array['standing'];
        end if;
    end if;
    if not v_earned @> (p_badges -> 'lesson_steps') then
        select count(*) filter (where hints > 0), count(*) filter (where tries >= p_tries[1])
        into v_first, v_second from attempt_steps where attempt_id = p_attempt and solved;
        v_found := v_found || jsonb_build_object('lesson_steps', array[v_first], 'tried', array[v_second]);
        if array_length(p_tries, 1) > 1 then
            v_sources := v_sources || array['lesson_steps'];
        end if;
    end if;
    if v_days or v_gaps or v_weekends then
        select coalesce(sum(seconds), 0) / 60, coalesce(sum(first_try), 0),
               max(local_date) filter (where local_date < p_day and lessons > 0),
               bool_or(lessons > 0 and local_date = p_day + (case v_weekday when 6 then 1 else -1 end))
        into v_first, v_second, v_before, v_both
        from activity_days where user_id = p_user and (v_days or local_date >= p_day - 400);
        if v_days then
            v_found := v_found || jsonb_build_object('days', array[v_first, v_second]);
        end if;
        if v_gaps and (v_before is null and not v_days or p_day - v_before > any (p_gaps)) then
            v_sources := v_sources || array['gaps'];
        end if;
        if v_weekends and v_both then
            v_sources := v_sources || array['weekends'];
        end if;
    end if;
    if p_first_time and not v_earned @> (p_badges -> 'courses') then
        v_sources := v_sources || array['courses'];
    end if;
    if p_first_time and p_distinct >= p_new_in_a_day and not v_earned @> (p_badges -> 'new_in_a_day') then
        v_sources := v_sources || array['new_in_a_day'];
    end if;
    if p_lessons = 1 and not v_earned @> (p_badges -> 'leagues')
        and exists (select from league_members where user_id = p_user)
    then
        v_sources := v_sources || array['quests', 'league_weeks'];
    end if;
    if v_sources <> '{}' then
        v_found := v_found
            || game_counts(p_user, p_attempt, p_day, v_sources, p_scores, p_gaps, p_day_scores, p_tries);
    end if;
    return v_found;
end $$
"""

_SETTLE = """
create function game_settle(p_told jsonb) returns void language plpgsql {HOW} as $$
declare
    v_user bigint := p_told ->> 'user_id';
    v_date date := p_told ->> 'local_date';
    v_at timestamptz := p_told ->> 'at';
    v_attempt bigint := p_told ->> 'attempt_id';
    v_player jsonb := p_told -> 'player';
    v_xp bigint;
    v_coins bigint;
    v_gems bigint;
    v_lesson_xp int;
    v_mended int;
    v_number int;
begin
    if p_told ? 'goals' then
        update daily_goals set reached_at = v_at
        where user_id = v_user and local_date = v_date and reached_at is null
            and slot in (select value::smallint from jsonb_array_elements_text(p_told -> 'goals'));
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
    )
    select coalesce(sum(amount) filter (where currency = 'xp'), 0),
           coalesce(sum(amount) filter (where currency = 'coins'), 0),
           coalesce(sum(amount) filter (where currency = 'gems'), 0),
           coalesce(sum(amount) filter (where currency = 'xp' and rule in ('lesson', 'lesson_again')), 0),
           count(*) filter (where currency = 'xp' and rule = 'lesson_again'),
           count(*)
    into v_xp, v_coins, v_gems, v_lesson_xp, v_mended, v_number from won;
    if v_number <> jsonb_array_length(p_told -> 'entries') then
        raise exception 'an entry was written meanwhile' using errcode = 'serialization_failure';
    end if;
    if v_lesson_xp > 0 then
        update activity_days set xp = xp + v_lesson_xp, mended = mended + v_mended
        where user_id = v_user and local_date = v_date;
    end if;
    update players set
        xp = xp + v_xp,
        coins = coins + v_coins,
        gems = gems + v_gems,
        level = coalesce((v_player ->> 'level')::smallint, level),
        streak = coalesce((v_player ->> 'streak')::int, streak),
        best_streak = coalesce((v_player ->> 'best_streak')::int, best_streak),
        streak_date = coalesce((v_player ->> 'streak_date')::date, streak_date),
        days_learned = coalesce((v_player ->> 'days_learned')::int, days_learned),
        freezes = coalesce((v_player ->> 'freezes')::smallint, freezes),
        freeze_days = coalesce((v_player ->> 'freeze_days')::int, freeze_days),
        kept_date = coalesce((v_player ->> 'kept_date')::date, kept_date)
    where user_id = v_user;
    if found then
        return;
    end if;
    insert into players (user_id, xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes,
                         freeze_days, kept_date)
    values (v_user, v_xp, v_coins, v_gems, coalesce((v_player ->> 'level')::smallint, 1),
            coalesce((v_player ->> 'streak')::int, 0), coalesce((v_player ->> 'best_streak')::int, 0),
            (v_player ->> 'streak_date')::date, coalesce((v_player ->> 'days_learned')::int, 0),
            coalesce((v_player ->> 'freezes')::smallint, 0), coalesce((v_player ->> 'freeze_days')::int, 0),
            (v_player ->> 'kept_date')::date);
end $$
"""
_REWARDS = """
create function game_rewards(p_user bigint, p_attempt bigint) returns table (
    finished_on date, streak int, streak_date date, mended date, first_of_day boolean, id bigint, currency text, amount int,
    rule text, source text, details jsonb, local_date date, created_at timestamptz, attempt_id bigint
) language plpgsql {HOW} as $$
#variable_conflict use_column
begin
    select attempt.local_date, player.streak, player.streak_date,
           (select repair.missed_date from streak_repairs as repair
            where repair.user_id = p_user and repair.local_date = attempt.local_date and repair.attempt_id = p_attempt),
           not exists (
               select from attempts as earlier
               where earlier.user_id = p_user and earlier.local_date = attempt.local_date
                   and earlier.completed_at > attempt.completed_at - interval '7 days'
                   and (earlier.completed_at, earlier.id) < (attempt.completed_at, p_attempt)
           )
    into finished_on, streak, streak_date, mended, first_of_day
    from attempts as attempt left join players as player on player.user_id = p_user
    where attempt.id = p_attempt and attempt.user_id = p_user and attempt.completed_at is not null;
    if not found then
        return;
    end if;
    for id, currency, amount, rule, source, details, local_date, created_at, attempt_id in
        select entry.id, entry.currency, entry.amount, entry.rule, entry.source, entry.details, entry.local_date,
               entry.created_at, entry.attempt_id
        from ledger_entries as entry where entry.attempt_id = p_attempt and entry.user_id = p_user order by entry.id
    loop
        return next;
    end loop;
    if not found then
        return next;
    end if;
end $$
"""
HOW = "set plan_cache_mode = force_generic_plan set enable_seqscan = off"
"""A plan is made once, for tables of any size, and not anew when they have grown or have not been looked at yet."""
FUNCTIONS = {
    "game_goals(bigint, date)": _GOALS,
    "game_known(bigint, date, bigint, bigint)": _KNOWN,
    "game_counts(bigint, bigint, date, text[], numeric[], int[], numeric[], int[])": _COUNTS,
    (
        "game_counts_of_lesson(bigint, bigint, date, int, int, boolean, jsonb, int, numeric[], int[], numeric[], int[])"
    ): _OF_LESSON,
    "game_settle(jsonb)": _SETTLE,
    "game_rewards(bigint, bigint)": _REWARDS,
}


def upgrade() -> None:
    for body in FUNCTIONS.values():
        op.execute(body.replace("{HOW}", HOW))


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
