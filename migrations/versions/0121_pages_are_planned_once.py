"""what a learner's pages read comes from functions, whose plans a connection keeps

All of them are `stable`: they only read, and every statement in them sees the same moment as the one that calls.
"""

from alembic import op

revision = "0121"
down_revision = "0120"
branch_labels = None
depends_on = None

_SESSION = """
create function account_by_session(p_hash bytea, p_since timestamptz) returns table (
    id bigint, role text, display_name text, email text, time_zone text, day_start_hour smallint, locale text,
    preferences jsonb, session_id bigint, last_game_date date, owed_until timestamptz, xmin xid
) language plpgsql {HOW} as $$
#variable_conflict use_column
begin
    select users.id, users.role, users.display_name, users.email, users.time_zone, users.day_start_hour, users.locale,
           users.preferences, mine.id, users.last_game_date, users.owed_until, users.xmin
    into id, role, display_name, email, time_zone, day_start_hour, locale, preferences, session_id, last_game_date,
         owed_until, xmin
    from sessions as mine join users on users.id = mine.user_id
    where mine.token_hash = p_hash and mine.ended_at is null and mine.created_at > p_since
        and users.deactivated_at is null;
    if found then
        return next;
    end if;
end $$
"""

_MARK = """
create function standing_mark(p_user bigint, p_xmin xid, p_last date, p_owed timestamptz) returns text
language plpgsql {HOW} as $$
begin
    return (select concat_ws('|',
        concat_ws('.',
            p_xmin,
            (select players.xmin from players where players.user_id = p_user),
            (select day.xmin from activity_days as day where day.user_id = p_user order by day.local_date desc limit 1),
            (select count(*) from earned_badges where earned_badges.user_id = p_user),
            (select max(news.id) from notifications as news where news.user_id = p_user),
            (select count(*) from notifications as news where news.user_id = p_user and news.read_at is null)),
        coalesce(cast(p_last as text), ''),
        coalesce(cast(extract(epoch from p_owed) as text), '')));
end $$
"""

_BELL = "latest bigint, unread bigint, shown bigint, bought bigint"
_BELL_READ = """
    select coalesce((select max(id) from notifications where user_id = p_user), 0),
           count(*), count(*) filter (where kind = any(p_kinds)),
           (select count(*) from purchases where user_id = p_user)
    into latest, unread, shown, bought
    from notifications where user_id = p_user and read_at is null;
"""
_NEWS = f"""
create function news_bell(p_user bigint, p_kinds text[]) returns table ({_BELL}) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    {_BELL_READ}
    return next;
end $$
"""

_STANDING = """time_zone text, day_start_hour smallint, last_game_date date, owed_until timestamptz, xp bigint,
    coins bigint, gems bigint, level smallint, streak int, best_streak int, streak_date date, days_learned int,
    freezes smallint, kept_date date, outfit text, world text"""
_STANDING_NAMES = """time_zone, day_start_hour, last_game_date, owed_until, xp, coins, gems, level, streak, best_streak,
         streak_date, days_learned, freezes, kept_date, outfit, world"""
_STANDING_COLUMNS = """users.time_zone, users.day_start_hour, users.last_game_date, users.owed_until, player.xp,
           player.coins, player.gems, player.level, player.streak, player.best_streak, player.streak_date,
           player.days_learned, player.freezes, player.kept_date, player.outfit, player.world"""
_HEAD = f"""
create function page_head(p_user bigint, p_kinds text[]) returns table ({_STANDING}, preferences jsonb, {_BELL})
language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    select {_STANDING_COLUMNS}, users.preferences
    into {_STANDING_NAMES}, preferences
    from users left join players as player on player.user_id = users.id where users.id = p_user;
    if not found then
        return;
    end if;
    {_BELL_READ}
    return next;
end $$
"""  # noqa: S608 - only the words above

_STEP = f"""
create function step_page(p_user bigint, p_attempt bigint, p_kinds text[]) returns table (
    id bigint, lesson_id bigint, seed bigint, started_at timestamptz, completed_at timestamptz, title text, goal text,
    key text, course_title text, step_id bigint, revision_id bigint, "position" int, asks boolean, tries int,
    first_correct boolean, hints smallint, done_at timestamptz, draft jsonb, answer jsonb,
    {_STANDING}, {_BELL}
) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    {_BELL_READ}
    return query
    select attempts.id, attempts.lesson_id, attempts.seed, attempts.started_at, attempts.completed_at, lessons.title,
           lessons.goal, courses.key, courses.title, step.step_id, step.revision_id, step.position, step.asks, step.tries,
           step.first_correct, step.hints, step.done_at, step.draft, answers.answer,
           {_STANDING_COLUMNS}, latest, unread, shown, bought
    from users
    join attempts on attempts.user_id = users.id
    join lessons on lessons.id = attempts.lesson_id
    join courses on courses.id = lessons.course_id
    join attempt_steps as step on step.attempt_id = attempts.id
    left join answers
        on answers.attempt_id = step.attempt_id and answers.step_id = step.step_id and answers.try_no = step.tries
    left join players as player on player.user_id = users.id
    where attempts.id = p_attempt and users.id = p_user
    order by step.position, step.step_id;
end $$
"""  # noqa: S608 - only the words above

