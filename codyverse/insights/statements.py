"""The SQL of insights: each reckons one day, week or batch, reading only what belongs to it, by an index."""

from sqlalchemy import text

from codyverse.insights import models  # noqa: F401 - the tables that are meant

FIRST_DAY = text("""
    select least((select min(local_date) from activity_days),
                 (select min(cast(created_at at time zone 'UTC' as date)) from users)) as first
""")

DUE_DAYS = text("""
    select cast(span.day as date) as day
    from generate_series(cast(:first as date), cast(:today as date), interval '1 day') as span (day)
    left join learning_days on learning_days.day = cast(span.day as date)
    where settled_at is null or span.day >= cast(:today as date) - :moving
          or (span.day >= cast(:today as date) - :settling and settled_at < :midnight)
    order by span.day
""")
"""Days that were never reckoned, the last few, and once a day those of which something may still become known."""

DAY = text("""
    with today as (
        select count(*) as active, coalesce(sum(answers), 0) as answers, coalesce(sum(correct), 0) as correct,
               coalesce(sum(lessons), 0) as lessons, coalesce(sum(seconds), 0) as seconds
        from activity_days where local_date = :day
    ), tries as (
        select attempts.user_id, attempts.lesson_id, count(*) as times,
               count(*) filter (where attempts.completed_at > standing.first_completed_at) as repeats
        from attempts join lesson_progress as standing
            on standing.user_id = attempts.user_id and standing.lesson_id = attempts.lesson_id
        where attempts.started_at >= :begins and attempts.started_at < :ends and attempts.completed_at is not null
              and not attempts.reported
        group by attempts.user_id, attempts.lesson_id
    ), runs as (
        select this.user_id,
               not exists (
                   select from activity_days as next
                   where next.user_id = this.user_id and next.lessons > 0
                         and next.local_date in (cast(:day as date) + 1, cast(:day as date) + 2)
               ) as ended,
               exists (
                   select from activity_days as later
                   where later.user_id = this.user_id and later.lessons > 0
                         and later.local_date between cast(:day as date) + 3 and cast(:day as date) + 14
               ) as returned
        from activity_days as this
        join activity_days as one on one.user_id = this.user_id and one.lessons > 0
             and one.local_date = cast(:day as date) - 1
        join activity_days as two on two.user_id = this.user_id and two.lessons > 0
             and two.local_date = cast(:day as date) - 2
        where this.local_date = :day and this.lessons > 0
    )
    insert into learning_days (day, active, active_7, active_28, joined, answers, correct, lessons, seconds, repeats,
                               repeaters, runs, ended, returned, settled_at)
    select :day, today.active,
           (select count(distinct user_id) from activity_days
            where local_date between cast(:day as date) - 6 and :day),
           (select count(distinct user_id) from activity_days
            where local_date between cast(:day as date) - 27 and :day),
           (select count(*) from users where created_at >= :begins and created_at < :ends),
           today.answers, today.correct, today.lessons, today.seconds,
           (select coalesce(sum(repeats), 0) from tries),
           (select count(distinct user_id) from tries where times >= 3),
           (select count(*) from runs),
           case when :knows_end then (select count(*) from runs where ended) end,
           case when :knows_return then (select count(*) from runs where ended and returned) end,
           :at
    from today
    on conflict (day) do update set
        active = excluded.active, active_7 = excluded.active_7, active_28 = excluded.active_28,
        joined = excluded.joined, answers = excluded.answers, correct = excluded.correct,
        lessons = excluded.lessons, seconds = excluded.seconds, repeats = excluded.repeats,
        repeaters = excluded.repeaters, runs = excluded.runs, ended = excluded.ended,
        returned = excluded.returned, settled_at = excluded.settled_at
""")

LESSONS_OF_DAY = text("""
    insert into lesson_days (day, lesson_id, begun, finished, score, seconds)
    select :day, lesson_id, count(*), count(completed_at), coalesce(sum(score), 0),
           coalesce(sum(seconds) filter (where completed_at is not null), 0)
    from attempts where started_at >= :begins and started_at < :ends and not reported
    group by lesson_id
    on conflict (day, lesson_id) do update set
        begun = excluded.begun, finished = excluded.finished, score = excluded.score, seconds = excluded.seconds
""")

