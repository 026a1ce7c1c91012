"""Leagues: only for those who ask, at most thirty, closed once and the same however often the closing was cut off."""

import os
import platform
import random
import signal
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import pytest
from flask import Flask
from sqlalchemy import event, text

from codyverse import jobs
from codyverse.accounts import people
from codyverse.accounts import services as accounts
from codyverse.accounts.rules import game_date, owed_until, stamped_date
from codyverse.core.clock import now, standing_at
from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.gamification import services as game
from codyverse.gamification.leagues import queries, rules, services
from tests.domains.leagues import (
    LEFT,
    MONDAY,
    WEDNESDAY,
    a_week_of_play,
    member,
    members_of_the_week,
    outcome,
)
from tests.domains.study import Plan, do_lesson, make_course
from tests.domains.together import together
from tests.factories import make_user

REPORT = Path(__file__).resolve().parents[3] / "docs" / "measured" / "league-close.md"


@pytest.fixture
def clock(time_machine):
    time_machine.move_to(WEDNESDAY, tick=False)
    return time_machine


@pytest.mark.parametrize(
    ("day", "monday"),
    [
        (date(2026, 6, 15), date(2026, 6, 15)),
        (date(2026, 6, 21), date(2026, 6, 15)),
        (date(2026, 6, 22), date(2026, 6, 22)),
        (date(2027, 1, 1), date(2026, 12, 28)),
        (date(2028, 2, 29), date(2028, 2, 28)),
    ],
)
def test_weeks_begin_on_monday(day: date, monday: date) -> None:
    assert rules.week_of(day) == monday


@pytest.mark.parametrize(
    ("xp", "ranks"),
    [([], []), ([5], [1]), ([9, 7, 7, 3], [1, 2, 2, 4]), ([0, 0, 0], [1, 1, 1]), ([3, 9], [2, 1])],
)
def test_equal_xp_shares_a_rank(xp: list[int], ranks: list[int]) -> None:
    assert rules.ranks(xp) == ranks


def test_a_week_is_over_when_it_is_over_for_the_last_place_and_the_latest_day() -> None:
    over, a_day = rules.over_everywhere(MONDAY), timedelta(days=1)
    assert game_date(over - a_day - timedelta(seconds=1), "Etc/GMT+12", 23) == MONDAY + timedelta(days=6)
    assert game_date(over - a_day, "Etc/GMT+12", 23) == MONDAY + timedelta(days=7)


def test_a_date_that_was_taken_along_is_over_when_the_week_is() -> None:
    """Sunday worked on in the last place on earth, then a move to anywhere, where days begin at any hour."""
    sunday, over = MONDAY + timedelta(days=6), rules.over_everywhere(MONDAY)
    owed = owed_until(sunday, "Etc/GMT+12", 23)
    places = [(zone, hour) for zone in ("Etc/GMT+12", "UTC", "Etc/GMT-14") for hour in range(24)]
    assert all(stamped_date(over, *place, sunday, owed) > sunday for place in places)
    tuesday = over - timedelta(days=1)
    assert any(stamped_date(tuesday, *place, sunday, owed) == sunday for place in places)


def test_nobody_is_put_into_a_league_unasked(app: Flask, clock) -> None:
    lesson = make_course(Plan(asks=1))[0]
    shy, keen = make_user(), member()
    do_lesson(shy, lesson)
    assert members_of_the_week() == {}
    do_lesson(keen, lesson)
    assert list(members_of_the_week().values()) == [1]
    board = queries.board(keen, now())
    assert board is not None
    assert board.mine.xp > 0
    assert queries.board(shy, now()) is None


def test_the_first_new_lesson_of_the_week_counts_and_doing_it_again_for_nothing_does_not(
    app: Flask, clock
) -> None:
    lesson = make_course(Plan(asks=1))[0]
    who = make_user()
    do_lesson(who, lesson)
    with unit_of_work():
        accounts.choose_leagues(who, wanted=True)
    do_lesson(who, lesson)
    assert queries.board(who, now()) is None


def test_cohorts_fill_to_thirty_and_are_closed_when_full(app: Flask, clock) -> None:
    for _ in range(rules.COHORT_SIZE + 2):
        who = member()
        with unit_of_work():
            services.join(who, MONDAY, now())
            services.join(who, MONDAY, now())
    assert list(members_of_the_week().values()) == [30, 2]
    names = session.execute(
        text(
            "select count(distinct pseudonym) from league_members where cohort_id = (select min(id) from league_cohorts)"
        )
    )
    assert names.scalar_one() == 30


def test_forty_who_begin_at_once_fill_two_cohorts(committed_app: Flask) -> None:
    learners = [member() for _ in range(40)]

    def begin(who: int) -> None:
        with unit_of_work():
            services.join(who, MONDAY, now())

    assert together(committed_app, [partial(begin, who) for who in learners]) == [None] * 40
    assert sorted(members_of_the_week().values()) == [10, 30]


def test_a_day_counts_up_to_the_cap(app: Flask, clock) -> None:
    who = member()
    with unit_of_work():
        services.join(who, MONDAY, now())
        session.execute(
            text(
                "insert into activity_days (user_id, local_date, xp) values (:u, :a, 900), (:u, :b, 50), (:u, :c, 999)"
            ),
            {"u": who, "a": MONDAY, "b": MONDAY + timedelta(days=6), "c": MONDAY + timedelta(days=7)},
        )
    board = queries.board(who, now())
    assert board is not None
    assert board.mine.xp == rules.DAILY_XP_CAP + 50


def test_two_of_one_league_can_both_be_erased(app: Flask, clock) -> None:
    learners = [member(), member()]
    with unit_of_work():
        for who in learners:
            services.join(who, MONDAY, now())
            people.erase(who)
            people.erase(who)
    names = session.execute(text("select pseudonym from league_members order by user_id")).scalars()
    assert list(names) == [f"Somebody {who}" for who in learners]


