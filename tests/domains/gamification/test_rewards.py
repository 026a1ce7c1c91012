"""What study brings: XP, coins, gems, levels, goals and the streak, each paid once and explained."""

from datetime import UTC, date, datetime, timedelta
from json import dumps
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import savepoint, session, unit_of_work
from codyverse.core.errors import NotFound
from codyverse.core.events import _handlers, subscribe
from codyverse.core.resilience import again
from codyverse.core.sqlstates import is_passing
from codyverse.core.together import put_down, together
from codyverse.gamification import queries, services
from codyverse.gamification.events import GoalReached, LevelReached, RewardPaid
from codyverse.gamification.models import DailyGoal, LedgerEntry, Player
from codyverse.gamification.rules import goals_for
from codyverse.gamification.settlement import Entry, streak_columns
from codyverse.gamification.shop_catalogue import unlocked_at
from codyverse.gamification.statements import SETTLE
from codyverse.gamification.streaks import Streak
from codyverse.progress import services as study
from codyverse.progress.models import ActivityDay
from tests.domains.study import (
    NOON,
    Plan,
    answer,
    answer_all,
    asking,
    complete,
    do_lesson,
    make_course,
    start,
    steps_of,
)
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("no_badges")
TODAY = NOON.date()


@pytest.fixture
def news(app):
    """The game's events, in their order."""
    heard: list[object] = []
    kinds = (RewardPaid, GoalReached, LevelReached)
    for kind in kinds:
        subscribe(kind, heard.append)
    yield heard
    for kind in kinds:
        _handlers[kind].remove(heard.append)


def entries(user_id: int) -> list[tuple[str, int, str, str]]:
    columns = (LedgerEntry.currency, LedgerEntry.amount, LedgerEntry.rule, LedgerEntry.source)
    rows = session.execute(select(*columns).where(LedgerEntry.user_id == user_id).order_by(LedgerEntry.id))
    return [tuple(row) for row in rows]


def of_lessons(user_id: int) -> list[tuple[str, int, str, str]]:
    return [entry for entry in entries(user_id) if entry[2].startswith("lesson")]


def card(user_id: int) -> queries.PlayerCard:
    return queries.player(user_id, now())


def agrees() -> bool:
    return services.verify_ledger() == ()


def test_a_new_account_has_a_player_at_nought(ada: int) -> None:
    assert session.execute(select(Player.xp, Player.level).where(Player.user_id == ada)).one() == (0, 1)
    found = card(ada)
    assert (found.xp, found.coins, found.gems, found.streak, found.studied_today) == (0, 0, 0, 0, False)
    assert (found.level_name, found.xp_into_level, found.xp_for_level, found.xp_to_next) == (
        "Novice",
        0,
        100,
        100,
    )
    assert agrees()


def test_a_first_completion(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=5, difficulty="intermediate", minutes=10))
    attempt_id = start(ada, lesson)
    for gap, (number, step) in zip((30, 40, 50, 20, 30), enumerate(asking(attempt_id)), strict=True):
        clock.shift(gap)
        answer(ada, attempt_id, step, right=number > 0)
    clock.shift(40)
    complete(ada, attempt_id)
    # 30 + 3.5 × 0.5 + 80 × 0.2 = 47.75; 8 + 3.5 × 0.1 + 80 × 0.05 = 12.35
    assert of_lessons(ada) == [
        ("xp", 48, "lesson", f"lesson:{lesson}"),
        ("coins", 12, "lesson", f"lesson:{lesson}"),
    ]
    assert card(ada).xp == 48
    assert session.scalar(select(ActivityDay.xp)) == 48
    reasons = [line.reason for line in queries.rewards_of(ada, attempt_id).entries if line.rule == "lesson"]
    assert reasons == [
        "First time through “Lesson 1”: 30 + 3.5 minutes × 0.5 + score 80 × 0.2",
        "First time through “Lesson 1”: 8 + 3.5 minutes × 0.1 + score 80 × 0.05",
    ]
    assert agrees()


def paid_before(user_id: int, currency: str, amount: int, rule: str, source: str) -> None:
    """An entry that the game does not know of, with its sum."""
    with unit_of_work():
        session.execute(
            insert(LedgerEntry).values(
                user_id=user_id, currency=currency, amount=amount, rule=rule, source=source, local_date=TODAY,
                created_at=now(), details={"name": "Beginner"},
            )
        )  # fmt: skip
        session.execute(
            update(Player)
            .where(Player.user_id == user_id)
            .values({currency: getattr(Player, currency) + amount})
        )


