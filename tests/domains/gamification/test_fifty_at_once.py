"""Fifty requests at the same moment on each way to a reward: it is paid once, said once, and the sums agree."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now, standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.gamification import badge_catalogue, queries, rules, services, shop
from codyverse.gamification.shop_catalogue import shelf
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, answer, answer_all, asking, complete, do_lesson, make_course, start
from tests.domains.together import together
from tests.factories import make_user

MANY = 50
NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


def paid(who: int, rule: str) -> dict[tuple[str, str], int]:
    """Currency and source of what a rule has paid, and how much."""
    mine = text("select currency, source, amount from ledger_entries where user_id = :who and rule = :rule")
    rows = session.execute(mine, {"who": who, "rule": rule}).all()
    found = {(row.currency, row.source): row.amount for row in rows}
    assert len(found) == len(rows)
    return found


def told(who: int) -> Counter[str]:
    """How many notifications of each kind there are."""
    rows = session.execute(text("select kind from notifications where user_id = :who"), {"who": who})
    return Counter(rows.scalars())


def ready(who: int, lesson: int, wrong: int = 0) -> int:
    """An attempt that only waits for its completion."""
    attempt_id = start(who, lesson)
    answer_all(who, attempt_id, wrong=wrong)
    return attempt_id


def fifty(app: Flask, act, at: datetime | None = None) -> list[object]:
    """The same act fifty times at once; what came of each."""
    session.remove()

    def one() -> object:
        with standing_at(at or NOON):
            return act()

    return together(app, [one] * MANY)


@pytest.fixture
def who(committed_app: Flask) -> int:
    with standing_at(NOON - timedelta(days=1)):
        return make_user()


def agrees() -> bool:
    return services.verify_ledger() == ()


def test_a_first_completion(committed_app: Flask, who: int) -> None:
    [lesson] = make_course(Plan(asks=2))
    with standing_at(NOON):
        attempt_id = ready(who, lesson)
    assert fifty(committed_app, lambda: complete(who, attempt_id)) == [None] * MANY
    assert paid(who, "lesson") == {("xp", f"lesson:{lesson}"): 40, ("coins", f"lesson:{lesson}"): 10}
    assert paid(who, "badge")[("xp", "badge:first-steps")] == 50
    assert told(who)["badge"] == len(paid(who, "badge")) // 2
    assert agrees()


def test_a_whole_lesson_in_fifty_tabs(committed_app: Flask, who: int) -> None:
    """Whoever comes too late finds it finished, or practises once more for nothing."""
    [lesson] = make_course(Plan(asks=2))
    results = fifty(committed_app, lambda: do_lesson(who, lesson))
    assert {type(each) for each in results} <= {int, Conflict}
    assert paid(who, "lesson") == {("xp", f"lesson:{lesson}"): 40, ("coins", f"lesson:{lesson}"): 10}
    assert sum(paid(who, "lesson_again").values()) == 0
    assert agrees()


def test_a_lesson_again_and_better(committed_app: Flask, who: int) -> None:
    [lesson] = make_course(Plan(asks=2))
    with standing_at(NOON):
        do_lesson(who, lesson, wrong=1)
        attempt_id = ready(who, lesson)
    assert fifty(committed_app, lambda: complete(who, attempt_id)) == [None] * MANY
    assert paid(who, "lesson_again") == {("xp", f"attempt:{attempt_id}"): 10}
    assert agrees()


def test_goals_and_the_gem_for_all_three(committed_app: Flask, who: int) -> None:
    lessons = make_course(*[Plan(asks=4)] * 5)
    with unit_of_work():
        accounts.change_goal_intensity(who, "casual")
    with standing_at(NOON):
        attempts = [start(who, lesson) for lesson in lessons]
    steps = [(attempt_id, step) for attempt_id in attempts for step in asking(attempt_id)]
    session.remove()

    def answers(attempt_id: int, step, minute: int = 6) -> None:
        with standing_at(NOON + timedelta(minutes=minute)):
            answer(who, attempt_id, step)

    for minute, each in zip((2, 4), steps, strict=False):
        answers(*each, minute)
    session.remove()
    together(committed_app, [partial(answers, *each) for each in steps[2:]])
    acts = [partial(complete, who, attempt_id) for attempt_id in attempts] * (MANY // 5)
    with standing_at(NOON + timedelta(minutes=7)):
        day = queries.goals(who, now())

    def completes(act) -> None:
        with standing_at(NOON + timedelta(minutes=7)):
            act()

    session.remove()
    assert together(committed_app, [partial(completes, act) for act in acts]) == [None] * MANY
    today = NOON.date()
    coins = rules.DEFAULTS.goal_coins["casual"]
    assert len(day) == 3
    assert paid(who, "goal") == {("coins", f"goal:{today}:{slot}"): coins for slot in (1, 2, 3)}
    assert paid(who, "all_goals") == {("gems", f"goals:{today}"): 1}
    assert told(who)["goal"] == 3
    assert agrees()


def test_two_minutes_in_ten_lessons_at_once_are_two_minutes(committed_app: Flask, who: int) -> None:
    lessons = make_course(*[Plan(asks=5)] * 10)
    with standing_at(NOON):
        attempts = [start(who, lesson) for lesson in lessons]
    steps = [(attempt_id, step) for attempt_id in attempts for step in asking(attempt_id)]
    session.remove()

    def answers(attempt_id: int, step) -> None:
        with standing_at(NOON + timedelta(minutes=2)):
            answer(who, attempt_id, step)

    together(committed_app, [partial(answers, *each) for each in steps])
    counted = text("select sum(seconds) from attempts where user_id = :who")
    day = text("select seconds from activity_days where user_id = :who")
    assert [session.scalars(each, {"who": who}).one() for each in (counted, day)] == [120, 120]


def test_a_badge_that_is_granted_after_the_fact(committed_app: Flask, who: int, no_badges: None) -> None:
    [lesson] = make_course(Plan(asks=2))
    with standing_at(NOON):
        do_lesson(who, lesson)
    assert paid(who, "badge") == {}
    badge_catalogue.play_for(None)

    def sync() -> int:
        with unit_of_work():
            return len(services.sync_badges(who))

    results = fifty(committed_app, sync)
    assert sum(1 for each in results if each) == 1
    assert paid(who, "badge")[("xp", "badge:first-steps")] == 50
    assert paid(who, "badge")[("coins", "badge:first-steps")] == 10
    assert agrees()


def test_levels(committed_app: Flask, who: int, no_badges: None) -> None:
    """Ten lessons at once, each sent five times, pass several levels; each level pays its gems once."""
    lessons = make_course(*[Plan(asks=1, difficulty="advanced")] * 10)
    with standing_at(NOON):
        attempts = [ready(who, lesson) for lesson in lessons]
    session.remove()

    def completes(attempt_id: int) -> None:
        with standing_at(NOON):
            complete(who, attempt_id)

    acts = [partial(completes, attempt_id) for attempt_id in attempts] * (MANY // 10)
    assert together(committed_app, acts) == [None] * MANY
    card = queries.player(who, NOON)
    assert card.xp == 600
    assert paid(who, "level") == {("gems", f"level:{number}"): number for number in range(2, card.level + 1)}
    assert told(who)["level"] == card.level - 1
    assert agrees()


def test_the_same_purchase(committed_app: Flask, who: int) -> None:
    give(who, coins=1000)
    bought = fifty(committed_app, lambda: _buy(who, "scarf", "the-same-form"))
    assert {getattr(each, "key", each) for each in bought} == {"scarf"}
    [price] = [item.price for item in shelf() if item.key == "scarf"]
    assert list(paid(who, "purchase").values()) == [-price]
    assert agrees()


def test_purchases_with_coins_for_one(committed_app: Flask, who: int) -> None:
    [price] = [item.price for item in shelf() if item.key == "streak-freeze"]
    give(who, coins=2 * price - 1)
    bought = _with_forms_of_their_own(committed_app, who, "streak-freeze")
    assert Counter(type(each) for each in bought)[Conflict] == MANY - 1
    assert list(paid(who, "purchase").values()) == [-price]
    assert queries.player(who, NOON).coins == price - 1
    assert agrees()


def test_purchases_of_more_than_may_be_held(committed_app: Flask, who: int) -> None:
    give(who, coins=10_000)
    bought = _with_forms_of_their_own(committed_app, who, "streak-freeze")
    most = rules.DEFAULTS.most_freezes
    assert Counter(type(each) for each in bought)[Conflict] == MANY - most
    assert len(paid(who, "purchase")) == most == queries.player(who, NOON).freezes
    assert agrees()


def test_an_outfit_is_bought_once_whatever_the_form(committed_app: Flask, who: int) -> None:
    give(who, coins=10_000)
    bought = _with_forms_of_their_own(committed_app, who, "scarf")
    assert Counter(type(each) for each in bought)[Conflict] == MANY - 1
    assert len(paid(who, "purchase")) == 1
    assert agrees()


def _with_forms_of_their_own(app: Flask, who: int, item: str) -> list[object]:
    session.remove()

    def one(number: int) -> object:
        with standing_at(NOON):
            return _buy(who, item, f"form-number-{number}")

    return together(app, [partial(one, number) for number in range(MANY)])


def _buy(who: int, item: str, nonce: str) -> object:
    with unit_of_work():
        return shop.purchase(who, item, nonce)


def test_a_freeze_that_is_earned(committed_app: Flask, who: int) -> None:
    """The seventh day in a row brings one freeze and counts once, however often its lesson is sent."""
    [lesson] = make_course(Plan(asks=1))
    days = rules.DEFAULTS.days_per_freeze
    for day in range(days - 1):
        with standing_at(NOON + timedelta(days=day)):
            do_lesson(who, lesson)
    last = NOON + timedelta(days=days - 1)
    with standing_at(last):
        attempt_id = ready(who, lesson)
    assert fifty(committed_app, lambda: complete(who, attempt_id), last) == [None] * MANY
    card = queries.player(who, last)
    assert (card.freezes, card.streak, card.days_learned) == (1, days, days)
    assert agrees()


def test_a_repair(committed_app: Flask, who: int) -> None:
    """The second lesson of a day mends one missed day, once."""
    [lesson] = make_course(Plan(asks=1))
    with standing_at(NOON):
        do_lesson(who, lesson)
    back = NOON + timedelta(days=2)
    with standing_at(back):
        do_lesson(who, lesson)
        attempt_id = ready(who, lesson)
    assert fifty(committed_app, lambda: complete(who, attempt_id), back) == [None] * MANY
    mended = session.execute(
        text("select missed_date from streak_repairs where user_id = :who"), {"who": who}
    )
    assert mended.scalars().all() == [date(2026, 6, 18)]
    assert queries.player(who, back).streak == 2
    assert agrees()