def test_nobody_joins_a_league_that_is_closed(app: Flask, clock) -> None:
    early, late = member(), member()
    with unit_of_work():
        services.join(early, MONDAY, now())
    clock.move_to(rules.over_everywhere(MONDAY))
    jobs.run("leagues-close")
    with unit_of_work():
        services.join(late, MONDAY, now())
    assert list(members_of_the_week().values()) == [1, 1]
    jobs.run("leagues-close")
    assert [row[0] for row in outcome([early, late])] == [1, 1]


def test_closing_the_week_ranks_pays_and_says_so_once(app: Flask, clock) -> None:
    learners = a_week_of_play()
    assert jobs.run("leagues-close").startswith("0 leagues")
    clock.move_to(rules.over_everywhere(MONDAY))
    jobs.run("leagues-close")
    results = outcome(learners)
    assert [row[4] for row in results] == [rules.QUEST_COINS] * 5 + [0] * 2
    assert [(told, news) for _, _, _, told, _, news in results] == [(True, who != LEFT) for who in range(7)]
    assert sorted(row[0] for row in results if row[0]) == [1, 2, 3, 4, 5, 5]
    jobs.run("leagues-close")
    assert outcome(learners) == results
    board = queries.board(learners[0], now(), "last")
    assert board is not None
    assert board.closed
    assert sums_agree()


def sums_agree() -> bool:
    """The players' sums; their streaks do not follow from days that no lesson made."""
    return not {each.what for each in game.verify_ledger()} & {"xp", "coins", "gems"}


def killed_at(statement: int) -> bool:
    """Run the job in a process of its own that is killed (-9) before its n-th statement; False if it got to its end."""
    child = os.fork()
    if child == 0:
        left = statement

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        db.session.remove()
        db.engine.dispose(close=False)
        event.listen(db.engine, "before_cursor_execute", count)
        jobs.run("leagues-close")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def close_when_free() -> None:
    """Run the job; the database needs a moment to see that whoever held the lock was killed."""
    until = monotonic() + 20
    while True:
        try:
            jobs.run("leagues-close")
            return
        except Conflict:
            assert monotonic() < until, "the lock of the killed job was never given back"
            sleep(0.02)


def kills(number: int, seed: int) -> list[tuple[int, int, int]]:
    """Close as many weeks, each killed at a random statement and run again. (statement, members closed, paid by then)."""
    dice, found = random.Random(seed), []
    seen: list[str] = []
    count_statements(db.engine, seen.append)
    with standing_at(WEDNESDAY):
        quiet = a_week_of_play(MONDAY)
    before = len(seen)
    close_when_free()
    most = len([each for each in seen[before:] if "job:" not in each])
    expected = outcome(quiet)
    for number_of_kill in range(1, number + 1):
        with standing_at(WEDNESDAY):
            learners = a_week_of_play(MONDAY - number_of_kill * rules.WEEK)
        statement = dice.randint(2, most)
        db.session.remove()
        assert killed_at(statement), f"statement {statement} of {most} was not reached"
        left = outcome(learners)
        found.append((statement, sum(row[2] is not None for row in left), sum(row[3] for row in left)))
        db.session.remove()
        close_when_free()
        assert outcome(learners) == expected
        close_when_free()
        assert outcome(learners) == expected
    assert outcome(quiet) == expected
    assert sums_agree()
    return found


def test_a_closing_that_is_killed_anywhere_ends_the_same(committed_app: Flask) -> None:
    assert len(kills(3, seed=1)) == 3


@pytest.mark.drill
def test_a_closing_that_is_killed_at_twenty_places_ends_the_same(committed_app: Flask) -> None:
    """What `make drill` runs; the result is written down."""
    found = kills(20, seed=2)
    between = sum(0 < paid < 7 for _, _, paid in found)
    lines = [
        "# kill -9 while a league's week is closed",
        "",
        f"Last run: {now():%Y-%m-%d}, {platform.system()} with {os.cpu_count()} cores, by `make drill`.",
        "",
        "A league of seven, five of whom did lessons and reached the quest (one of them left then), is closed by",
        "`leagues-close` in a process that is killed before a random one of its statements; then the job is run again, twice.",
        "",
        "| What | How many |",
        "| --- | --- |",
        f"| kills | {len(found)} |",
        f"| before the result was fixed | {sum(closed == 0 for _, closed, _ in found)} |",
        f"| with some members paid and told, some not | {between} |",
        "| results, payments or notifications that differ in the end from an undisturbed run | 0 |",
        "| differences of XP, coins or gems that `flask ledger verify` found | 0 |",
        "",
        "| Killed before statement | Members with a result | paid and told |",
        "| --- | --- | --- |",
        *(f"| {statement} | {closed} of 7 | {paid} |" for statement, closed, paid in sorted(found)),
        "",
    ]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n".join(lines))


def test_fifty_at_once_pay_a_member_once(committed_app: Flask) -> None:
    with standing_at(WEDNESDAY):
        [who, *_] = a_week_of_play()
    with unit_of_work():
        [cohort] = services.due_cohorts(now())
    with unit_of_work():
        services.close_cohort(cohort)

    def pay() -> bool:
        with unit_of_work():
            return services.settle_member(who, MONDAY)

    assert sorted(together(committed_app, [pay] * 50)) == [False] * 49 + [True]
    paid = session.execute(
        text("select count(*), sum(amount) from ledger_entries where user_id = :u and rule = 'quest'"),
        {"u": who},
    ).one()
    assert tuple(paid) == (1, rules.QUEST_COINS)
