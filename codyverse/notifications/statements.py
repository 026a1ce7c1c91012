"""The prebuilt SQL of notifications."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from codyverse.core.together import Rider

CHANNEL = "codyverse_news"
"""Where PostgreSQL tells the streams whose news changed; the payload is the person's id and nothing more."""

READERS = text("select id, news_reader(id) as reader from unnest(cast(:user_ids as bigint[])) as asked (id)")
RECIPIENTS = text("""
    select users.id, users.time_zone, users.preferences,
           choices.page_off, choices.quiet_from, choices.quiet_until
    from users left join notification_choices as choices on choices.user_id = users.id
    where users.id = any(:user_ids) and users.deactivated_at is null
""")

WRITE = text("""
    with made as (
        insert into notifications (user_id, kind, source, details, created_at, read_at)
        select wanted.user_id, :kind, :source, :details, :at, case when wanted.shown then null else :at end
        from unnest(cast(:user_ids as bigint[]), cast(:shown as boolean[])) as wanted (user_id, shown)
        on conflict (user_id, kind, source) do nothing
        returning user_id
    ), told as (
        select pg_notify(:channel, cast(made.user_id as text)) from made
        where made.user_id = any(cast(:push as bigint[]))
    )
    select (select count(*) from made) as made, (select count(*) from told) as told
""").bindparams(bindparam("details", type_=JSONB), bindparam("channel", CHANNEL))
"""Write what is not there yet and, at the commit, wake the streams of those in `push`. Who does not want it on the
page gets it as read already, so that turning a kind on again brings no flood."""

READER = Rider("reader", "news_reader(:user_id)")
"""What rides along with a fact: how its learner wants to hear of it, null for nobody. The columns of RECIPIENTS without the id."""

STIR = text("select pg_notify(:channel, cast(cast(:user_id as bigint) as text))").bindparams(
    bindparam("channel", CHANNEL)
)

STATES = text("""
    select whose.id,
           coalesce((select max(id) from notifications where user_id = whose.id), 0) as latest,
           (select count(*) from notifications where user_id = whose.id and read_at is null) as unread,
           (select count(*) from purchases where user_id = whose.id) as bought
    from unnest(cast(:user_ids as bigint[])) as whose (id)
""")

BELL = text("select * from news_bell(:user_id, :kinds)")
"""The newest one's id, how many are unread, how many of these are of such `:kinds`, how much was bought. The functions
of the pages' heads have the same columns."""

NEWER = text("""
    select kind, details from notifications
    where user_id = :user_id and id > :after and read_at is null and kind = any(:kinds)
    order by id desc limit :most
""")

LISTED = text("""
    select id, kind, source, details, created_at, read_at from notifications
    where user_id = :user_id and id < :before and kind || '' = any(:kinds) and (:all or read_at is null)
        and id >= (
            select min(id) from (
                select id from notifications
                where user_id = :user_id and id < :before and kind = any(:kinds) and (:all or read_at is null)
                order by id desc limit :most
            ) as newest
        )
    order by id desc
""")
"""Which are the newest is read from an index alone, then only those are read. Asked in one, PostgreSQL would read and
sort all that somebody ever got, for it knows only how many an average learner has; for the same reason no index is to be
used for the kind, to which `|| ''` sees.
"""

WANTED = """
    from notifications
    where user_id = :user_id and kind = any(:kinds) and (:all or read_at is null)
"""
SLICE = text(f"""
    select id, kind, details, created_at, read_at {WANTED} order by id desc offset :offset limit :most
""")
COUNTED = text(f"select count(*) {WANTED}")
ONE = text("""
    select id, kind, details, created_at, read_at from notifications where user_id = :user_id and id = :id
""")

READ = text("""
    with done as (
        update notifications set read_at = :at
        where user_id = :user_id and read_at is null and id between :low and :high
        returning id
    )
    select pg_notify(:channel, cast(cast(:user_id as bigint) as text)) from (select 1 from done limit 1) as any_done
""").bindparams(bindparam("channel", CHANNEL))

ALIVE_STREAKS = text("""
    select users.id, users.time_zone, users.day_start_hour, player.streak, player.streak_date
    from players as player join users on users.id = player.user_id
    where player.user_id > :after and player.streak >= :shortest and player.streak_date between :since and :until
          and users.deactivated_at is null and not coalesce(users.preferences -> 'hidden' ? 'streak', false)
          and users.preferences ->> 'streak_mode' is distinct from 'weekly'
    order by users.id limit :most
""")

LAST_LESSONS = text("""
    select user_id, max(completed_at) as at from attempts
    where user_id = any(:user_ids) and completed_at is not null group by user_id
""")

FOLLOWERS = text("""
    select distinct attempts.user_id from attempts join lessons on lessons.id = attempts.lesson_id
    where lessons.course_id = :course_id
""")

LATELY_ACTIVE = text("select distinct user_id from activity_days where local_date >= :since")

DIGEST_READERS = text("""
    select choices.user_id, choices.mail_kinds, choices.mail_hour, choices.quiet_from, choices.quiet_until,
           choices.unsubscribe_token, users.email, users.display_name, users.time_zone, users.preferences
    from notification_choices as choices join users on users.id = choices.user_id
    where choices.mail_kinds <> '[]'::jsonb and choices.user_id > :after and users.deactivated_at is null
          and users.email_verified_at is not null
          and exists (
              select from notifications as news
              where news.user_id = choices.user_id and news.read_at is null and news.mailed_at is null
                    and news.created_at > :since and choices.mail_kinds ? news.kind
          )
    order by choices.user_id limit :most
""")

UNTOLD = text("""
    select id, kind, details from notifications
    where user_id = :user_id and read_at is null and mailed_at is null and created_at > :since
          and kind = any(:kinds)
    order by id desc limit 50
""")

POST = text("""
    insert into mails (user_id, recipient, kind, source, context, created_at, expires_at, next_try_at)
    values (:user_id, :recipient, :kind, :source, :context, :at, :expires_at, :at)
    on conflict (kind, source) do nothing returning id
""").bindparams(bindparam("context", type_=JSONB))

CLAIM = text("""
    update mails set claimed_at = :at, tries = tries + 1
    where id in (
        select id from mails
        where sent_at is null and failed_at is null and claimed_at is null
              and next_try_at <= :at and expires_at > :at
        order by next_try_at, id limit :most for update skip locked
    )
    returning id, recipient, kind, context, tries
""")

GIVE_UP = text("""
    update mails set failed_at = :at, claimed_at = null,
        fault = case when claimed_at is null then 'too late' else 'the worker was stopped while sending' end
    where sent_at is null and failed_at is null
          and ((claimed_at is null and expires_at <= :at) or (claimed_at < :killed and kind = any(:never_twice)))
""")
"""What nobody wants any more, and what may have been sent already and must not come twice."""

FREE_CLAIMS = text("""
    update mails set claimed_at = null
    where sent_at is null and failed_at is null and claimed_at < :killed and not kind = any(:never_twice)
""")