def test_what_was_paid_before_is_not_paid_again_and_is_no_news(ada: int, clock, news: list[object]) -> None:
    first, second = make_course(*[Plan(asks=1, difficulty="advanced")] * 2)
    paid_before(ada, "xp", 90, "lesson", f"lesson:{first}")
    paid_before(ada, "gems", 2, "level", "level:2")
    with pytest.raises(DBAPIError) as fault:
        do_lesson(ada, first)
    assert is_passing(fault.value)
    again(lambda: do_lesson(ada, first))
    assert [entry[:3] for entry in of_lessons(ada)] == [("xp", 90, "lesson"), ("coins", 15, "lesson")]
    assert (card(ada).xp, card(ada).level) == (90, 1)
    news.clear()  # what was told of what was undone then
    again(lambda: do_lesson(ada, second))
    assert (card(ada).xp, card(ada).level) == (150, 2)
    assert [entry for entry in entries(ada) if entry[2] == "level"] == [("gems", 2, "level", "level:2")]
    assert card(ada).gems == sum(entry[1] for entry in entries(ada) if entry[0] == "gems")
    assert [each for each in news if isinstance(each, LevelReached)] == []


@pytest.mark.parametrize("what", ["entry", "badge", "goal"])
def test_what_came_meanwhile_without_the_lock_undoes_the_whole(ada: int, clock, what: str) -> None:
    """Nobody writes without it; if somebody does, nothing is half, and the fault is one of those that are tried again."""
    told: dict[str, Any] = {
        "user_id": ada,
        "local_date": TODAY,
        "at": now(),
        "attempt_id": None,
        "entries": "[]",
        "number": 0,
        **dict.fromkeys(("xp", "coins", "gems", "lesson_xp", "mended"), 0),
        "level": 3,
        **streak_columns(Streak()),
        "goals": [],
        "badges": [],
    }
    told |= {
        "entry": {"entries": dumps([Entry("xp", 5, "lesson", "lesson:1").record()]), "number": 1, "xp": 5},
        "badge": {"badges": ["first-steps"]},
        "goal": {"goals": [1]},
    }[what]
    if what == "goal":
        services.keep_todays_goals(ada)

    def settle() -> None:
        with together():
            put_down(SETTLE, told)

    settle()
    before = session.scalar(select(Player.xp).where(Player.user_id == ada))
    with pytest.raises(DBAPIError) as fault, savepoint():
        settle()
    assert is_passing(fault.value)
    assert session.scalar(select(Player.xp).where(Player.user_id == ada)) == before


def test_doing_it_again_pays_only_for_a_better_score(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=5))
    do_lesson(ada, lesson, wrong=2)
    more = [do_lesson(ada, lesson, wrong=wrong) for wrong in (3, 0, 0, 1)]
    assert of_lessons(ada)[2:] == [("xp", 8, "lesson_again", f"attempt:{more[1]}")]
    [line] = [line for line in queries.rewards_of(ada, more[1]).entries if line.rule == "lesson_again"]
    assert line.reason == "“Lesson 1” again, better than before: score 100 instead of 60, each point × 0.2"
    assert agrees()


def test_a_lesson_counts_once_however_often_it_is_sent(ada: int) -> None:
    [lesson] = make_course(Plan())
    attempt_id = do_lesson(ada, lesson)
    before = entries(ada)
    for _ in range(3):
        complete(ada, attempt_id)
    assert entries(ada) == before


def test_an_entry_that_is_there_already_is_not_paid_again(ada: int) -> None:
    [lesson] = make_course(Plan())
    with unit_of_work():
        session.add(
            LedgerEntry(
                user_id=ada, currency="xp", amount=7, rule="lesson", source=f"lesson:{lesson}",
                local_date=TODAY, created_at=NOON, details={},
            )
        )  # fmt: skip
        session.execute(update(Player).where(Player.user_id == ada).values(xp=7))
    again(lambda: do_lesson(ada, lesson))
    assert of_lessons(ada)[0][1] == 7
    assert card(ada).xp == 7
    assert session.scalar(select(ActivityDay.xp)) == 0
    assert agrees()


