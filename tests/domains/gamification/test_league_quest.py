"""What a league does together: lessons, each once; leaving takes nothing from anybody, nor from who leaves."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from codyverse import jobs
from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.gamification.leagues import queries, rules, services
from tests.domains.leagues import MONDAY, WEDNESDAY, choose, member, outcome, standing
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user


@pytest.fixture
def clock(time_machine):
    time_machine.move_to(WEDNESDAY, tick=False)
    return time_machine


def test_a_lesson_done_on_every_day_of_the_week_is_one_for_the_quest(app: Flask, clock) -> None:
    first, second = make_course(Plan(asks=1), Plan(asks=1))
    who = member()
    clock.move_to(datetime(2026, 6, 14, 12, tzinfo=UTC))
    do_lesson(who, second)
    for day in range(7):
        clock.move_to(datetime(2026, 6, 15, 12, tzinfo=UTC) + timedelta(days=day))
        do_lesson(who, first)
    assert (standing(who).mine.lessons, standing(who).quest.lessons) == (1, 1)
    do_lesson(who, second)
    assert standing(who).quest.lessons == 2
    clock.move_to(rules.over_everywhere(MONDAY))
    do_lesson(who, second)
    jobs.run("leagues-close")
    last = queries.board(who, now(), "last")
    assert last is not None
    assert (last.closed, last.mine.lessons, last.quest.lessons) == (True, 2, 2)


@pytest.mark.parametrize(("zone", "first"), [("Pacific/Kiritimati", "14T10:01"), ("Etc/GMT+12", "15T12:01")])
def test_the_first_and_the_last_minute_of_the_own_week_count(
    app: Flask, clock, zone: str, first: str
) -> None:
    begins = datetime.fromisoformat(f"2026-06-{first}+00:00")
    inside = [begins, begins + rules.WEEK - timedelta(minutes=2)]
    outside = [begins - timedelta(minutes=2), begins + rules.WEEK]
    clock.move_to(outside[0])
    who = member(time_zone=zone)
    with unit_of_work():
        accounts.change_profile(who, display_name="Ada", time_zone=zone, day_start_hour=0)
    for at, lesson in zip(sorted(inside + outside), make_course(*[Plan(asks=1)] * 4), strict=True):
        clock.move_to(at)
        do_lesson(who, lesson)
        if at in inside:
            assert standing(who).week == MONDAY
            assert standing(who).mine.lessons == 1 + inside.index(at)
    last = queries.board(who, now(), "last")
    assert last is not None
    assert (last.week, last.mine.lessons) == (MONDAY, 2)


def test_who_leaves_is_gone_from_the_board_and_may_come_back(app: Flask, clock) -> None:
    stays, goes = member(), member()
    with unit_of_work():
        services.join(stays, MONDAY, now())
        services.join(goes, MONDAY, now())
    name = standing(goes).mine.pseudonym
    assert not choose(goes, wanted=False)
    assert not choose(goes, wanted=False)
    assert len(standing(stays).places) == 1
    assert queries.board(goes, now()) is None
    assert choose(goes, wanted=True)
    assert choose(goes, wanted=True)
    assert standing(goes).mine.pseudonym == name


def test_opting_in_puts_nobody_onto_a_board_before_their_next_new_lesson(app: Flask, clock) -> None:
    assert not choose(make_user(), wanted=True)


def test_leaving_changes_nothing_about_the_quest(app: Flask, clock) -> None:
    lessons = make_course(*[Plan(asks=1)] * 6)
    keen, idle, goes = member(), member(), member()
    with unit_of_work():
        services.join(idle, MONDAY, now())
    for lesson in lessons:
        do_lesson(goes, lesson)
    for lesson in lessons[:3]:
        do_lesson(keen, lesson)
    before = standing(keen).quest
    assert (before.members, before.lessons, before.target, before.reached) == (3, 9, 9, True)
    choose(goes, wanted=False)
    assert standing(keen).quest == before
    choose(idle, wanted=False)
    assert standing(keen).quest == before
    assert len(standing(keen).places) == 1
    clock.move_to(rules.over_everywhere(MONDAY))
    jobs.run("leagues-close")
    assert [row[:1] + row[2:] for row in outcome([keen, idle, goes])] == [
        (1, 3, True, rules.QUEST_COINS, 1),
        (None, 0, True, 0, 0),
        (None, 6, True, rules.QUEST_COINS, 0),
    ]
    last = queries.board(keen, now(), "last")
    assert last is not None
    assert (last.quest, len(last.places)) == (before, 1)
    assert queries.board(goes, now(), "last") is None


def test_who_leaves_when_the_week_is_over_keeps_its_result(app: Flask, clock) -> None:
    lessons = make_course(*[Plan(asks=1)] * 3)
    who = member()
    for lesson in lessons:
        do_lesson(who, lesson)
    clock.move_to(datetime(2026, 6, 22, 9, tzinfo=UTC))
    choose(who, wanted=False)
    clock.move_to(rules.over_everywhere(MONDAY))
    jobs.run("leagues-close")
    [(rank, xp, done, told, coins, news)] = outcome([who])
    assert (rank, done, told, coins, news) == (1, 3, True, rules.QUEST_COINS, 1)
    assert xp
    choose(who, wanted=False)
    last = queries.board(who, now(), "last")
    assert last is not None
    assert last.mine.rank == 1