MARK = text("""
    insert into insight_marks (name, value) values (:name, 0)
    on conflict (name) do update set value = insight_marks.value returning value
""")
"""The mark, locked until the transaction ends."""

SET_MARK = text("update insight_marks set value = :value where name = :name")

ITEMS = text("""
    with batch as materialized (
        select id, revision_id, try_no, correct, hints, created_at from answers
        where id > :mark order by id limit :most
    ), stop as (
        select min(id) as id from batch where created_at >= :until
    ), taken as (
        select batch.* from batch, stop where stop.id is null or batch.id < stop.id
    ), added as (
        insert into item_totals as old (revision_id, asked, "right", answers, guesses, hints)
        select revision_id, count(*) filter (where try_no = 1), count(*) filter (where try_no = 1 and correct),
               count(*), count(*) filter (where try_no > 3), coalesce(sum(hints) filter (where try_no = 1), 0)
        from taken group by revision_id
        on conflict (revision_id) do update set
            asked = old.asked + excluded.asked, "right" = old."right" + excluded."right",
            answers = old.answers + excluded.answers, guesses = old.guesses + excluded.guesses,
            hints = old.hints + excluded.hints
    )
    select count(*) as number, max(id) as last from taken
""")
"""Add up the answers behind the mark, in the order of their ids, up to the first that is younger than `until`: a
transaction that began before it and is still under way may yet bring an answer with a lower id."""

COHORTS = text("""
    insert into cohorts (cohort, learners)
    select cast(date_trunc('week', created_at at time zone 'UTC') as date), count(*) from users group by 1
    on conflict (cohort) do update set learners = excluded.learners
""")

KNOWN_WEEKS = text("select distinct week from cohort_weeks")

COHORT_WEEK = text("""
    insert into cohort_weeks (cohort, week, active)
    select joined.cohort, :week, count(distinct joined.user_id) from (
        select activity_days.user_id, cast(date_trunc('week', users.created_at at time zone 'UTC') as date) as cohort
        from activity_days join users on users.id = activity_days.user_id
        where activity_days.local_date between :week and cast(:week as date) + 6
    ) as joined
    where joined.cohort <= :week
    group by joined.cohort
    on conflict (cohort, week) do update set active = excluded.active
""")

DAYS = text("""
    select day, active, active_7, active_28, joined, answers, correct, lessons, seconds, repeats, repeaters, runs,
           ended, returned, settled_at
    from learning_days where day >= :since order by day
""")

LESSONS = text("""
    select lessons.id, lessons.title, courses.title as course, counted.begun, counted.finished, counted.score,
           counted.seconds, lessons.minutes
    from (
        select lesson_id, sum(begun) as begun, sum(finished) as finished, sum(score) as score, sum(seconds) as seconds
        from lesson_days where day >= :since group by lesson_id
    ) as counted
    join lessons on lessons.id = counted.lesson_id join courses on courses.id = lessons.course_id
    order by courses.position, courses.id, lessons.position, lessons.id
""")

HARDEST = text("""
    select steps.lesson_id, revisions.title, lessons.title as lesson, revisions.kind, steps.position,
           items.asked, items."right", items.answers, items.guesses, items.hints
    from item_totals as items join steps on steps.revision_id = items.revision_id
    join step_revisions as revisions on revisions.id = items.revision_id
    join lessons on lessons.id = steps.lesson_id
    where items.asked >= :least and steps.retired_at is null and lessons.retired_at is null
    order by items."right" / cast(items.asked as float8), items.asked desc limit :most
""")

COHORT_TABLE = text("""
    select cohorts.cohort, cohorts.learners, weeks.week, weeks.active
    from cohorts left join cohort_weeks as weeks on weeks.cohort = cohorts.cohort
    where cohorts.cohort >= :since order by cohorts.cohort, weeks.week
""")

STATS = text("""
    select (select count(*) from users where deactivated_at is null) as people,
           (select count(*) from activity_days where local_date = :today) as active_today,
           (select count(*) from courses where retired_at is null) as courses,
           (select count(*) from lessons where retired_at is null) as lessons
""")
