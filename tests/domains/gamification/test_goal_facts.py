"""What the goals of a day are set by: what is left to learn and what went badly, as it stood when the day began."""

from datetime import date, timedelta

from sqlalchemy import update

from codyverse.core.asking import ask_one
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.courses.models import Lesson
from codyverse.gamification.goals import day_values
from codyverse.gamification.statements import GOALS_OF_DAY
from tests.domains.study import Plan, do_lesson, make_course


def facts(who: int, day: date) -> tuple[int, int]:
    """Unfinished and weak lessons, at most as many as goals ask for."""
    row = ask_one(GOALS_OF_DAY, {"user_id": who, **day_values(day)})
    assert row.goals is None, "set goals are not set anew, and need no facts"
    return row.unfinished, row.weak


def test_they_are_those_of_the_mornings(ada: int, clock) -> None:
    lessons = make_course(*[Plan(asks=4)] * 3)
    first = now().date()
    assert facts(ada, first) == (3, 0)
    do_lesson(ada, lessons[0], wrong=3)
    do_lesson(ada, lessons[1])
    clock.shift(timedelta(days=1))
    second = now().date()
    assert facts(ada, second) == (1, 1)
    do_lesson(ada, lessons[0])
    do_lesson(ada, lessons[2], wrong=4)
    clock.shift(timedelta(days=1))
    assert facts(ada, now().date()) == (0, 1), "the first is mended, the third went badly"
    assert facts(ada, first - timedelta(days=1)) == (3, 0), "that morning nothing had been learned"
    session.execute(update(Lesson).where(Lesson.id == lessons[2]).values(retired_at=now()))
    assert facts(ada, now().date()) == (0, 0), "what is not offered any more is nobody's goal"


def test_set_goals_ask_for_no_facts(ada: int, clock) -> None:
    [lesson, _] = make_course(*[Plan(asks=2)] * 2)
    do_lesson(ada, lesson)
    row = ask_one(GOALS_OF_DAY, {"user_id": ada, **day_values(now().date())})
    assert len(row.goals) == 3
    assert (row.unfinished, row.weak) == (None, None)
    assert row.distinct_lessons == 1