def test_levels_pay_their_number_also_when_several_are_passed_at_once(ada: int, news: list[object]) -> None:
    with unit_of_work():
        session.add(
            LedgerEntry(
                user_id=ada, currency="xp", amount=290, rule="test", source="test",
                local_date=TODAY, created_at=NOON, details={},
            )
        )  # fmt: skip
        session.execute(update(Player).where(Player.user_id == ada).values(xp=290))
    [lesson] = make_course(Plan(asks=1))
    attempt_id = do_lesson(ada, lesson)
    assert [entry for entry in entries(ada) if entry[2] == "level"] == [
        ("gems", 2, "level", "level:2"),
        ("gems", 3, "level", "level:3"),
    ]
    rewards = queries.rewards_of(ada, attempt_id)
    opens = tuple(item.name for level in (2, 3) for item in unlocked_at(level))
    assert rewards.level_up == queries.LevelView(3, "Student", "🌓", 3, opens)
    assert {"Reading glasses", "Bobble hat"} <= set(opens)
    assert "Level 3, Student" in [line.reason for line in rewards.entries]
    assert [each.level for each in news if isinstance(each, LevelReached)] == [2, 3]
    assert card(ada).level == 3
    assert agrees()


# --- goals ---


def goal_rows(user_id: int, day: date = TODAY) -> list[DailyGoal]:
    wanted = select(DailyGoal).where(DailyGoal.user_id == user_id, DailyGoal.local_date == day)
    return list(session.scalars(wanted.order_by(DailyGoal.slot).execution_options(populate_existing=True)))


def someone_with_goals(wanted: set[str], lessons: int = 20) -> int:
    """A learner whose goals today are these kinds; regular intensity."""
    for _ in range(60):
        user_id = make_user()
        if {goal.kind for goal in goals_for(user_id, TODAY, "regular", lessons)} == wanted:
            return user_id
    raise AssertionError("nobody has these goals")


def test_goals_are_shown_before_they_are_written_and_stay_the_same(ada: int, clock) -> None:
    lessons = make_course(*[Plan()] * 5)
    before = queries.goals(ada, now())
    assert goal_rows(ada) == []
    assert [goal.slot for goal in before] == [1, 2, 3]
    attempt_id = start(ada, lessons[0])
    with unit_of_work():
        services.keep_todays_goals(ada)
        services.keep_todays_goals(ada)
    assert queries.goals(ada, now()) == before
    answer_all(ada, attempt_id)
    after = queries.goals(ada, now())
    assert [(goal.kind, goal.target, goal.coins) for goal in after] == [
        (goal.kind, goal.target, goal.coins) for goal in before
    ]
    assert len(goal_rows(ada)) == 3


def test_a_change_of_intensity_is_for_tomorrow(ada: int, clock) -> None:
    make_course(*[Plan()] * 5)
    before = queries.goals(ada, now())
    with unit_of_work():
        services.keep_todays_goals(ada)
        accounts.change_preferences(ada, goal_intensity="serious", hidden=frozenset(), theme="auto")
    assert queries.goals(ada, now()) == before
    clock.shift(timedelta(days=1))
    assert {goal.coins for goal in queries.goals(ada, now())} == {15}


def test_goals_are_reached_at_answers_and_completions_and_paid_once(clock, news: list[object]) -> None:
    first, second = make_course(Plan(asks=5), Plan(asks=5))
    eve = someone_with_goals({"lessons", "xp", "first_try"}, lessons=2)
    one = do_lesson(eve, first)
    assert [goal.reached for goal in queries.goals(eve, now())] == [False, False, False]
    two = start(eve, second)
    for step in asking(two)[:3]:
        answer(eve, two, step)
    reached = {goal.kind: (goal.progress, goal.reached) for goal in queries.goals(eve, now())}
    assert reached == {"lessons": (1, False), "xp": (40, False), "first_try": (8, True)}
    assert card(eve).coins == 10 + 10
    for step in asking(two)[3:]:
        answer(eve, two, step)
    complete(eve, two)
    assert all(goal.reached for goal in queries.goals(eve, now()))
    assert [entry for entry in entries(eve) if entry[2] == "all_goals"] == [
        ("gems", 1, "all_goals", f"goals:{TODAY}")
    ]
    goals = [entry for entry in entries(eve) if entry[2] == "goal"]
    assert sorted(goals) == [("coins", 10, "goal", f"goal:{TODAY}:{slot}") for slot in (1, 2, 3)]
    assert [each.all_reached for each in news if isinstance(each, GoalReached)] == [False, False, True]
    told = queries.rewards_of(eve, two)
    assert {goal.kind for goal in told.goals} == {"lessons", "xp", "first_try"}
    assert told.coins == 10 + 3 * 10
    assert any(line.reason == f"Goal of {TODAY.day} {TODAY:%B} reached: 2 lessons" for line in told.entries)
    assert queries.rewards_of(eve, one).goals == ()
    before = entries(eve)
    do_lesson(eve, first)
    assert entries(eve) == before
    assert agrees()


