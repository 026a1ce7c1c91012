"""The prebuilt SQL of the game's hot paths: paying, goals, and what they need to know."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

PAY = text("""
    with won as (
        insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at, attempt_id, details)
        select :user_id, currency, amount, rule, source, :local_date, :at, :attempt_id, details
        from jsonb_to_recordset(:entries)
            as wanted (currency text, amount int, rule text, source text, details jsonb)
        on conflict (user_id, currency, rule, source) do nothing
        returning currency, amount, rule, source
    ), sums as (
        select coalesce(sum(amount) filter (where currency = 'xp'), 0) as xp,
               coalesce(sum(amount) filter (where currency = 'coins'), 0) as coins,
               coalesce(sum(amount) filter (where currency = 'gems'), 0) as gems,
               coalesce(sum(amount) filter (where currency = 'xp' and rule in ('lesson', 'lesson_again')), 0)
                   as lesson_xp,
               count(*) filter (where currency = 'xp' and rule = 'lesson_again') as mended
        from won
    ), day as (
        update activity_days as day set xp = day.xp + sums.lesson_xp, mended = day.mended + sums.mended from sums
        where day.user_id = :user_id and day.local_date = :local_date and sums.lesson_xp > 0
    )
    insert into players as player (user_id, xp, coins, gems, level, streak, best_streak, streak_date, days_learned,
                                   freezes, freeze_days, kept_date)
    select :user_id, xp, coins, gems, coalesce(:level, 1), coalesce(:streak, 0), coalesce(:best_streak, 0),
           cast(:streak_date as date), coalesce(:days_learned, 0), coalesce(:freezes, 0), coalesce(:freeze_days, 0),
           cast(:kept_date as date)
    from sums
    on conflict (user_id) do update set
        xp = player.xp + excluded.xp,
        coins = player.coins + excluded.coins,
        gems = player.gems + excluded.gems,
        level = coalesce(:level, player.level),
        streak = coalesce(:streak, player.streak),
        best_streak = coalesce(:best_streak, player.best_streak),
        streak_date = coalesce(cast(:streak_date as date), player.streak_date),
        days_learned = coalesce(:days_learned, player.days_learned),
        freezes = coalesce(:freezes, player.freezes),
        freeze_days = coalesce(:freeze_days, player.freeze_days),
        kept_date = coalesce(cast(:kept_date as date), player.kept_date)
    returning xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes, freeze_days, kept_date,
        (select coalesce(array_agg(badge), '{}') from earned_badges where user_id = :user_id) as badges,
        (select coalesce(jsonb_agg(jsonb_build_array(currency, rule, source)), '[]') from won) as won
""").bindparams(bindparam("entries", type_=JSONB))
"""Write the entries that are not there yet, and with them, in one statement, the sums of the player and the day's
lesson XP. Only what was inserted counts. Returns the player as it is then, and which entries were inserted."""

PLAYER = text("""
    select xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes, freeze_days, kept_date,
        (select coalesce(array_agg(badge), '{}') from earned_badges where user_id = :user_id) as badges
    from players where user_id = :user_id
""")

TICK = text("""
    with hit as (
        update daily_goals set reached_at = :at
        where user_id = :user_id and local_date = :local_date and reached_at is null and target <= case kind
            when 'lessons' then :lessons when 'xp' then :xp when 'minutes' then :minutes
            when 'first_try' then :first_try when 'right' then :right when 'mended' then :mended end
        returning slot, kind, target, coins
    )
    select before.goals, before.reached, hit.slot, hit.kind, hit.target, hit.coins
    from (
        select count(*) as goals, count(reached_at) as reached from daily_goals
        where user_id = :user_id and local_date = :local_date
    ) as before
    left join hit on true
    order by hit.slot
""")
"""Mark the goals that the day has reached now. One row for each, or one with nulls; `before` is as it was."""

GOALS_OF_DAY = text("""
    select
        users.preferences,
        (select jsonb_agg(jsonb_build_array(slot, kind, target, coins, reached_at is not null) order by slot)
         from daily_goals where user_id = users.id and local_date = :local_date) as goals,
        (select count(*) from (
            select from lessons
            join modules on modules.id = lessons.module_id
            join courses on courses.id = lessons.course_id
            where lessons.retired_at is null and modules.retired_at is null and courses.retired_at is null
                and not exists (
                    select from lesson_progress as done
                    where done.user_id = users.id and done.lesson_id = lessons.id
                        and done.first_local_date < :local_date
                )
            limit :enough
        ) as unfinished) as unfinished,
        (select count(*) from (
            select from lesson_progress as done
            join lessons on lessons.id = done.lesson_id
            join modules on modules.id = lessons.module_id
            join courses on courses.id = lessons.course_id
            where done.user_id = users.id and done.first_local_date < :local_date
                and lessons.retired_at is null and modules.retired_at is null and courses.retired_at is null
                and case when done.last_local_date < :local_date then done.best_score else (
                    select max(attempt.score) from attempts as attempt
                    where attempt.user_id = users.id and attempt.lesson_id = done.lesson_id
                        and attempt.local_date < :local_date
                ) end < :weak_below
            limit :enough
        ) as weak) as weak,
        day.distinct_lessons, day.xp, day.seconds, day.first_try, day.correct, day.mended
    from users
    left join activity_days as day on day.user_id = users.id and day.local_date = :local_date
    where users.id = :user_id
""")
"""A learner's day: the goals that are set (null: none yet), the facts to set them by, and how far the day has come.
Lessons count as unfinished or weak by how the day began, so that the goals are the same all day."""

PAST_GOALS = text("""
    select local_date,
           jsonb_agg(jsonb_build_array(slot, kind, target, coins, reached_at is not null) order by slot) as goals
    from daily_goals where user_id = :user_id and local_date < :before
    group by local_date order by local_date desc limit :days
""")

SET_GOALS = text("""
    insert into daily_goals (user_id, local_date, slot, kind, target, coins)
    select :user_id, :local_date, goal.*
    from unnest(cast(:slots as int[]), cast(:kinds as text[]), cast(:targets as int[]), cast(:coins as int[])) as goal
    on conflict do nothing
""")
