"""Lessons that other programs report are paid by the rules of lessons done here: once, whoever tells it how often."""

import random
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from functools import partial

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update

from codyverse.accounts import services as accounts
from codyverse.core.clock import now, standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.gamification import queries, rules, services
from codyverse.gamification.models import LedgerEntry
from codyverse.progress import queries as study
from codyverse.progress import reports
from codyverse.progress.models import Attempt, LessonProgress
from codyverse.progress.reports import Report
from tests.domains.study import (
    NOON,
    Plan,
    answer_all,
    complete,
    do_lesson,
    make_course,
    start,
)
from tests.domains.together import together
from tests.factories import make_user

MANY = 50
DAYS = 7
plain = pytest.mark.usefixtures("no_badges")


def report(who: int, lesson: int, minutes: float = 5, score: float = 80) -> Report:
    with unit_of_work():
        return reports.report_completion(who, lesson, minutes, score)


def position(who: int, lesson: int, minutes: float = 5) -> int:
    with unit_of_work():
        return reports.report_position(who, lesson, minutes)


def paid(who: int, *its_rules: str) -> Counter[tuple[str, str, str]]:
    """What these rules have paid, by currency, rule and source."""
    wanted = select(LedgerEntry).where(LedgerEntry.user_id == who)
    if its_rules:
        wanted = wanted.where(LedgerEntry.rule.in_(its_rules))
    found = session.scalars(wanted).all()
    return Counter({(each.currency, each.rule, each.source): each.amount for each in found})


def of_lessons(who: int) -> Counter[tuple[str, str, str]]:
    return paid(who, "lesson", "lesson_again")


# --- the rules ---


@plain
@pytest.mark.parametrize(
    ("difficulty", "told", "brings"),
    [
        ("beginner", (5, 80), (39, 10)),  # 20 + 2.5 + 16; 5 + 0.5 + 4
        ("intermediate", (10, 100), (55, 14)),  # 30 + 5 + 20; 8 + 1 + 5
        ("advanced", (0, 0), (40, 10)),
        ("beginner", (1440, 100), (45, 11)),  # ten minutes are the lesson's estimate
        ("beginner", (7.5, 66.5), (37, 9)),  # 20 + 3.75 + 13.3; 5 + 0.75 + 3.325
        ("advanced", (0.5, 99.9), (60, 15)),
    ],
)
def test_a_first_report(
    ada: int, difficulty: str, told: tuple[float, float], brings: tuple[int, int]
) -> None:
    [lesson] = make_course(Plan(difficulty=difficulty, minutes=10))
    report(ada, lesson, *told)
    source = f"lesson:{lesson}"
    assert of_lessons(ada) == {("xp", "lesson", source): brings[0], ("coins", "lesson", source): brings[1]}


@plain
def test_a_better_report_pays_the_difference_and_the_same_one_nothing(ada: int) -> None:
    [lesson] = make_course(Plan())
    report(ada, lesson, 0, 40)
    before = of_lessons(ada)
    again = report(ada, lesson, 10, 90)
    assert of_lessons(ada) - before == {("xp", "lesson_again", f"attempt:{again.attempt_id}"): 10}
    kept = paid(ada)
    for score in (90, 40, 0, 90.0):
        assert report(ada, lesson, 10, score) == Report(None, first_time=False)
    assert paid(ada) == kept


@plain
def test_on_another_day_it_counts_for_the_streak_and_pays_nothing(ada: int, clock) -> None:
    [lesson] = make_course(Plan())
    report(ada, lesson)
    before = of_lessons(ada)
    for day in range(1, 4):
        clock.shift(timedelta(days=1))
        assert report(ada, lesson).attempt_id is not None
        assert report(ada, lesson).attempt_id is None
        assert queries.player(ada, now()).streak == day + 1
    assert of_lessons(ada) == before
    assert services.verify_ledger() == ()


