"""A learner's whole standing for programs: the numbers are those of the pages, in few statements, hidden is left out."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.core.errors import NotFound
from codyverse.courses.models import Lesson, Module
from codyverse.gamification import badge_queries, queries, shop
from codyverse.notifications import queries as news
from codyverse.notifications import services as telling
from codyverse.notifications.dashboard import dashboard, head, own_page, player_with_head
from codyverse.progress import player as study
from codyverse.progress import queries as studied
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, answer, answer_all, asking, complete, do_lesson, make_course, start
from tests.factories import make_user, principal_of


def statements(act) -> list[str]:
    """What `act` sends to the database, but for the savepoints of tests."""
    sent: list[str] = []
    listening = [True]
    count_statements(db.engine, lambda sql: sent.append(sql) if listening else None)
    act()
    listening.clear()
    return [sql for sql in sent if not sql.startswith("SAVEPOINT")]


def do_days(who: int, clock, days: int) -> None:
    for lesson in make_course(*[Plan(asks=2)] * days):
        do_lesson(who, lesson)
        clock.shift(timedelta(days=1))


def test_a_beginner(ada: int) -> None:
    shown = dashboard(ada, now())
    assert (shown.user_id, shown.name, shown.hidden) == (ada, "Ada", frozenset())
    assert (shown.card.xp, shown.card.level, shown.coins_earned, shown.coins_spent) == (0, 1, 0, 0)
    assert (shown.badges, shown.unread, shown.latest) == ((), 0, ())
    assert len(shown.goals) == 3


def test_it_says_what_the_pages_say(ada: int, clock) -> None:
    do_days(ada, clock, 8)
    clock.shift(-timedelta(days=1))
    give(ada, coins=500)
    with unit_of_work():
        bought = shop.purchase(ada, "scarf", "a-form-of-its-own")
    shown = dashboard(ada, now())
    card = queries.player(ada, now(), week=False)
    assert shown.card == card
    assert shown.goals == queries.goals(ada, now())
    assert shown.badges == badge_queries.earned_badges(ada) != ()
    assert shown.coins_spent == bought.price
    assert shown.coins_earned - shown.coins_spent == card.coins
    bell = news.bell(ada, frozenset())
    page = news.listing(ada, frozenset(), 2**63 - 1, 5, unread_only=True)
    assert (shown.unread, shown.latest) == (bell.unread, page.lines)
    assert shown.unread > len(shown.latest) == 5


def test_the_own_page_says_the_same_in_one_statement(ada: int, clock) -> None:
    do_days(ada, clock, 3)
    lessons = make_course(*[Plan(asks=1)] * 2, key="other")
    do_lesson(ada, lessons[0])
    parts = (
        queries.board(ada, now()),
        news.bell(ada, frozenset()),
        studied.continue_with(ada),
        studied.course_progress(ada),
    )
    who = principal_of(ada)
    shown = own_page(who, now())
    assert (shown.board, shown.bell, shown.resume, shown.done) == parts
    assert shown.board.card.week[-1].lessons
    assert shown.resume
    assert sum(shown.done.values()) == 4
    assert len(statements(lambda: own_page(who, now()))) == 1
    clock.shift(timedelta(days=2))  # the streak has a story now
    assert own_page(who, now()).board == queries.board(ada, now())
    assert len(statements(lambda: own_page(who, now()))) == 2


def test_the_own_page_after_a_journey_to_the_west(ada: int, clock) -> None:
    do_days(ada, clock, 1)
    clock.shift(-timedelta(days=1))
    with unit_of_work():
        accounts.change_profile(ada, display_name="Ada", time_zone="Pacific/Pago_Pago", day_start_hour=23)
    who = principal_of(ada)
    shown = own_page(who, now()).board
    assert shown == queries.board(ada, now())
    assert shown.card.studied_today
    assert shown.card.week[-1].lessons == 1
    assert len(statements(lambda: own_page(who, now()))) <= 3


def test_where_the_own_page_goes_on(ada: int, clock) -> None:
    one, two = make_course(Plan(asks=1), Plan(asks=2), key="alpha")
    other, last = make_course(Plan(asks=1), Plan(asks=1), key="beta")
    who = principal_of(ada)

    def goes_on() -> int | None:
        found = own_page(who, now()).resume
        assert found == studied.continue_with(ada)
        clock.shift(timedelta(minutes=1))
        return found and found.lesson_id

    assert goes_on() == one
    do_lesson(ada, other)
    assert goes_on() == last, "the course that was worked on last goes first"
    do_lesson(ada, one)
    assert goes_on() == two
    with unit_of_work():
        session.execute(update(Lesson).where(Lesson.id == two).values(retired_at=now()))
    assert goes_on() == last, "the course has nothing more to offer"
    attempt = start(ada, last)
    assert goes_on() == last
    assert own_page(who, now()).resume.attempt_id == attempt
    with unit_of_work():
        session.execute(update(Module).values(retired_at=now()))
    assert goes_on() == last, "what is begun may be finished"
    answer_all(ada, attempt)
    complete(ada, attempt)
    assert goes_on() is None
    assert sum(own_page(who, now()).done.values()) == 3


def test_goals_are_the_same_all_day_on_the_own_page(ada: int, clock) -> None:
    lessons = make_course(*[Plan(asks=4)] * 2)
    do_lesson(ada, lessons[0], wrong=3)
    clock.shift(timedelta(days=1))
    who = principal_of(ada)
    before = own_page(who, now()).board.goals
    assert before == queries.goals(ada, now())
    do_lesson(ada, lessons[0])
    after = own_page(who, now()).board.goals
    assert after == queries.goals(ada, now())
    assert [(goal.kind, goal.target) for goal in after] == [(goal.kind, goal.target) for goal in before]


def test_a_step_comes_with_what_the_head_of_its_page_says(ada: int, clock) -> None:
    do_days(ada, clock, 3)
    [lesson] = make_course(Plan(asks=2))
    attempt = start(ada, lesson)
    answer(ada, attempt, asking(attempt)[0], right=False)
    who = principal_of(ada)
    for place in (1, 2, 3):
        where = study.at_place(place)
        shown, card, bell = player_with_head(who, now(), attempt, where)
        assert shown == study.player(ada, attempt, where)
        assert (card, bell) == head(who, now())
    assert bell.unread == news.bell(ada, frozenset()).unread > 0
    for whose, which in ((who, attempt + 1), (principal_of(make_user(name="Bo")), attempt)):
        with pytest.raises(NotFound):
            player_with_head(whose, now(), which, study.FIRST_OPEN)


def test_the_bell_of_who_hides_something(ada: int, clock) -> None:
    do_days(ada, clock, 3)
    hidden = frozenset({"badges"})
    with unit_of_work():
        accounts.change_preferences(
            ada, goal_intensity="casual", hidden=hidden, theme="auto", streak_mode=None
        )
    who = principal_of(ada)
    bells = (own_page(who, now()).bell, head(who, now())[1], news.bell(ada, hidden))
    assert len(set(bells)) == 1
    assert bells[0].unread < news.bell(ada, frozenset()).unread
    assert bells[0].state == news.bell(ada, frozenset()).state == news.states([ada])[ada]


def test_what_was_read_is_not_told(ada: int, clock) -> None:
    do_days(ada, clock, 1)
    newest = dashboard(ada, now()).latest[0]
    with unit_of_work():
        telling.mark_read(ada, newest.id)
    assert newest not in dashboard(ada, now()).latest
    with unit_of_work():
        telling.mark_all_read(ada)
    assert (dashboard(ada, now()).unread, dashboard(ada, now()).latest) == (0, ())


@pytest.mark.parametrize("hidden", [{"badges"}, {"goals"}, {"xp"}, {"streak"}, {"badges", "goals", "xp"}])
def test_news_and_badges_of_hidden_mechanics_are_left_out(ada: int, clock, hidden: set[str]) -> None:
    do_days(ada, clock, 3)
    with unit_of_work():
        accounts.change_preferences(
            ada, goal_intensity="casual", hidden=frozenset(hidden), theme="auto", streak_mode=None
        )
    shown = dashboard(ada, now())
    assert shown.hidden == hidden
    assert shown.badges == (() if "badges" in hidden else badge_queries.earned_badges(ada, hidden))
    page = news.listing(ada, frozenset(hidden), 2**63 - 1, 5, unread_only=True)
    assert (shown.unread, shown.latest) == (news.bell(ada, frozenset(hidden)).unread, page.lines)
    assert {each.mechanic for each in shown.latest}.isdisjoint(hidden)


def test_it_is_nobody_elses(ada: int, clock) -> None:
    do_days(ada, clock, 1)
    bo = make_user(name="Bo")
    shown = dashboard(bo, now())
    assert (shown.name, shown.card.xp, shown.coins_earned, shown.badges, shown.unread) == ("Bo", 0, 0, (), 0)


def test_somebody_unknown(ada: int) -> None:
    with pytest.raises(NotFound) as refused:
        dashboard(ada + 1, now())
    assert refused.value.code == "USER_NOT_FOUND"


def test_few_statements_however_much_there_is(ada: int, clock) -> None:
    assert len(statements(lambda: dashboard(ada, now()))) == 2
    do_days(ada, clock, 3)
    session.execute(text("analyze"))
    clock.shift(-timedelta(days=1))
    assert len(statements(lambda: dashboard(ada, now()))) == 2
    clock.shift(timedelta(days=3))
    assert len(statements(lambda: dashboard(ada, now()))) == 3, "a gap has a story"


def test_it_writes_nothing(ada: int, clock) -> None:
    do_days(ada, clock, 2)
    session.commit()
    sent = statements(lambda: dashboard(ada, now()))
    assert all(sql.lstrip().lower().startswith("select") for sql in sent)
