"""The SQL of the leagues."""

from sqlalchemy import text

from codyverse.gamification.leagues.rules import COHORT_SIZE, DAILY_XP_CAP

WANTS_IN = text("""
    select coalesce(preferences -> 'leagues' = 'true', false) and not coalesce(preferences -> 'hidden' ? 'leagues', false)
        and not exists (
            select from league_members where user_id = users.id and week = :week
        ) as wants
    from users where id = :user_id
""")
TAKEN = text("select pseudonym from league_members where cohort_id = :cohort_id")
ROOM = text(f"""
    update league_cohorts set size = size + 1
    where id = (
        select id from league_cohorts where week = :week and size < {COHORT_SIZE} order by number limit 1
    )
    returning id
""")  # noqa: S608 - our own number
OPEN_COHORT = text("""
    insert into league_cohorts (week, number, size)
    select :week, coalesce(max(number), 0) + 1, 1 from league_cohorts where week = :week
    returning id
""")
JOIN = text("""
    insert into league_members (user_id, week, cohort_id, pseudonym, joined_at)
    values (:user_id, :week, :cohort_id, :pseudonym, :at)
""")
LEAVE = text("""
    update league_members as member set left_at = :at from league_cohorts as cohort
    where cohort.id = member.cohort_id and cohort.closed_at is null
        and member.user_id = :user_id and member.left_at is null
""")
RETURN = text("""
    update league_members as member set left_at = null from league_cohorts as cohort
    where cohort.id = member.cohort_id and cohort.closed_at is null and member.user_id = :user_id
""")
STANDING = text(f"""
    select member.user_id, member.pseudonym, member.rank,
           coalesce(member.xp, done.xp) as xp, coalesce(member.lessons, done.lessons) as lessons
    from league_members as member
    cross join lateral (
        select coalesce(sum(least(xp, {DAILY_XP_CAP})), 0) as xp, coalesce(sum(distinct_lessons), 0) as lessons
        from activity_days as day
        where day.user_id = member.user_id and day.local_date between member.week and member.week + 6
    ) as done
    where member.cohort_id = :cohort_id and member.left_at is null
    order by xp desc, member.pseudonym
""")  # noqa: S608 - our own number
"""Members of a cohort with the lesson XP of their own seven days, each day up to the cap, and their different lessons."""

MEMBERSHIP = text("""
    select member.cohort_id, member.week, cohort.closed_at, cohort.quest_lessons, cohort.quest_reached
    from league_members as member join league_cohorts as cohort on cohort.id = member.cohort_id
    where member.user_id = :user_id and member.left_at is null and member.week <= :week
    order by member.week desc limit 2
""")
DUE_COHORTS = text(
    "select id from league_cohorts where closed_at is null and week <= :last_over order by week, number"
)
LOCK_COHORT = text(
    "select id, week from league_cohorts where id = :cohort_id and closed_at is null for update"
)
CLOSE = text("""
    update league_cohorts set closed_at = :at, quest_lessons = :lessons, quest_reached = :reached where id = :cohort_id
""")
KEEP_RESULT = text("""
    update league_members set rank = :rank, xp = :xp, lessons = :lessons where user_id = :user_id and week = :week
""")
DUE_MEMBERS = text("""
    select member.user_id, member.week
    from league_members as member join league_cohorts as cohort on cohort.id = member.cohort_id
    where member.paid_at is null and member.rank is not null and cohort.closed_at is not null
    order by member.week, member.cohort_id, member.user_id
""")
TAKE_MEMBER = text("""
    update league_members as member set paid_at = :at from league_cohorts as cohort
    where cohort.id = member.cohort_id and member.user_id = :user_id and member.week = :week and member.paid_at is null
    returning member.rank, member.xp, member.lessons, cohort.size, cohort.quest_reached,
        (select count(*) from league_members as other where other.cohort_id = cohort.id and other.rank is not null) as members
""")