_DAY = """goals jsonb, unfinished bigint, weak bigint, distinct_lessons int, day_xp int, seconds int, first_try int,
    correct int, mended int"""
_DAY_NAMES = "distinct_lessons, day_xp, seconds, first_try, correct, mended"
_DAY_COLUMNS = "day.distinct_lessons, day.xp, day.seconds, day.first_try, day.correct, day.mended"
_GOALS = """(
               select jsonb_agg(jsonb_build_array(slot, kind, target, coins, reached_at is not null) order by slot)
               from daily_goals where user_id = users.id and local_date = p_date
           )"""
_FACTS_OF_DAY = """
    if goals is null then
        select count(*) into unfinished from (
            select from lessons
            join modules on modules.id = lessons.module_id
            join courses on courses.id = lessons.course_id
            where lessons.retired_at is null and modules.retired_at is null and courses.retired_at is null
                and not exists (
                    select from lesson_progress as done
                    where done.user_id = p_user and done.lesson_id = lessons.id and done.first_local_date < p_date
                )
            limit p_enough
        ) as unfinished;
        select count(*) into weak from (
            select from lesson_progress as done
            join lessons on lessons.id = done.lesson_id
            join modules on modules.id = lessons.module_id
            join courses on courses.id = lessons.course_id
            where done.user_id = p_user and done.first_local_date < p_date
                and lessons.retired_at is null and modules.retired_at is null and courses.retired_at is null
                and case when done.last_local_date < p_date then done.best_score else (
                    select max(attempt.score) from attempts as attempt
                    where attempt.user_id = p_user and attempt.lesson_id = done.lesson_id
                        and attempt.local_date < p_date
                ) end < p_weak_below
            limit p_enough
        ) as weak;
    end if;
"""
"""What goals are set by; goals that are set already ask for nothing."""
_GOALS_OF_DAY = f"""
create function game_day(p_user bigint, p_date date, p_enough int, p_weak_below numeric)
returns table (preferences jsonb, {_DAY}) language plpgsql {{HOW}} as $$
#variable_conflict use_column
begin
    select users.preferences, {_DAY_COLUMNS}, {_GOALS}
    into preferences, {_DAY_NAMES}, goals
    from users left join activity_days as day on day.user_id = users.id and day.local_date = p_date
    where users.id = p_user;
    if not found then
        return;
    end if;
    {_FACTS_OF_DAY}
    return next;
end $$
"""  # noqa: S608 - only the words above

