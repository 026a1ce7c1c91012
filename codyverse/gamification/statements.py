"""The prebuilt SQL of the game's hot paths: paying, goals, and what they need to know."""

from typing import Any

from sqlalchemy import and_, bindparam, column, table, text

from codyverse.core.together import Call, Rider

GAME, GOALS, COUNTS, BROUGHT = "game", "goals", "counts", "brought"
"""What rides along with a fact: what the game has to know of its learner, the goals of the day (null: not set), what badges
are earned by, and the entries that the attempt has brought before (null: none)."""
GOALS_RIDER = Rider(GOALS, "game_goals(:user_id, :local_date)")

KNOWN = text("select game_known(:user_id, :local_date, :lesson_id, :attempt_id)")
SET = text(f"select {GOALS_RIDER.column}")


def _one(facts: list[Any]) -> Any:
    if len(facts) > 1:
        raise RuntimeError("what was reckoned by the first fact has to be written before the second one")
    return facts[0]


SETTLE = Call("game_pay(:told)", _one)
"""Write all that a fact brought: entries, the player's sums with them, goals that were reached, badges. What is there
already was not reckoned with, and fails as a passing fault: the whole is done anew, and knows then."""

PLAYER = text("""
    select xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes, freeze_days, kept_date,
        (select coalesce(array_agg(badge), '{}') from earned_badges where user_id = :user_id) as badges
    from players where user_id = :user_id
""")

STANDING_COLUMNS = """
    users.time_zone, users.day_start_hour, users.last_game_date, users.owed_until,
    player.xp, player.coins, player.gems, player.level, player.streak, player.best_streak, player.streak_date,
    player.days_learned, player.freezes, player.kept_date, player.outfit, player.world
"""
"""What `card_of` reads of a row of `users` with its `player`, if it is given the person's preferences."""
PERSON_COLUMNS = f"{STANDING_COLUMNS}, users.preferences"
"""What `board_of` reads of it."""

WEEK_COLUMNS = """
    (select array_agg(local_date order by local_date) from activity_days
     where user_id = :user_id and local_date between :first and :last and lessons > 0) as dates,
    (select array_agg(lessons order by local_date) from activity_days
     where user_id = :user_id and local_date between :first and :last and lessons > 0) as lessons
"""
"""The days from `:first` to `:last` with lessons, and how many."""

DAY_COLUMNS = """
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
    day.distinct_lessons as distinct_lessons, day.xp as day_xp, day.seconds as seconds, day.first_try as first_try,
    day.correct as correct, day.mended as mended
"""
"""A learner's day: the goals that are set (null: none yet), the facts to set them by, and how far the day has come.
Lessons count as unfinished or weak by how the day began, so that the goals are the same all day."""
DAY_JOIN = "left join activity_days as day on day.user_id = users.id and day.local_date = :local_date"
GOALS_OF_DAY = text(
    f"select users.preferences, {DAY_COLUMNS} from users {DAY_JOIN} where users.id = :user_id"  # noqa: S608 - only the words above
)

BOARD_COLUMNS = f"{PERSON_COLUMNS}, {WEEK_COLUMNS}, {DAY_COLUMNS}"
_users, _player = table("users", column("id")), table("players", column("user_id")).alias("player")
_day = table("activity_days", column("user_id"), column("local_date")).alias("day")
_TODAY = and_(_day.c.user_id == _users.c.id, _day.c.local_date == bindparam("local_date"))
BOARD_TABLES = _users.outerjoin(_player, _player.c.user_id == _users.c.id).outerjoin(_day, _TODAY)
"""All that a board shows, but for the story of a streak, asked for a date; `board_values` are what it is given."""

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
