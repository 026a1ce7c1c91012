"""Lessons that other programs report: what is kept, what a second telling changes, what an open attempt keeps."""

from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import func, select, text

from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Invalid, NotFound
from codyverse.progress import queries, reports, rules, services
from codyverse.progress.models import ActivityDay, Answer, Attempt, AttemptStep, LessonProgress
from codyverse.progress.reports import Report
from tests.domains.study import NOON, Plan, answer_all, asking, complete, do_lesson, make_course, start
from tests.factories import make_user

TODAY = NOON.date()


def report(who: int, lesson: int, minutes: object = 5, score: object = 80) -> Report:
    with unit_of_work():
        return reports.report_completion(who, lesson, minutes, score)


def position(who: int, lesson: int, minutes: object = 5) -> int:
    with unit_of_work():
        return reports.report_position(who, lesson, minutes)


def attempts(who: int) -> list[Attempt]:
    session.expire_all()
    return list(session.scalars(select(Attempt).where(Attempt.user_id == who).order_by(Attempt.id)))


def day_of(who: int, day: date = TODAY) -> ActivityDay:
    session.expire_all()
    return session.get_one(ActivityDay, (who, day))


@pytest.fixture
def lesson(app) -> int:
    return make_course(Plan(asks=2, minutes=10))[0]


# --- what is kept ---


def test_a_report_is_a_finished_attempt_without_steps(ada: int, lesson: int) -> None:
    told = report(ada, lesson, 7.5, 66.5)
    [kept] = attempts(ada)
    assert told == Report(kept.id, first_time=True)
    assert (kept.reported, kept.seconds, kept.score, kept.local_date) == (
        True,
        450,
        Decimal("66.5"),
        NOON.date(),
    )
    assert kept.completed_at == NOON
    assert session.scalar(select(func.count()).select_from(AttemptStep)) == 0
    standing = session.get_one(LessonProgress, (ada, lesson))
    assert (standing.best_score, standing.completions, standing.first_local_date) == (
        Decimal("66.5"),
        1,
        NOON.date(),
    )


def test_statistics_by_answers_know_nothing_of_it(ada: int, lesson: int) -> None:
    report(ada, lesson)
    day = day_of(ada)
    assert (day.lessons, day.distinct_lessons, day.seconds) == (1, 1, 300)
    assert (day.answers, day.correct, day.first_try) == (0, 0, 0)
    assert session.scalar(select(func.count()).select_from(Answer)) == 0
    [work] = queries.course_work(ada, NOON.date(), NOON.date())
    assert (work.lessons, work.seconds, work.right, work.asked) == (1, 300, 0, 0)


def test_its_summary_says_that_it_was_reported(ada: int, lesson: int) -> None:
    attempt_id = report(ada, lesson, 3, 50).attempt_id
    assert attempt_id is not None
    summary = queries.completion(ada, attempt_id)
    assert (summary.reported, summary.score, summary.asked, summary.steps) == (True, Decimal(50), 0, ())
    assert summary.first_time
    assert not queries.completion(ada, do_lesson(ada, lesson)).reported


# --- the same again ---

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST, NEWS, NOTHING = "first", "news", "nothing"


@pytest.mark.parametrize(
    "told",
    [
        [(0 * HOUR, 80, FIRST), (0 * HOUR, 80, NOTHING)],
        [(0 * HOUR, 80, FIRST), (HOUR, 80, NOTHING), (HOUR, 79, NOTHING), (HOUR, 0, NOTHING)],
        [(0 * HOUR, 80, FIRST), (HOUR, 90, NEWS), (HOUR, 90, NOTHING), (HOUR, 85, NOTHING)],
        [(0 * HOUR, 80, FIRST), (DAY, 80, NEWS), (HOUR, 80, NOTHING)],
        [(0 * HOUR, 80, FIRST), (DAY, 10, NEWS), (HOUR, 20, NOTHING), (HOUR, 81, NEWS)],
        [(0 * HOUR, 0, FIRST), (HOUR, 0, NOTHING), (HOUR, 1e-8, NEWS), (HOUR, 1e-8, NOTHING)],
        [
            (0 * HOUR, 100 / 3, FIRST),
            (HOUR, 100 / 3, NOTHING),
            (HOUR, 200 / 3, NEWS),
            (HOUR, 200 / 3, NOTHING),
        ],
        [(0 * HOUR, 100, FIRST), (15 * HOUR, 100, NOTHING), (HOUR, 100, NEWS)],  # the day ends at four
    ],
)
def test_a_report_again(ada: int, lesson: int, clock, told: list[tuple[timedelta, float, str]]) -> None:
    for later, score, what in told:
        clock.shift(later)
        before = _state(ada)
        came_of_it = report(ada, lesson, 5, score)
        if what == NOTHING:
            assert came_of_it == Report(None, first_time=False)
            assert _state(ada) == before
        else:
            assert came_of_it.attempt_id == attempts(ada)[-1].id
            assert came_of_it.first_time == (what == FIRST)
    done = sum(what != NOTHING for _, _, what in told)
    assert session.get_one(LessonProgress, (ada, lesson)).completions == done == len(attempts(ada))
    assert max(Fraction(each.score or 0) for each in attempts(ada)) == rules.reported_score(
        max(score for _, score, _ in told)
    )


