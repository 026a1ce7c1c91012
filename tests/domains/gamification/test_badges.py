"""Badges: what earns each of them, that each is paid once, that what follows from one follows at once, and granting later."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text

from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.core.events import _handlers, subscribe
from codyverse.gamification import badge_catalogue, badge_queries, queries, services
from codyverse.gamification.badge_catalogue import CATEGORIES, RARITIES, Badge, Count, badges, own_catalogue
from codyverse.gamification.badge_facts import FACTS, fact_of, read_counts
from codyverse.gamification.events import BadgeEarned
from codyverse.gamification.models import EarnedBadge, LedgerEntry
from codyverse.progress import services as study
from codyverse.progress.models import Attempt
from tests.domains.study import Plan, answer, answer_all, asking, complete, do_lesson, make_course, start
from tests.domains.together import together
from tests.factories import make_user

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)
"""A Wednesday."""
MACRO = Path(__file__).parents[3] / "templates" / "components" / "badge.html"


@pytest.fixture
def clock(app, time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def ada(clock) -> int:
    return make_user(name="Ada")


@pytest.fixture
def catalogue() -> Iterator[None]:
    """After the test the badges of badges.toml are in force again."""
    yield
    badge_catalogue.play_for(None)


def badge(fact: str, at_least: int, key: str = "test", **where: int) -> Badge:
    return Badge(
        key, key, "Do it.", "special", "common", key, Count(fact, tuple(where.items())), at_least, 10, 10
    )


def earned(user_id: int) -> set[str]:
    return set(session.scalars(select(EarnedBadge.badge).where(EarnedBadge.user_id == user_id)))


def paid(user_id: int, key: str) -> dict[str, int]:
    rows = session.execute(
        select(LedgerEntry.currency, LedgerEntry.amount).where(
            LedgerEntry.user_id == user_id, LedgerEntry.rule == "badge", LedgerEntry.source == f"badge:{key}"
        )
    ).all()
    assert len({row.currency for row in rows}) == len(rows)
    return {row.currency: row.amount for row in rows}


def agrees(user_id: int) -> None:
    """The sums agree, and looking at all facts anew finds nothing that was not granted when it happened."""
    assert services.verify_ledger() == ()
    assert services.would_grant(user_id) == ()


# --- the catalogue ---


def test_the_catalogue_has_its_five_categories_and_four_rarities() -> None:
    found = own_catalogue()
    assert len(found) >= 20
    assert {each.category for each in found} == set(CATEGORIES)
    assert {each.rarity for each in found} == set(RARITIES)
    assert all(fact_of(each.count) for each in found)
    assert {each.count.fact for each in found} == set(FACTS)


@pytest.mark.parametrize(
    ("name", "count", "at_least", "xp", "coins"),
    [
        ("First Steps", Count("lessons"), 1, 50, 10),
        ("Knowledge Seeker", Count("lessons"), 10, 200, 50),
        ("Consistent Learner", Count("best_streak"), 7, 300, 75),
        ("Speed Demon", Count("new_lessons_in_a_day", (("score", 80),)), 5, 400, 100),
    ],
)
def test_the_four_that_the_design_fixes(name: str, count: Count, at_least: int, xp: int, coins: int) -> None:
    [found] = [each for each in own_catalogue() if each.name == name]
    assert (found.count, found.at_least, found.xp, found.coins) == (count, at_least, xp, coins)


def test_every_sign_is_drawn_and_none_is_drawn_for_nothing() -> None:
    drawn = re.findall(r'badge\.sign == "([a-z]+)"', MACRO.read_text())
    assert sorted(drawn) == sorted(each.sign for each in own_catalogue())


GOOD = """
[pays]
common = { xp = 1, coins = 1 }
[[badge]]
key = "a"
name = "A"
says = "Do."
category = "study"
rarity = "common"
sign = "s"
fact = "lessons"
at_least = 1
"""


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('key = "a"', ""), "it needs"),
        (('says = "Do."', 'says = ""'), "it needs"),
        (('"study"', '"studies"'), "no such category"),
        (("at_least = 1", "at_least = 0"), "at_least is 1 or more"),
        (("at_least = 1", "at_least = true"), "whole numbers"),
        (("at_least = 1", "at_least = 1\nxp = 0\ncoins = 0"), "pays something"),
        (("at_least = 1", "at_least = 1\nwhere = { score = '80; drop' }"), "whole numbers"),
        (("at_least = 1", "at_least = 1\nicon = 'x'"), "nobody reads icon"),
        (("at_least = 1", "at_least = 1" + GOOD.partition("coins = 1 }")[2]), "used twice"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_named(change: tuple[str, str], fault: str) -> None:
    assert len(badge_catalogue.read_catalogue(GOOD)) == 1
    with pytest.raises(ValueError, match=fault):
        badge_catalogue.read_catalogue(GOOD.replace(*change, 1))


def test_a_fact_that_nobody_counts_is_named() -> None:
    for count in (Count("wishes"), Count("lessons", (("weight", 3),)), Count("returns")):
        with pytest.raises(ValueError, match=f"no fact {count.fact}"):
            fact_of(count)


# --- earning ---


def test_the_first_lesson_brings_the_first_badges_once(ada: int, clock) -> None:
    [lesson, _] = make_course(Plan(asks=2), Plan(asks=2))
    attempt_id = do_lesson(ada, lesson)
    assert earned(ada) == {"first-steps", "flawless"}
    assert paid(ada, "first-steps") == {"xp": 50, "coins": 10}
    assert queries.player(ada, now()).xp == 40 + 50 + 10
    assert queries.player(ada, now()).level == 2
    lines = queries.rewards_of(ada, attempt_id).entries
    assert [each.name for each in badge_queries.badges_in(lines)] == ["First Steps", "Flawless"]
    assert "Badge “First Steps”: Finish your first lesson." in {line.reason for line in lines}
    do_lesson(ada, lesson)
    assert earned(ada) == {"first-steps", "flawless"}
    agrees(ada)


def test_who_earned_what_is_told_to_others(ada: int, clock) -> None:
    heard: list[BadgeEarned] = []
    subscribe(BadgeEarned, heard.append)
    try:
        [lesson, _] = make_course(Plan(asks=2), Plan(asks=2))
        do_lesson(ada, lesson, wrong=1)
    finally:
        _handlers[BadgeEarned].remove(heard.append)
    assert heard == [BadgeEarned(ada, "first-steps", "First Steps", "common", 50, 10, NOON, NOON.date())]


def test_every_kind_of_fact_is_counted(ada: int, clock) -> None:
    """Two weeks of a learner, and what each fact says after them."""
    first, second, third = make_course(*[Plan(asks=5, minutes=10)] * 3)
    other = make_course(Plan(asks=2), Plan(asks=2))
    attempt_id = start(ada, first)
    one, two, *rest = asking(attempt_id)
    with unit_of_work():
        study.take_hint(ada, attempt_id, one.step_id, 1)
    answer(ada, attempt_id, one)
    for try_no in (1, 2):
        answer(ada, attempt_id, two, right=False, try_no=try_no)
    clock.shift(60)
    answer(ada, attempt_id, two, try_no=3)
    for step in rest:
        answer(ada, attempt_id, step)
    complete(ada, attempt_id)  # Wednesday: 80 points
    do_lesson(ada, second, wrong=2)  # 60 points
    clock.shift(timedelta(days=3))
    do_lesson(ada, first)  # Saturday: 100 points
    clock.shift(timedelta(days=1))
    do_lesson(ada, third)  # Sunday
    clock.shift(timedelta(days=14))
    do_lesson(ada, other[0])  # a Sunday again, 13 days without a lesson between
    clock.shift(timedelta(days=15))
    do_lesson(ada, other[0])  # a Monday, 14 days without one
    counts = {
        Count("lessons"): 4,
        Count("lessons", (("score", 100),)): 3,
        Count("lessons", (("score", 80),)): 3,
        Count("again"): 2,
        Count("courses"): 1,
        Count("minutes"): 1,
        Count("first_tries"): 4 + 3 + 5 + 2,
        Count("weekends"): 1,
        Count("returns", (("days", 14),)): 1,
        Count("returns", (("days", 13),)): 2,
        Count("new_lessons_in_a_day", (("score", 80),)): 1,
        Count("new_lessons_in_a_day", (("score", 60),)): 2,
        Count("hinted_in_a_lesson"): 1,
        Count("persisted_in_a_lesson", (("tries", 3),)): 1,
        Count("persisted_in_a_lesson", (("tries", 4),)): 0,
        Count("quests"): 0,
        Count("league_weeks"): 0,
    }
    found = read_counts(ada, counts)
    found.pop(Count("full_days"), None)
    assert found == counts
    assert {"good-question", "never-gave-up", "weekender", "welcome-back", "first-constellation"} <= earned(
        ada
    )
    agrees(ada)


@pytest.mark.parametrize(("gap", "comes"), [(14, False), (15, True)])
def test_welcome_back_after_fourteen_whole_days_without_a_lesson(
    ada: int, clock, gap: int, comes: bool
) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    do_lesson(ada, lesson)
    clock.shift(timedelta(days=gap))
    do_lesson(ada, lesson)
    assert ("welcome-back" in earned(ada)) is comes


@pytest.mark.parametrize(
    ("scores", "comes"),
    [
        ((5, 5, 5, 5, 5), True),
        ((5, 4, 4, 4, 4), True),
        ((5, 5, 5, 5, 3), False),
        ((5, 5, 5, 5), False),
    ],
    ids=["perfect", "80 each", "one of 60", "four"],
)
def test_speed_demon_needs_five_new_lessons_of_eighty_points_on_one_day(
    ada: int, clock, scores, comes
) -> None:
    lessons = make_course(*[Plan(asks=5)] * 6)
    for lesson, right in zip(lessons, scores, strict=False):
        do_lesson(ada, lesson, wrong=5 - right)
    do_lesson(ada, lessons[len(scores) - 1])  # doing the last one again, better, is not a first time
    assert ("speed-demon" in earned(ada)) is comes
    agrees(ada)


def test_five_new_lessons_over_midnight_are_not_on_one_day(ada: int, clock) -> None:
    lessons = make_course(*[Plan(asks=1)] * 8)
    for lesson in lessons[:3]:
        do_lesson(ada, lesson)
    clock.shift(timedelta(days=1))
    for lesson in lessons[3:6]:
        do_lesson(ada, lesson)
    assert "speed-demon" not in earned(ada)
    agrees(ada)


def test_a_streak_of_seven_days(ada: int, clock) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    for day in range(1, 8):
        do_lesson(ada, lesson)
        assert ("three-nights" in earned(ada)) is (day >= 3)
        assert ("consistent-learner" in earned(ada)) is (day >= 7)
        clock.shift(timedelta(days=1))
    assert paid(ada, "consistent-learner") == {"xp": 300, "coins": 75}
    agrees(ada)


def test_a_course_that_grows_takes_no_badge_back(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=1), key="growing")
    do_lesson(ada, lesson)
    assert "first-constellation" in earned(ada)
    make_course(Plan(asks=1), Plan(asks=1), key="growing")
    assert read_counts(ada, [Count("courses")]) == {Count("courses"): 0}
    assert "first-constellation" in earned(ada)
    agrees(ada)


def test_goals_reached_by_an_answer_bring_their_badge_with_it(ada: int, clock) -> None:
    """All three goals of a day are reached in the middle of a lesson, if the last one was about answers."""
    lessons = make_course(*[Plan(asks=9, minutes=20)] * 6)
    for lesson in lessons:
        attempt_id = start(ada, lesson)
        for step in asking(attempt_id):
            clock.shift(100)
            answer(ada, attempt_id, step)
            reached = all(goal.reached for goal in queries.goals(ada, now()))
            assert ("full-day" in earned(ada)) is reached
        complete(ada, attempt_id)
        assert ("full-day" in earned(ada)) is all(goal.reached for goal in queries.goals(ada, now()))
    assert "full-day" in earned(ada)
    agrees(ada)


def test_what_follows_from_a_badge_follows_at_once(ada: int, clock, catalogue) -> None:
    """A badge lifts the level, the level brings a badge, and these two bring a third, all by one lesson."""
    rich = Badge("rich", "Rich", "Do.", "study", "epic", "r", Count("lessons"), 1, 300, 0)
    badge_catalogue.play_for((badge("badges", 2, "two"), badge("level", 3, "third-level"), rich))
    [lesson] = make_course(Plan(asks=1))
    do_lesson(ada, lesson)
    assert earned(ada) == {"rich", "third-level", "two"}
    assert queries.player(ada, now()).level == 3
    agrees(ada)


def test_social_facts_come_from_leagues(ada: int, clock) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    week = NOON.date() - timedelta(days=9)
    cohort = session.scalar(
        text("insert into league_cohorts (week, number, size) values (:week, 1, 1) returning id"),
        {"week": week},
    )
    session.execute(
        text(
            "insert into league_members (user_id, week, cohort_id, pseudonym, joined_at, rank, xp, lessons) "
            "values (:who, :week, :cohort, 'Calm Comet', :at, 1, 40, 1)"
        ),
        {"who": ada, "week": week, "cohort": cohort, "at": NOON - timedelta(days=9)},
    )
    with unit_of_work():
        session.execute(
            insert(LedgerEntry).values(
                user_id=ada,
                currency="coins",
                amount=20,
                rule="quest",
                source=f"quest:{week}",
                local_date=NOON.date(),
                created_at=NOON,
            )
        )
        session.execute(text("update players set coins = coins + 20 where user_id = :who"), {"who": ada})
    do_lesson(ada, lesson)
    assert {"in-company", "side-by-side"} <= earned(ada)


# --- at once, and after any history ---


def test_fifty_completions_at_once_pay_each_badge_once(committed_database: Flask) -> None:
    lessons = make_course(*[Plan(asks=1)] * 50)
    who = make_user()
    attempts = [start(who, lesson) for lesson in lessons]
    for attempt_id in attempts:
        answer_all(who, attempt_id)
    session.remove()
    acts = [lambda attempt_id=attempt_id: complete(who, attempt_id) for attempt_id in attempts]
    assert together(committed_database, acts) == [None] * 50
    assert {"first-steps", "knowledge-seeker", "stargazer", "steady-hand", "speed-demon"} <= earned(who)
    for key in earned(who):
        [known] = [each for each in badges() if each.key == key]
        assert paid(who, key) == {"xp": known.xp, "coins": known.coins}
    agrees(who)


def test_fifty_syncs_at_once_grant_once(committed_database: Flask, catalogue) -> None:
    [lesson] = make_course(Plan(asks=1))
    who = make_user()
    badge_catalogue.play_for(())
    do_lesson(who, lesson)
    badge_catalogue.play_for(None)
    session.remove()

    def sync() -> int:
        with unit_of_work():
            return len(services.sync_badges(who))

    granted = together(committed_database, [sync] * 50)
    assert sorted(granted) == [0] * 49 + [3]
    assert earned(who) == {"first-steps", "flawless", "first-constellation"}
    assert paid(who, "first-steps") == {"xp": 50, "coins": 10}
    agrees(who)


ACTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans(), st.sampled_from([0, 1, 1, 2, 15])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_after_any_history_all_that_is_due_is_granted(app, time_machine, acts) -> None:
    """What the counting of single facts granted is what a counting of all facts would grant."""
    time_machine.move_to(NOON, tick=False)
    small = (
        badge("lessons", 2, "two"),
        badge("again", 2, "again"),
        badge("lessons", 2, "whole", score=100),
        badge("courses", 1, "course"),
        badge("first_tries", 5, "tries"),
        badge("minutes", 2, "minutes"),
        badge("days", 3, "days"),
        badge("best_streak", 2, "streak"),
        badge("weekends", 1, "weekend"),
        badge("returns", 1, "return", days=5),
        badge("full_days", 1, "full"),
        badge("new_lessons_in_a_day", 2, "fast", score=80),
        badge("hinted_in_a_lesson", 2, "hint"),
        badge("persisted_in_a_lesson", 1, "persist", tries=2),
        badge("badges", 4, "four"),
        badge("level", 2, "level"),
    )
    badge_catalogue.play_for(small)
    try:
        lessons = make_course(*[Plan(asks=3)] * 4)
        who = make_user()
        for number, wrong, helped, days in acts:
            time_machine.shift(timedelta(days=days))
            attempt_id = start(who, lessons[number])
            for place, step in enumerate(asking(attempt_id)):
                time_machine.shift(20)
                if helped:
                    with unit_of_work():
                        study.take_hint(who, attempt_id, step.step_id, 1)
                answer(who, attempt_id, step, right=place >= wrong)
                if place < wrong and helped:
                    answer(who, attempt_id, step, try_no=2)
            complete(who, attempt_id)
            agrees(who)
        assert session.scalar(select(func.count()).select_from(EarnedBadge)) >= 0
    finally:
        badge_catalogue.play_for(None)


# --- granting later, proving ---


def test_a_new_badge_is_granted_after_the_fact_and_once(ada: int, clock, catalogue) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    do_lesson(ada, lesson)
    before = queries.player(ada, now())
    badge_catalogue.play_for((*own_catalogue(), badge("lessons", 1, "new")))
    clock.shift(timedelta(hours=1))
    assert [each.badge for each in services.would_grant(ada)] == ["new"]
    assert "new" not in earned(ada)
    with unit_of_work():
        assert [each.badge for each in services.sync_badges(ada)] == ["new"]
    after = queries.player(ada, now())
    assert (after.xp, after.coins) == (before.xp + 10, before.coins + 10)
    with unit_of_work():
        assert services.sync_badges(ada) == ()
    assert services.verify_ledger() == ()


def test_a_badge_granted_later_can_lift_the_level(ada: int, clock, catalogue) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    do_lesson(ada, lesson)
    rich = Badge("rich", "Rich", "Do.", "study", "epic", "r", Count("lessons"), 1, 600, 0)
    badge_catalogue.play_for((*own_catalogue(), rich))
    with unit_of_work():
        services.sync_badges(ada)
    assert queries.player(ada, now()).level == 4
    assert {"rich"} <= earned(ada)
    agrees(ada)


def test_a_badge_without_its_entry_and_an_entry_without_its_badge_are_found(ada: int, clock) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    do_lesson(ada, lesson)
    session.execute(delete(EarnedBadge).where(EarnedBadge.badge == "first-steps"))
    session.execute(
        insert(EarnedBadge).values(user_id=ada, badge="made-up", earned_at=NOON, local_date=NOON.date())
    )
    found = {(each.what, each.stored) for each in services.verify_ledger()}
    assert found == {("badge:first-steps", "an entry for a badge"), ("badge:made-up", "an earned badge")}


# --- the board ---


def test_the_board_says_how_far_it_is(ada: int, clock) -> None:
    lessons = make_course(*[Plan(asks=2)] * 12)
    for lesson in lessons[:3]:
        do_lesson(ada, lesson)
        clock.shift(timedelta(days=1))
    board = badge_queries.badge_board(ada)
    assert [group.category for group in board.groups] == list(CATEGORIES)
    assert board.total == len(own_catalogue())
    assert board.earned == len(earned(ada))
    by_key = {each.key: each for group in board.groups for each in group.badges}
    assert by_key["first-steps"].earned_on == NOON.date()
    assert by_key["knowledge-seeker"].progress == "3 of 10 lessons"
    assert by_key["consistent-learner"].progress == "3 of 7 days in a row"
    assert by_key["map-of-the-sky"].progress == "0 of 4 courses"
    assert len(board.nearest) == 3
    assert all(each.earned_on is None for each in board.nearest)
    assert "galaxy" not in {each.key for each in board.nearest}
    assert {each.key for each in badge_queries.earned_badges(ada)} == earned(ada)


def test_a_badge_that_the_catalogue_no_longer_names_does_no_harm(ada: int, clock, catalogue) -> None:
    [lesson, _] = make_course(Plan(asks=1), Plan(asks=1))
    do_lesson(ada, lesson)
    badge_catalogue.play_for(tuple(each for each in own_catalogue() if each.key != "first-steps"))
    assert {each.key for each in badge_queries.earned_badges(ada)} == {"flawless"}
    assert badge_queries.badge_board(ada).earned == 1
    assert session.scalar(select(Attempt.score)) == Fraction(100)
    agrees(ada)
