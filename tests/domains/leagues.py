"""Members of leagues and a week of theirs, for the tests of leagues."""

import random
from datetime import UTC, date, datetime

from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now, standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.gamification.leagues import queries, services
from tests.domains.study import Plan, make_course
from tests.factories import make_user

LEFT = 4
"""Which of the seven in `a_week_of_play` left before it was over."""
WEDNESDAY = datetime(2026, 6, 17, 12, tzinfo=UTC)
MONDAY = date(2026, 6, 15)


def member(**more: str) -> int:
    """Somebody who wants leagues."""
    who = make_user(**more)
    with unit_of_work():
        accounts.choose_leagues(who, wanted=True)
    return who


def members_of_the_week() -> dict[int, int]:
    rows = session.execute(text("select cohort_id, count(*) from league_members group by 1 order by 1"))
    return {row[0]: row[1] for row in rows}


def standing(who: int) -> queries.Board:
    """The learner's board of this week; they are on one."""
    board = queries.board(who, now())
    assert board is not None
    return board


def choose(who: int, *, wanted: bool) -> bool:
    with unit_of_work():
        return services.choose(who, wanted=wanted)


def finish(who: int, day: date, lessons: list[int], xp: int) -> None:
    """Lessons finished at noon of a day, as they are kept, without the minutes that doing them would take."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    done = text(
        "insert into attempts (user_id, lesson_id, seed, started_at, last_event_at, completed_at, local_date, score) "
        "select :u, lesson, 1, :at, :at, :at, :d, 100 from unnest(cast(:lessons as bigint[])) as lesson"
    )
    session.execute(done, {"u": who, "at": at, "d": day, "lessons": lessons})
    session.execute(
        text("insert into activity_days (user_id, local_date, xp, lessons) values (:u, :d, :x, :n)"),
        {"u": who, "d": day, "x": xp, "n": len(lessons)},
    )


def a_week_of_play(week: date = MONDAY) -> list[int]:
    """Seven members in one cohort, five of whom did lessons, enough of them for the quest; one of the five left then."""
    dice = random.Random(3)
    learners = [member() for _ in range(7)]
    lessons = make_course(*[Plan(asks=1)] * 5)
    with unit_of_work():
        for number, who in enumerate(learners):
            services.join(who, week, now())
            if number < 5:
                finish(who, week, lessons, dice.randint(1, 300))
    with unit_of_work(), standing_at(datetime(week.year, week.month, week.day, 13, tzinfo=UTC)):
        services.choose(learners[LEFT], wanted=False)
    return learners


def outcome(learners: list[int]) -> list[tuple[int | None, int | None, int | None, bool, int, int]]:
    """What came of the week for each of them: rank, XP, lessons, whether told and paid, coins, notifications."""
    rows = session.execute(
        text(
            "select rank, xp, lessons, paid_at is not null, "
            "(select coalesce(sum(amount), 0) from ledger_entries e where e.user_id = m.user_id and e.rule = 'quest'), "
            "(select count(*) from notifications n where n.user_id = m.user_id and n.kind = 'league') "
            "from league_members m where user_id = any(:them) order by user_id"
        ),
        {"them": learners},
    )
    return [tuple(row) for row in rows]
