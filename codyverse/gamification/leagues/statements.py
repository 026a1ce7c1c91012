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
        select id from league_cohorts where week = :week and size < {COHORT_SIZE} and closed_at is null order by number limit 1
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
    update league_members set left_at = :at where user_id = :user_id and week = :week and left_at is null
""")
RETURN = text("""
    update league_members set left_at = null where user_id = :user_id and week = :week
""")
_PLACED = "case when cohort.closed_at is null then member.left_at is null else member.rank is not null end"
_COUNTS = "(cohort.closed_at is null or member.lessons is not null)"
STANDING = text(f"""
    with cohort as materialized (select closed_at from league_cohorts where id = :cohort_id)
    select member.user_id, member.pseudonym, {_PLACED} as placed,
           coalesce(member.xp, days.xp) as xp, coalesce(member.lessons, done.lessons) as lessons
    from cohort cross join league_members as member
    cross join lateral (
        select coalesce(sum(least(day.xp, {DAILY_XP_CAP})), 0) as xp from activity_days as day
        where member.xp is null and day.user_id = member.user_id
            and day.local_date between cast(:week as date) and cast(:week as date) + 6
    ) as days
    cross join lateral (
        select count(distinct attempt.lesson_id) as lessons from attempts as attempt
        where member.lessons is null and attempt.user_id = member.user_id
            and attempt.completed_at >= cast(cast(:week as date) - 7 as timestamp) at time zone 'UTC'
            and attempt.local_date between cast(:week as date) and cast(:week as date) + 6
    ) as done
    where member.cohort_id = :cohort_id and {_COUNTS}
    order by xp desc, member.pseudonym
""")  # noqa: S608 - our own texts and number
"""All who joined a cohort, that of `week`, with the lesson XP of their own seven days, each day up to the cap, and the lessons finished
in them, each once. Who left is not `placed`: no place on the board, but their lessons and their share of the target stay
in the quest. `completed_at` only leads to the few rows by their index; the date decides, and no date begins a week early.
The week is said and not read from the row, so that PostgreSQL knows how few days it is and looks them up by learner. The
cohort is read once, and not again for each member, which PostgreSQL takes to cost the same.
"""

MEMBERSHIP = text(f"""
    select member.cohort_id, member.week, cohort.closed_at, cohort.quest_lessons, cohort.quest_reached
    from league_members as member join league_cohorts as cohort on cohort.id = member.cohort_id
    where member.user_id = :user_id and member.week <= :week and {_PLACED}
    order by member.week desc limit 2
""")  # noqa: S608 - our own text
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
    where member.paid_at is null and member.lessons is not null and cohort.closed_at is not null
    order by member.week, member.cohort_id, member.user_id
""")
TAKE_MEMBER = text("""
    update league_members as member set paid_at = :at from league_cohorts as cohort
    where cohort.id = member.cohort_id and member.user_id = :user_id and member.week = :week and member.paid_at is null
    returning member.rank, member.xp, member.lessons, cohort.quest_reached, (
            select array[count(other.rank), count(other.lessons)] from league_members as other
            where other.cohort_id = cohort.id
        ) as members, exists (
            select from ledger_entries as entry where entry.user_id = :user_id and entry.currency = 'coins'
                and entry.rule = 'quest' and entry.source = 'quest:' || to_char(member.week, 'YYYY-MM-DD')
        ) as paid
""")
"""Mark a member as settled; null if that has happened. `members`: how many have a place, how many did the quest;
`paid`: an entry for it is there already."""
