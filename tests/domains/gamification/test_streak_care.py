"""Freezes, repairs and weeks as learners meet them: through lessons, the card, the summary, proof and repair."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now, standing_at
from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.core.errors import Invalid
from codyverse.gamification import queries, services, shop
from codyverse.gamification.models import StreakRepair
from codyverse.gamification.streak_care import kept_days
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, answer_all, complete, do_lesson, make_course, start
from tests.domains.together import together
from tests.factories import make_user

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("no_badges")


@pytest.fixture
def clock(app, time_machine):
    time_machine.move_to(MONDAY, tick=False)
    return time_machine


@pytest.fixture
def lesson(clock) -> int:
    return make_course(Plan(asks=1, minutes=1))[0]


@pytest.fixture
def ada(clock, lesson) -> int:
    return make_user(name="Ada")


def day(n: int) -> date:
    """The nth day, the Monday of the first week being 0."""
    return MONDAY.date() + timedelta(days=n)


def at(clock, n: int, minutes: int = 0) -> None:
    clock.move_to(MONDAY + timedelta(days=n, minutes=minutes), tick=False)


def study(clock, who: int, lesson: int, *days: int) -> int:
    attempt = 0
    for n in days:
        at(clock, n)
        attempt = do_lesson(who, lesson)
    return attempt


def card(who: int) -> queries.PlayerCard:
    return queries.player(who, now())


def marks(who: int) -> str:
    """The last seven days as a word, today last: x studied, f frozen, m mended, b bridged, . not."""
    return "".join("x" if dot.lessons else (dot.kept[:1] or ".") for dot in card(who).week)


def selects(seen: list[str]) -> int:
    return sum(not each.startswith("SAVEPOINT") for each in seen)


def agrees() -> bool:
    return services.verify_ledger() == ()


def test_every_seventh_day_brings_a_freeze_that_takes_the_missed_day(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0, 1, 2, 3, 4, 5)
    assert (card(ada).streak, card(ada).freezes) == (6, 0)
    study(clock, ada, lesson, 6)
    assert (card(ada).streak, card(ada).freezes) == (7, 1)
    at(clock, 8)
    assert (card(ada).streak, card(ada).freezes, marks(ada)) == (7, 0, "xxxxxf.")
    assert agrees()
    study(clock, ada, lesson, 8)
    assert (card(ada).streak, card(ada).freezes, marks(ada)) == (8, 0, "xxxxxfx")
    study(clock, ada, lesson, 9)
    assert (card(ada).streak, card(ada).best_streak, card(ada).days_learned, marks(ada)) == (
        9,
        9,
        9,
        "xxxxfxx",
    )
    assert kept_days(ada, day(9), day(0), day(9)) == {day(7): "frozen"}
    assert agrees()


def test_a_missed_day_breaks_and_a_second_lesson_repairs_it(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0, 1)
    at(clock, 3)
    assert (card(ada).streak, card(ada).mend) == (0, day(2))
    first = do_lesson(ada, lesson)
    assert (card(ada).streak, card(ada).mend) == (1, day(2))
    second = do_lesson(ada, lesson)
    assert (card(ada).streak, card(ada).best_streak, card(ada).mend) == (3, 3, None)
    assert marks(ada) == "...xxmx"
    assert queries.rewards_of(ada, second).streak == queries.StreakView(3, False, day(2))
    assert queries.rewards_of(ada, first).streak.mended is None
    third = do_lesson(ada, lesson)
    assert queries.rewards_of(ada, third).streak.mended is None
    assert session.execute(select(StreakRepair.missed_date, StreakRepair.local_date)).all() == [
        (day(2), day(3))
    ]
    study(clock, ada, lesson, 4)
    assert (card(ada).streak, marks(ada)) == (4, "..xxmxx")
    assert agrees()


def test_a_repair_is_over_after_48_hours(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0)
    at(clock, 3)
    assert card(ada).mend == day(1)
    clock.move_to(datetime(2026, 6, 5, 4, 0, 1, tzinfo=UTC), tick=False)
    assert card(ada).mend is None
    do_lesson(ada, lesson)
    do_lesson(ada, lesson)
    assert card(ada).streak == 1
    assert session.scalars(select(StreakRepair.missed_date)).all() == []


def test_two_missed_days_are_repaired_on_two_days(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0)
    study(clock, ada, lesson, 3, 3)
    assert (card(ada).streak, card(ada).mend) == (1, None)
    study(clock, ada, lesson, 4)
    assert card(ada).mend == day(2)
    study(clock, ada, lesson, 4)
    assert (card(ada).streak, marks(ada)) == (3, "..xmmxx")
    assert agrees()


def test_a_break_never_scolds(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0, 1, 2)
    at(clock, 20)
    found = card(ada)
    assert (found.streak, found.best_streak, found.days_learned, found.mend) == (0, 3, 3, None)


def test_weeks_instead_of_days(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0, 2, 4, 6)
    with unit_of_work():
        accounts.change_preferences(
            ada, goal_intensity="regular", hidden=frozenset(), theme="auto", streak_mode="weekly"
        )
    found = card(ada)
    assert (found.weekly, found.streak, found.best_streak, found.week_days) == (True, 1, 1, 4)
    study(clock, ada, lesson, 8, 9, 10)
    assert (card(ada).streak, card(ada).week_days, card(ada).mend) == (1, 3, None)
    study(clock, ada, lesson, 12)
    assert (card(ada).streak, card(ada).week_days) == (2, 4)
    at(clock, 20)
    assert card(ada).streak == 2
    at(clock, 21)
    assert (card(ada).streak, card(ada).best_streak) == (0, 2)
    assert agrees()


def test_a_mode_that_does_not_exist_is_refused(ada: int) -> None:
    with pytest.raises(Invalid) as fault, unit_of_work():
        accounts.change_preferences(
            ada, goal_intensity="regular", hidden=frozenset(), theme="auto", streak_mode="hourly"
        )
    assert list(fault.value.fields) == ["streak_mode"]


def test_a_freeze_bought_in_a_gap_guards_from_then_on(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0)
    at(clock, 2)
    give(ada, coins=60)
    with unit_of_work():
        shop.purchase(ada, "streak-freeze", "nonce-01")
    assert (card(ada).streak, card(ada).freezes) == (0, 1)
    assert agrees()
    study(clock, ada, lesson, 3)
    assert (card(ada).streak, card(ada).freezes) == (1, 1)
    study(clock, ada, lesson, 3)
    # Tuesday is mended; Wednesday, on which the freeze was bought, was guarded by it
    assert (card(ada).streak, card(ada).freezes, marks(ada)) == (2, 0, "...xmfx")
    assert agrees()


def test_what_a_journey_took_away_is_marked(clock) -> None:
    [lesson] = make_course(Plan(asks=1))
    clock.move_to(datetime(2026, 6, 2, 3, tzinfo=UTC), tick=False)
    who = make_user(time_zone="America/Los_Angeles")
    do_lesson(who, lesson)
    clock.move_to(datetime(2026, 6, 3, 5, tzinfo=UTC), tick=False)
    with unit_of_work():
        accounts.change_profile(who, display_name="Ada", time_zone="Australia/Sydney", day_start_hour=4)
    clock.move_to(datetime(2026, 6, 3, 23, tzinfo=UTC), tick=False)
    assert card(who).streak == 1
    do_lesson(who, lesson)
    assert card(who).streak == 2
    assert kept_days(who, date(2026, 6, 4), date(2026, 6, 1), date(2026, 6, 30)) == {
        date(2026, 6, 2): "bridged",
        date(2026, 6, 3): "bridged",
    }
    assert agrees()


def test_rebuild_mends_everything_about_a_streak(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0, 1, 2, 3, 4, 5, 6, 8)
    right = session.execute(text("select * from players where user_id = :id"), {"id": ada}).one()
    session.execute(
        text(
            "update players set streak = 0, freezes = 2, freeze_days = 99, days_learned = 0, kept_date = null "
            "where user_id = :id"
        ),
        {"id": ada},
    )
    session.commit()
    wrong = {each.what for each in services.verify_ledger()}
    assert wrong == {"streak", "freezes", "freeze_days", "days_learned", "kept_date"}
    with unit_of_work():
        services.rebuild_ledger()
    assert session.execute(text("select * from players where user_id = :id"), {"id": ada}).one() == right
    assert agrees()


def test_a_repair_without_its_lessons_is_found(ada: int, lesson: int, clock) -> None:
    study(clock, ada, lesson, 0, 2, 2)
    assert agrees()
    with session.begin_nested() as nested:
        session.execute(text("update activity_days set lessons = 1"))
        assert {each.what for each in services.verify_ledger()} == {f"repair:{day(1)}"}
        nested.rollback()


def test_the_card_takes_two_statements_whatever_there_is_to_tell(ada: int, lesson: int, clock) -> None:
    seen: list[str] = []
    count_statements(db.engine, seen.append)
    for days in [(0,), (1, 2), (4,), (5, 6, 7, 8, 9, 10, 11, 13)]:
        study(clock, ada, lesson, *days)
        seen.clear()
        card(ada)
        assert selects(seen) == 2
    at(clock, 40)
    seen.clear()
    card(ada)
    assert selects(seen) == 2


def test_fifty_at_once_repair_once(committed_database: Flask) -> None:
    [lesson, other] = make_course(Plan(asks=1), Plan(asks=1))
    who = make_user()
    today = now()
    with standing_at(today - timedelta(days=2)):
        do_lesson(who, lesson)
    with standing_at(today):
        do_lesson(who, lesson)
    attempt = start(who, other)
    answer_all(who, attempt)
    session.remove()
    results = together(committed_database, [lambda: complete(who, attempt)] * 50)
    assert results == [None] * 50
    assert session.scalar(select(func.count()).select_from(StreakRepair)) == 1
    assert queries.player(who, now()).streak == 2
    assert services.verify_ledger() == ()