def test_minutes_are_minutes_and_reading_can_reach_their_goal(clock) -> None:
    lessons = make_course(*[Plan(asks=1, teaches=6, minutes=60)] * 3)
    eve = someone_with_goals({"lessons", "xp", "minutes"}, lessons=3)
    attempt_id = start(eve, lessons[0])
    minutes = []
    for step in steps_of(attempt_id)[:6]:
        clock.shift(110)
        with unit_of_work():
            study.finish_teaching(eve, attempt_id, step.step_id)
        [goal] = [goal for goal in queries.goals(eve, now()) if goal.kind == "minutes"]
        minutes.append((goal.progress, goal.reached))
    assert minutes == [(1, False), (3, False), (5, False), (7, False), (9, False), (11, True)]
    assert [entry[2] for entry in entries(eve)] == ["goal"]
    assert agrees()


def test_the_same_lesson_twice_in_a_day_is_one_lesson_for_the_goals(clock) -> None:
    lessons = make_course(*[Plan()] * 3)
    eve = someone_with_goals({"lessons", "xp", "minutes"}, lessons=3)
    do_lesson(eve, lessons[0])
    do_lesson(eve, lessons[0])
    [goal] = [goal for goal in queries.goals(eve, now()) if goal.kind == "lessons"]
    assert (goal.progress, goal.reached) == (1, False)


def test_the_last_new_lessons_count_by_how_the_day_began(ada: int, clock) -> None:
    lessons = make_course(Plan(), Plan())
    before = [goal.kind for goal in queries.goals(ada, now())]
    assert before != ["lessons", "minutes", "right"]
    do_lesson(ada, lessons[0])
    do_lesson(ada, lessons[1])
    assert [goal.kind for goal in queries.goals(ada, now())] == before
    clock.shift(timedelta(days=1))
    assert [goal.kind for goal in queries.goals(ada, now())] == ["lessons", "minutes", "right"]
    do_lesson(ada, lessons[0])
    do_lesson(ada, lessons[1])
    reached = {goal.kind: goal.reached for goal in queries.goals(ada, now())}
    assert reached == {"lessons": True, "minutes": False, "right": True}
    assert agrees()


# --- the streak ---


def test_the_streak_grows_by_days_and_breaks_when_one_is_missed(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=1))
    for _ in range(3):
        do_lesson(ada, lesson)
        do_lesson(ada, lesson)
        clock.shift(timedelta(days=1))
    assert (card(ada).streak, card(ada).studied_today) == (3, False)
    clock.shift(timedelta(days=1))
    assert (card(ada).streak, card(ada).best_streak) == (0, 3)
    last = do_lesson(ada, lesson)
    assert (card(ada).streak, card(ada).best_streak, card(ada).studied_today) == (1, 3, True)
    assert queries.rewards_of(ada, last).streak == queries.StreakView(1, True)
    assert agrees()


def test_reading_the_card_writes_nothing(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=1))
    do_lesson(ada, lesson)
    stored = session.execute(select(Player.__table__)).one()
    clock.shift(timedelta(days=40))
    assert card(ada).streak == 0
    assert session.execute(select(Player.__table__)).one() == stored
    assert agrees()


def test_around_midnight_the_day_begins_at_four(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=1))
    clock.move_to(datetime(2026, 6, 18, 3, 59, 59, tzinfo=UTC), tick=False)
    do_lesson(ada, lesson)
    assert (card(ada).streak, card(ada).studied_today) == (1, True)
    clock.move_to(datetime(2026, 6, 18, 4, 0, 0, tzinfo=UTC), tick=False)
    assert (card(ada).streak, card(ada).studied_today) == (1, False)
    do_lesson(ada, lesson)
    assert card(ada).streak == 2
    assert list(session.scalars(select(ActivityDay.local_date).order_by(ActivityDay.local_date))) == [
        date(2026, 6, 17),
        date(2026, 6, 18),
    ]