@plain
@pytest.mark.parametrize("first", ["here", "reported"])
def test_a_lesson_is_paid_once_whether_done_here_or_reported(ada: int, first: str) -> None:
    [lesson] = make_course(Plan(asks=2, minutes=10))
    acts = [partial(do_lesson, ada, lesson), partial(report, ada, lesson, 10, 100)]
    for act in acts if first == "here" else reversed(acts):
        act()
    whole = Counter(dict.fromkeys(("xp", "coins"), 0))
    for (currency, _, _), amount in of_lessons(ada).items():
        whole[currency] += amount
    minutes = {"here": 0, "reported": 10}[first] * 60
    what = ("beginner", minutes, Fraction(100))
    assert whole == {"xp": rules.lesson_xp(*what), "coins": rules.lesson_coins(*what)}
    assert services.verify_ledger() == ()


@plain
def test_an_open_attempt_finished_after_the_report_pays_only_what_is_better(ada: int) -> None:
    [lesson] = make_course(Plan(asks=2))
    attempt_id = start(ada, lesson)
    report(ada, lesson, 0, 50)
    before = of_lessons(ada)
    answer_all(ada, attempt_id)
    complete(ada, attempt_id)
    complete(ada, attempt_id)
    assert of_lessons(ada) - before == {("xp", "lesson_again", f"attempt:{attempt_id}"): 10}


def test_badges_levels_and_goals_come_as_from_lessons_done_here(ada: int) -> None:
    bo = make_user(name="Bo")
    for lesson in make_course(*[Plan(asks=2, teaches=0, difficulty="advanced")] * 6):
        do_lesson(ada, lesson)
        report(bo, lesson, 0, 100)
    assert set(paid(bo, "level")) == set(paid(ada, "level")) != set()
    assert ("xp", "badge", "badge:first-steps") in paid(bo)
    assert paid(bo, "goal")
    assert services.verify_ledger() == ()


def test_what_a_report_brought_can_be_read_and_is_explained(ada: int) -> None:
    [lesson] = make_course(Plan(difficulty="advanced", minutes=10))
    attempt_id = report(ada, lesson, 10, 100).attempt_id
    assert attempt_id is not None
    brought = queries.rewards_of(ada, attempt_id)
    assert brought.xp == sum(amount for (currency, _, _), amount in paid(ada).items() if currency == "xp")
    assert (brought.streak.days, brought.streak.extended) == (1, True)
    assert brought.level_up is not None
    [first] = [entry for entry in brought.entries if (entry.currency, entry.rule) == ("xp", "lesson")]
    assert first.reason == (
        "First time through “Lesson 1”, as another program reported: 40 + 10 minutes × 0.5 + score 100 × 0.2"
    )
    assert first.lesson_id == lesson


@plain
def test_a_second_report_on_a_day_mends_a_missed_one_like_any_lesson(ada: int, clock) -> None:
    one, two = make_course(Plan(), Plan())
    report(ada, one)
    clock.shift(timedelta(days=2))
    report(ada, one)
    report(ada, one)
    assert queries.player(ada, now()).streak == 1, "the same report again is no second lesson"
    report(ada, two)
    assert queries.player(ada, now()).streak == 2
    assert services.verify_ledger() == ()


@plain
def test_a_position_pays_nothing_however_often(ada: int, clock) -> None:
    [lesson] = make_course(Plan(minutes=60))
    for _ in range(20):
        clock.shift(timedelta(minutes=3))
        position(ada, lesson, 1440)
    assert of_lessons(ada) == {}
    assert set(paid(ada)) <= {key for key in paid(ada) if key[1] in {"goal", "all_goals"}}


# --- proof ---


def test_the_proof_knows_reports_and_finds_what_was_tampered_with(ada: int) -> None:
    [lesson] = make_course(Plan())
    report(ada, lesson, 5, 50)
    again = report(ada, lesson, 5, 100)
    assert services.verify_ledger() == ()
    with session.begin_nested() as nested:
        session.execute(update(LessonProgress).values(best_score=12))
        assert [found.what for found in services.verify_ledger()] == [f"lesson:{lesson}"]
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(update(LessonProgress).values(completions=9))
        assert [found.what for found in services.verify_ledger()] == [f"lesson:{lesson}"]
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(delete(LessonProgress))
        assert {found.what for found in services.verify_ledger()} == {f"lesson:{lesson}"}
        nested.rollback()
    with session.begin_nested() as nested:
        made_up = {
            "user_id": ada,
            "currency": "xp",
            "amount": 5,
            "rule": "lesson_again",
            "source": f"attempt:{(again.attempt_id or 0) + 1}",
            "local_date": NOON.date(),
            "created_at": NOON,
        }
        session.execute(insert(LedgerEntry).values(**made_up))
        assert made_up["source"] in {found.what for found in services.verify_ledger()}
        nested.rollback()
    assert services.verify_ledger() == ()
    assert services.rebuild_ledger() == 0