_RESUME = """
    select json_build_array(mine.id, mine.title, mine.key, mine.course, mine.minutes, mine.attempt, mine.done, mine.steps)
    into resume
    from (
        select lessons.id, lessons.title, courses.key, courses.title as course, lessons.minutes, attempts.id as attempt,
               counted.done, counted.steps
        from attempts
        join lessons on lessons.id = attempts.lesson_id
        join courses on courses.id = lessons.course_id
        cross join lateral (
            select count(*) as steps, count(*) filter (where done_at is not null) as done
            from attempt_steps where attempt_id = attempts.id
        ) as counted
        where attempts.user_id = p_user and attempts.completed_at is null and counted.steps > 0
        order by attempts.last_event_at desc, attempts.id desc
        limit 1
    ) as mine;
"""
_NEXT = """
    if resume is null then
        for v_course in
            select courses.id, courses.key, courses.title
            from courses
            left join (
                select lessons.course_id, max(done.last_completed_at) as last_done
                from lesson_progress as done join lessons on lessons.id = done.lesson_id
                where done.user_id = p_user group by lessons.course_id
            ) as worked_on on worked_on.course_id = courses.id
            where courses.retired_at is null
            order by worked_on.last_done desc nulls last, courses.position, courses.key
        loop
            select json_build_array(lessons.id, lessons.title, v_course.key, v_course.title, lessons.minutes, null, 0, 0)
            into resume
            from lessons join modules on modules.id = lessons.module_id
            where lessons.course_id = v_course.id and lessons.retired_at is null and modules.retired_at is null
                and not exists (
                    select from lesson_progress as done where done.user_id = p_user and done.lesson_id = lessons.id
                )
            order by modules.position, lessons.position, lessons.id
            limit 1;
            exit when found;
        end loop;
    end if;
"""
_PAGE = f"""
create function own_page(
    p_user bigint, p_first date, p_last date, p_date date, p_enough int, p_weak_below numeric, p_kinds text[]
) returns table (
    {_STANDING}, preferences jsonb, dates date[], lessons int[], {_DAY}, {_BELL}, resume json, course_progress json
) language plpgsql {{HOW}} as $$
#variable_conflict use_column
declare
    v_course record;
begin
    select {_STANDING_COLUMNS}, users.preferences, {_DAY_COLUMNS}, {_GOALS}
    into {_STANDING_NAMES}, preferences, {_DAY_NAMES}, goals
    from users
    left join players as player on player.user_id = users.id
    left join activity_days as day on day.user_id = users.id and day.local_date = p_date
    where users.id = p_user;
    if not found then
        return;
    end if;
    select array_agg(local_date order by local_date), array_agg(lessons order by local_date) into dates, lessons
    from activity_days where user_id = p_user and local_date between p_first and p_last and lessons > 0;
    {_FACTS_OF_DAY}
    {_BELL_READ}
    {_RESUME}
    {_NEXT}
    select json_agg(json_build_array(progress.course_id, progress.done)) into course_progress from (
        select lessons.course_id, count(*) as done
        from lesson_progress join lessons on lessons.id = lesson_progress.lesson_id
        where lesson_progress.user_id = p_user and lessons.retired_at is null group by lessons.course_id
    ) as progress;
    return next;
end $$
"""  # noqa: S608 - only the words above
_EVERYTHING = f"""
create function game_standing(p_user bigint, p_kinds text[], p_mechanics text[], p_latest int) returns table (
    {_STANDING}, preferences jsonb, display_name text, coins_earned bigint, earned json, unread bigint, latest json
) language plpgsql {{HOW}} as $$
#variable_conflict use_column
declare
    v_kinds text[];
begin
    select {_STANDING_COLUMNS}, users.preferences, users.display_name,
           (select coalesce(sum(amount), 0) from ledger_entries
            where user_id = users.id and currency = 'coins' and amount > 0),
           (select json_agg(json_build_array(badge, local_date) order by earned_at desc, badge)
            from earned_badges where user_id = users.id)
    into {_STANDING_NAMES}, preferences, display_name, coins_earned, earned
    from users left join players as player on player.user_id = users.id where users.id = p_user;
    if not found then
        return;
    end if;
    select array_agg(known.kind) into v_kinds
    from unnest(p_kinds, p_mechanics) as known (kind, mechanic)
    where not coalesce(preferences -> 'hidden' ? known.mechanic, false);
    select count(*) into unread from notifications where user_id = p_user and read_at is null and kind = any(v_kinds);
    select json_agg(json_build_array(id, kind, details, created_at) order by id desc) into latest from (
        select id, kind, details, created_at from notifications
        where user_id = p_user and read_at is null and kind = any(v_kinds)
        order by id desc limit p_latest
    ) as newest;
    return next;
end $$
"""  # noqa: S608 - only the words above
_STORY = """
create function game_streak(p_user bigint, p_first date, p_last date, p_until date) returns table (
    dates date[], lessons int[], active date[], bought date[], repaired date[], zones json, mended_today boolean
) language plpgsql {HOW} as $$
#variable_conflict use_column
begin
    select array_agg(local_date order by local_date) filter (where local_date between p_first and p_last),
           array_agg(lessons order by local_date) filter (where local_date between p_first and p_last),
           array_agg(local_date order by local_date) filter (where local_date <= p_until)
    into dates, lessons, active
    from activity_days where user_id = p_user and lessons > 0 and local_date <= greatest(p_last, p_until);
    select (select array_agg(local_date order by local_date) from purchases
            where user_id = p_user and kind = 'freeze' and local_date <= p_until),
           (select array_agg(missed_date) from streak_repairs where user_id = p_user and local_date <= p_until),
           (select json_agg(json_build_array(since, time_zone, day_start_hour) order by since)
            from zone_facts where user_id = p_user),
           exists (select from streak_repairs where user_id = p_user and local_date = p_until)
    into bought, repaired, zones, mended_today;
    return next;
end $$
"""
HOW = "stable set plan_cache_mode = force_generic_plan set enable_seqscan = off"
"""A plan is made once, for tables of any size, and not anew when they have grown or have not been looked at yet."""
FUNCTIONS = {
    "account_by_session(bytea, timestamptz)": _SESSION,
    "standing_mark(bigint, xid, date, timestamptz)": _MARK,
    "news_bell(bigint, text[])": _NEWS,
    "page_head(bigint, text[])": _HEAD,
    "step_page(bigint, bigint, text[])": _STEP,
    "game_day(bigint, date, int, numeric)": _GOALS_OF_DAY,
    "game_standing(bigint, text[], text[], int)": _EVERYTHING,
    "game_streak(bigint, date, date, date)": _STORY,
    "own_page(bigint, date, date, date, int, numeric, text[])": _PAGE,
}


def upgrade() -> None:
    for body in FUNCTIONS.values():
        op.execute(body.replace("{HOW}", HOW))


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
