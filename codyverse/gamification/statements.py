"""The prebuilt SQL of the game's hot paths: paying, goals, and what they need to know."""

from typing import Any

from sqlalchemy import text

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


SETTLE = Call(
    "game_settled(:user_id, :local_date, :at, :attempt_id, cast(:entries as jsonb), :number, :xp, :coins, :gems, "
    ":lesson_xp, :mended, :level, :streak, :best_streak, :streak_date, :days_learned, :freezes, :freeze_days, :kept_date, "
    "cast(:goals as int[]), cast(:badges as text[]))",
    _one,
)
"""Write all that a fact brought: entries, the player's sums with them, goals that were reached, badges. What is there
already was not reckoned with, and fails as a passing fault: the whole is done anew, and knows then."""

PLAYER = text("""
    select xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes, freeze_days, kept_date,
        (select coalesce(array_agg(badge), '{}') from earned_badges where user_id = :user_id) as badges
    from players where user_id = :user_id
""")

PERSON_COLUMNS = """
    users.time_zone, users.day_start_hour, users.last_game_date, users.owed_until,
    player.xp, player.coins, player.gems, player.level, player.streak, player.best_streak, player.streak_date,
    player.days_learned, player.freezes, player.kept_date, player.outfit, player.world, users.preferences
"""
"""What a card is made of, in a row of `users` with its `player`. Functions of the database that bring a card along with
other things have the same columns."""

WEEK_COLUMNS = """
    (select array_agg(local_date order by local_date) from activity_days
     where user_id = :user_id and local_date between :first and :last and lessons > 0) as dates,
    (select array_agg(lessons order by local_date) from activity_days
     where user_id = :user_id and local_date between :first and :last and lessons > 0) as lessons
"""
"""The days from `:first` to `:last` with lessons, and how many."""

GOALS_OF_DAY = text("select * from game_day(:user_id, :local_date, :enough, :weak_below)")
"""A learner's day: preferences, the goals that are set (null: none yet), how far the day has come, and, where none are set,
the facts to set them by. Lessons count as unfinished or weak by how the day began, so that the goals are the same all
day. `own_page`, a function of the database, has the same columns."""

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