# --- at once ---


def fifty(app: Flask, acts: list) -> list[object]:
    session.remove()

    def at_noon(act) -> object:
        with standing_at(NOON):
            return act()

    return together(app, [partial(at_noon, act) for act in acts])


@pytest.fixture
def who(committed_app: Flask) -> int:
    with standing_at(NOON - timedelta(days=1)):
        return make_user()


def test_fifty_of_the_same_report_are_one(committed_app: Flask, who: int) -> None:
    [lesson] = make_course(Plan(minutes=10))
    results = fifty(committed_app, [partial(report, who, lesson, 5, 80)] * MANY)
    assert Counter(type(each) for each in results) == {Report: MANY}
    assert [each.first_time for each in results if each.attempt_id is not None] == [True]
    assert of_lessons(who) == {
        ("xp", "lesson", f"lesson:{lesson}"): 39,
        ("coins", "lesson", f"lesson:{lesson}"): 10,
    }
    standing = session.get_one(LessonProgress, (who, lesson))
    assert (standing.completions, session.query(Attempt).count()) == (1, 1)
    days = session.execute(text("select lessons, seconds from activity_days")).all()
    assert days == [(1, 300)]
    assert services.verify_ledger() == ()


def test_fifty_better_and_better_ones_add_up_to_the_best(committed_app: Flask, who: int) -> None:
    [lesson] = make_course(Plan(minutes=10))
    scores = [2 * number for number in range(1, MANY + 1)]
    random.Random(4).shuffle(scores)
    results = fifty(committed_app, [partial(report, who, lesson, 10, score) for score in scores])
    assert {type(each) for each in results} == {Report}
    assert sum(each.first_time for each in results) == 1
    earned = sum(amount for (currency, _, _), amount in of_lessons(who).items() if currency == "xp")
    assert earned <= rules.lesson_xp("beginner", 600, Fraction(100))
    assert earned >= rules.lesson_xp("beginner", 600, Fraction(100)) - 1, "but for the rounding on the way"
    assert session.get_one(LessonProgress, (who, lesson)).best_score == 100
    assert session.execute(text("select seconds from activity_days")).scalar_one() == 600
    assert services.verify_ledger() == ()