def _state(who: int) -> list[object]:
    tables = ("attempts", "lesson_progress", "activity_days", "ledger_entries", "players", "notifications")
    kept = [
        session.execute(text(f"select * from {table} where user_id = :who order by 1, 2"), {"who": who}).all()
        for table in tables
    ]
    return [*kept, session.execute(text("select * from users where id = :who"), {"who": who}).all()]


def test_what_was_finished_here_today_is_no_news(ada: int, lesson: int) -> None:
    do_lesson(ada, lesson, wrong=1)
    assert report(ada, lesson, 5, 50) == Report(None, first_time=False)
    assert report(ada, lesson, 5, 51).attempt_id is not None


@pytest.mark.parametrize(
    "case",
    [(0, 5, 300), (0, 60, 600), (0, 0, 0), (4, 5, 300), (8, 5, 120), (10, 10, 0)],
)
def test_time_counts_up_to_the_estimate_with_what_the_day_has_of_the_lesson(
    ada: int, lesson: int, clock, case: tuple[int, int, int]
) -> None:
    counted, told, added = case
    attempt_id = start(ada, lesson)
    for number in range(counted // 2):
        clock.shift(timedelta(minutes=2))
        with unit_of_work():
            services.save_draft(ada, attempt_id, asking(attempt_id)[0].step_id, str(number))
    before = counted * 60
    report(ada, lesson, told, 50)
    assert day_of(ada).seconds == before + added
    assert attempts(ada)[-1].seconds == min(told, 10) * 60


def test_better_and_better_reports_do_not_stretch_the_day(ada: int, lesson: int) -> None:
    for score in range(0, 101, 10):
        report(ada, lesson, 1440, score)
    assert day_of(ada).seconds == 600
    assert (day_of(ada).lessons, day_of(ada).distinct_lessons) == (11, 1)


# --- beside an attempt that is open here ---


def test_an_open_attempt_goes_on_and_can_be_finished(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    report(ada, lesson, 5, 50)
    assert queries.open_attempt_id(ada, lesson) == attempt_id == start(ada, lesson)
    assert queries.player(ada, attempt_id).attempt_id == attempt_id
    answer_all(ada, attempt_id)
    complete(ada, attempt_id)
    assert queries.lesson_states(ada, _course(lesson))[lesson].best_score == 100
    assert [each.reported for each in attempts(ada)] == [False, True]


def _course(lesson: int) -> int:
    return session.execute(text("select course_id from lessons where id = :id"), {"id": lesson}).scalar_one()


# --- refusals ---

NUMBERS = [
    -1,
    -0.001,
    None,
    "5",
    [5],
    True,
    False,
    float("nan"),
    float("inf"),
    -float("inf"),
    10**400,
    {},
    "",
    b"5",
    Decimal(5),
]


@pytest.mark.parametrize("score", [*NUMBERS, 100.0001, 101, 1e9])
def test_a_score_that_is_none(ada: int, lesson: int, score: object) -> None:
    with pytest.raises(Invalid) as refused:
        report(ada, lesson, 5, score)
    assert list(refused.value.fields) == ["score"]
    assert attempts(ada) == []


@pytest.mark.parametrize("minutes", [*NUMBERS, 1440.5, 1441])
def test_minutes_that_are_none(ada: int, lesson: int, minutes: object) -> None:
    with pytest.raises(Invalid) as refused:
        report(ada, lesson, minutes, 50)
    assert list(refused.value.fields) == ["timeSpent"]
    with pytest.raises(Invalid):
        position(ada, lesson, minutes)
    assert attempts(ada) == []


def test_all_faults_at_once(ada: int, lesson: int) -> None:
    with pytest.raises(Invalid) as refused:
        report(ada, lesson, -1, 101)
    assert set(refused.value.fields) == {"timeSpent", "score"}


@pytest.mark.parametrize("number", [0, 0.0, 100, 100.0, 50, 0.25])
def test_numbers_of_every_kind(ada: int, lesson: int, number: object) -> None:
    report(ada, lesson, number, number)
    assert attempts(ada)[0].score == number


def test_a_lesson_that_is_unknown_or_retired_and_a_learner_who_is_unknown(ada: int) -> None:
    [kept, gone] = make_course(Plan(key="kept"), Plan(key="gone"), key="reports")
    make_course(Plan(key="kept"), key="reports")
    for lesson, code in [(gone, "LESSON_NOT_FOUND"), (kept + 1000, "LESSON_NOT_FOUND")]:
        for act in (report, position):
            with pytest.raises(NotFound) as refused:
                act(ada, lesson)
            assert refused.value.code == code
    for act in (report, position):
        with pytest.raises(NotFound) as refused:
            act(ada + 1000, kept)
        assert refused.value.code == "USER_NOT_FOUND"
    assert attempts(ada) == []


# --- the position ---


def test_a_position_begins_the_lesson_so_that_continue_leads_there(ada: int, lesson: int) -> None:
    [other] = make_course(Plan(asks=1))
    start(ada, other)
    attempt_id = position(ada, lesson, 3)
    assert queries.open_attempt_id(ada, lesson) == attempt_id
    found = queries.continue_with(ada)
    assert found is not None
    assert (found.lesson_id, found.attempt_id, found.steps_done) == (lesson, attempt_id, 0)
    assert position(ada, lesson, 3) == attempt_id
    assert len(attempts(ada)) == 2
    answer_all(ada, attempt_id)
    complete(ada, attempt_id)


def test_a_position_earns_nothing_and_ends_nothing(ada: int, lesson: int) -> None:
    position(ada, lesson, 1440)
    day = day_of(ada)
    assert (day.lessons, day.answers, day.seconds, day.xp) == (0, 0, 0, 0)
    assert session.execute(text("select count(*) from ledger_entries")).scalar() == 0


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ([(0, 5), (60, 5)], 60),
        ([(0, 5), (600, 5)], 120),
        ([(0, 0), (60, 0)], 0),
        ([(0, 1), (50, 1), (50, 1)], 60),
        ([(0, 0.5), (50, 0.5), (50, 2)], 80),
        ([(0, 60)] + [(120, 60)] * 8, 600),
        ([(0, 5)] + [(0, 5)] * 8, 0),
    ],
)
def test_time_at_a_position_is_what_the_server_saw_and_no_more_than_told(
    ada: int, lesson: int, clock, path: list[tuple[int, float]], seconds: int
) -> None:
    for later, minutes in path:
        clock.shift(timedelta(seconds=later))
        position(ada, lesson, minutes)
    assert attempts(ada)[0].seconds == day_of(ada).seconds == seconds


def test_a_position_after_the_end_is_a_new_beginning(ada: int, lesson: int) -> None:
    report(ada, lesson)
    attempt_id = position(ada, lesson)
    assert queries.open_attempt_id(ada, lesson) == attempt_id
    assert queries.lesson_states(ada, _course(lesson))[lesson].state == "done"


def test_the_local_day_of_a_report_is_the_learners(clock, lesson: int) -> None:
    clock.move_to(datetime(2026, 6, 17, 23, tzinfo=UTC), tick=False)
    far = make_user(time_zone="Pacific/Kiritimati")
    report(far, lesson)
    assert attempts(far)[0].local_date == date(2026, 6, 18)
    assert astuple(queries.activity(far, date(2026, 6, 18), date(2026, 6, 18))[0])[1] == 1