def test_a_flight_over_the_date_line_keeps_the_streak(clock) -> None:
    [lesson] = make_course(Plan(asks=1))
    clock.move_to(datetime(2026, 6, 1, 19, tzinfo=UTC), tick=False)  # noon in Los Angeles
    who = make_user(time_zone="America/Los_Angeles")
    do_lesson(who, lesson)
    clock.move_to(datetime(2026, 6, 2, 20, 30, tzinfo=UTC), tick=False)  # half past six on 3 June in Sydney
    with unit_of_work():
        services.keep_todays_goals(who)
        accounts.change_profile(who, display_name="Ada", time_zone="Australia/Sydney", day_start_hour=4)
    assert card(who).streak == 1
    clock.shift(timedelta(hours=10))
    do_lesson(who, lesson)
    assert card(who).streak == 2
    clock.move_to(datetime(2026, 6, 3, 21, tzinfo=UTC), tick=False)
    with unit_of_work():  # and back: 4 June in Sydney is still 3 June in Los Angeles
        accounts.change_profile(who, display_name="Ada", time_zone="America/Los_Angeles", day_start_hour=4)
    do_lesson(who, lesson)
    assert card(who).streak == 3
    clock.move_to(datetime(2026, 6, 4, 19, tzinfo=UTC), tick=False)
    do_lesson(who, lesson)
    assert card(who).streak == 3
    clock.move_to(datetime(2026, 6, 5, 19, tzinfo=UTC), tick=False)
    do_lesson(who, lesson)
    assert card(who).streak == 4
    assert agrees()


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("Europe/Berlin", [datetime(2026, 3, 27 + n, 21, 30, tzinfo=UTC) for n in range(4)]),
        ("Europe/Berlin", [datetime(2026, 10, 23 + n, 22, 30, tzinfo=UTC) for n in range(4)]),
        ("Pacific/Apia", [datetime(2011, 12, day, 20, tzinfo=UTC) for day in (27, 28, 29, 30, 31)]),
    ],
)
def test_a_change_of_the_clock_costs_no_day(clock, zone: str, days: list[datetime]) -> None:
    [lesson] = make_course(Plan(asks=1))
    clock.move_to(days[0], tick=False)
    who = make_user(time_zone=zone)
    for when in days:
        clock.move_to(when, tick=False)
        do_lesson(who, lesson)
    assert card(who).streak == len(days)
    assert agrees()


# --- looking ---


def test_the_week_on_the_card(ada: int, clock) -> None:
    first, second = make_course(Plan(asks=1), Plan(asks=1))
    do_lesson(ada, first)
    clock.shift(timedelta(days=1))
    do_lesson(ada, first)
    do_lesson(ada, second)
    week = card(ada).week
    assert [dot.date.isoformat() for dot in week] == [f"2026-06-{day}" for day in range(12, 19)]
    assert [dot.weekday for dot in week] == [4, 5, 6, 0, 1, 2, 3]
    assert [dot.lessons for dot in week] == [0, 0, 0, 0, 0, 1, 2]
    assert [dot.today for dot in week].index(True) == 6


def test_rewards_stay_explained_later(ada: int, clock) -> None:
    lessons = make_course(*[Plan(asks=2)] * 4)
    attempts = []
    for lesson in lessons:
        attempts.append(do_lesson(ada, lesson))
        clock.shift(timedelta(days=1))
    told = [queries.rewards_of(ada, attempt_id) for attempt_id in attempts]
    assert [each.streak for each in told] == [queries.StreakView(n, True) for n in (1, 2, 3, 4)]
    assert sum(each.xp for each in told) == card(ada).xp
    assert sum(each.coins for each in told) == card(ada).coins
    assert sum(each.gems for each in told) == card(ada).gems
    again = do_lesson(ada, lessons[0])
    second = do_lesson(ada, lessons[0])
    assert queries.rewards_of(ada, again).streak == queries.StreakView(5, True)
    assert queries.rewards_of(ada, second).streak == queries.StreakView(5, False)


def test_rewards_only_of_own_and_finished_attempts(ada: int, clock) -> None:
    [lesson] = make_course(Plan())
    attempt_id = start(ada, lesson)
    for user_id, which in ((ada, attempt_id), (ada, 2**62), (make_user(), do_lesson(make_user(), lesson))):
        with pytest.raises(NotFound):
            queries.rewards_of(user_id, which)


def test_the_ledger_in_pages(ada: int, clock) -> None:
    for lesson in make_course(*[Plan(asks=1)] * 5):
        do_lesson(ada, lesson)
    everything = queries.ledger_page(ada, limit=200)
    assert everything.next_before_id is None
    found: list[queries.EntryLine] = []
    before = None
    while True:
        page = queries.ledger_page(ada, before, None, 3)
        found += page.entries
        before = page.next_before_id
        if before is None:
            break
    assert tuple(found) == everything.entries
    assert [line.id for line in found] == sorted((line.id for line in found), reverse=True)
    assert {line.currency for line in queries.ledger_page(ada, currency="coins").entries} == {"coins"}
    assert queries.ledger_page(make_user()).entries == ()
    assert all(line.rule not in line.reason for line in found if line.rule == "all_goals")


def test_board_is_card_and_goals(ada: int) -> None:
    make_course(*[Plan()] * 3)
    assert queries.board(ada, now()) == queries.Board(card(ada), queries.goals(ada, now()))
    for ask in (queries.player, queries.goals, queries.board):
        with pytest.raises(NotFound):
            ask(2**62, now())