def test_reports_positions_and_completions_of_one_lesson_at_once(committed_app: Flask, who: int) -> None:
    [lesson] = make_course(Plan(asks=2, minutes=10))
    with standing_at(NOON):
        attempt_id = start(who, lesson)
        answer_all(who, attempt_id)
    acts = [
        partial(report, who, lesson, 0, 100),
        partial(position, who, lesson, 5),
        partial(complete, who, attempt_id),
        partial(report, who, lesson, 0, 50),
        partial(position, who, lesson, 0),
    ] * (MANY // 5)
    results = fifty(committed_app, acts)
    assert not [each for each in results if isinstance(each, Exception)]
    earned = Counter()
    for (currency, _, _), amount in of_lessons(who).items():
        earned[currency] += amount
    assert earned["xp"] == rules.lesson_xp("beginner", 0, Fraction(100))
    assert rules.lesson_coins("beginner", 0, Fraction(50)) <= earned["coins"]
    assert earned["coins"] <= rules.lesson_coins("beginner", 0, Fraction(100))
    still_open = session.scalars(select(Attempt.id).where(Attempt.completed_at.is_(None))).all()
    assert len(still_open) <= 1
    assert services.verify_ledger() == ()


def test_reports_about_many_learners_do_not_wait_in_a_circle(committed_app: Flask) -> None:
    lessons = make_course(*[Plan()] * 5)
    people = [make_user() for _ in range(10)]
    acts = [partial(report, person, lesson) for person in people for lesson in lessons]
    random.Random(1).shuffle(acts)
    results = fifty(committed_app, acts)
    assert {type(each) for each in results} == {Report}
    assert {len(study.activity(person, NOON.date(), NOON.date())) for person in people} == {1}
    assert services.verify_ledger() == ()


# --- farming ---

tellings = st.lists(
    st.tuples(
        st.integers(0, 3),  # which lesson
        st.sampled_from([0, 0.1, 5, 10, 1440]),
        st.one_of(st.integers(0, 100), st.floats(0, 100)),
        st.integers(0, 20 * 60),  # minutes until then
        st.sampled_from(["report", "report", "report", "twice", "position", "here", "intensity"]),
    ),
    min_size=1,
    max_size=25,
)
PLANS = [Plan(asks=1, difficulty=level, minutes=10) for level in ("beginner", "intermediate", "advanced")] + [
    Plan(asks=0, teaches=1, minutes=1)
]


@plain
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tellings)
def test_no_history_of_reports_brings_more_than_each_lesson_done_well(app, time_machine, path) -> None:
    time_machine.move_to(NOON, tick=False)
    who, lessons = make_user(), make_course(*PLANS)
    for which, minutes, score, later, what in path:
        time_machine.shift(timedelta(minutes=later))
        _tell(who, lessons[which], minutes, score, what)
    told = {lessons[which] for which, _, _, _, what in path if what in {"report", "twice", "here"}}
    for number, lesson in enumerate(lessons):
        most = (PLANS[number].difficulty, PLANS[number].minutes * 60, Fraction(100))
        attempts = select(Attempt.id).where(Attempt.lesson_id == lesson, Attempt.user_id == who)
        sources = {f"lesson:{lesson}", *(f"attempt:{each}" for each in session.scalars(attempts))}
        mine = {key: amount for key, amount in of_lessons(who).items() if key[2] in sources}
        xp = sum(amount for key, amount in mine.items() if key[0] == "xp")
        coins = sum(amount for key, amount in mine.items() if key[0] == "coins")
        assert xp <= rules.lesson_xp(*most)
        assert coins <= rules.lesson_coins(*most)
        assert (xp > 0) == (lesson in told)
    assert services.verify_ledger() == ()


def _tell(who: int, lesson: int, minutes: float, score: float, what: str) -> None:
    if what == "position":
        position(who, lesson, minutes)
    elif what == "here":
        do_lesson(who, lesson)
    elif what == "intensity":
        with unit_of_work():
            services.keep_todays_goals(who)
            accounts.change_goal_intensity(who, random.Random(str(score)).choice(["casual", "serious"]))
    else:
        for _ in range(2 if what == "twice" else 1):
            report(who, lesson, minutes, score)


@plain
def test_a_week_of_reports_every_hour_is_a_week_of_days(ada: int, clock) -> None:
    """A program that reports every lesson anew, all day long, with all the time there is."""
    lessons = make_course(*PLANS)
    for hour in range(DAYS * 24):
        for lesson in lessons:
            report(ada, lesson, 1440, 100 * (hour % 24) / 24)
        clock.move_to(NOON + timedelta(hours=hour + 1), tick=False)
    earned = Counter()
    for (currency, rule, _), amount in paid(ada).items():
        earned[currency, rule.removesuffix("_again")] += amount
    most = [(plan.difficulty, plan.minutes * 60, Fraction(100)) for plan in PLANS]
    assert earned["xp", "lesson"] <= sum(rules.lesson_xp(*each) for each in most)
    assert earned["coins", "lesson"] <= sum(rules.lesson_coins(*each) for each in most)
    assert earned["gems", "all_goals"] <= DAYS + 1
    goal_coins = max(rules.DEFAULTS.goal_coins.values())
    assert earned["coins", "goal"] <= (DAYS + 1) * rules.GOAL_SLOTS * goal_coins
    days = study.activity(ada, date.min, date.max)
    assert len(days) <= DAYS + 1
    assert {day.seconds for day in days} == {sum(plan.minutes for plan in PLANS) * 60}
    assert services.verify_ledger() == ()
