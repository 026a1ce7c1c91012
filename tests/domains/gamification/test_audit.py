"""Proof and repair: the sums agree after any history, every tampering is found, a rebuild mends what it may."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.gamification import audit, queries, services
from codyverse.gamification.models import DailyGoal, LedgerEntry, Player
from codyverse.progress.models import ActivityDay, LessonProgress
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


@pytest.fixture
def ada(app, time_machine) -> int:
    """A learner with three days of study behind her."""
    time_machine.move_to(NOON, tick=False)
    who = make_user()
    for lesson in make_course(*[Plan(asks=2, difficulty="advanced")] * 3):
        do_lesson(who, lesson, wrong=1)
        do_lesson(who, lesson)
        time_machine.shift(timedelta(days=1))
    assert services.verify_ledger() == ()
    return who


def found() -> set[str]:
    return {difference.what for difference in services.verify_ledger()}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("xp", 1),
        ("coins", 10**6),
        ("gems", 0),
        ("level", 7),
        ("streak", 0),
        ("best_streak", 99),
        ("streak_date", date(2030, 1, 1)),
    ],
)
def test_a_player_that_was_tampered_with_is_found_and_mended(ada: int, column: str, value: object) -> None:
    before = session.execute(select(Player.__table__).where(Player.user_id == ada)).one()
    session.execute(update(Player).where(Player.user_id == ada).values({column: value}))
    assert found() == {column}
    [difference] = services.verify_ledger()
    assert (difference.user_id, difference.stored, difference.derived) == (
        ada,
        str(value),
        str(getattr(before, column)),
    )
    assert services.rebuild_ledger() == 1
    assert session.execute(select(Player.__table__).where(Player.user_id == ada)).one() == before
    assert services.verify_ledger() == ()
    assert services.rebuild_ledger() == 0


def test_a_player_that_is_missing_is_found_and_made(ada: int) -> None:
    before = session.execute(select(Player.__table__)).one()
    session.execute(delete(Player))
    assert found() == {"player"}
    services.rebuild_ledger()
    assert session.execute(select(Player.__table__)).one() == before


def test_an_entry_that_was_changed_or_lost_or_made_up_is_found(ada: int) -> None:
    lesson = select(LedgerEntry.id).where(LedgerEntry.rule == "lesson", LedgerEntry.currency == "xp")
    first = session.scalars(lesson.order_by(LedgerEntry.id)).first()
    source = session.scalar(select(LedgerEntry.source).where(LedgerEntry.id == first))
    with session.begin_nested() as nested:
        session.execute(text("alter table ledger_entries disable trigger append_only"))
        session.execute(update(LedgerEntry).where(LedgerEntry.id == first).values(amount=1))
        assert "xp" in found()
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(delete(LedgerEntry).where(LedgerEntry.id == first))
        assert {"xp", source} <= found()
        nested.rollback()
    with session.begin_nested() as nested:
        made_up = {
            "user_id": ada,
            "currency": "coins",
            "amount": 5,
            "local_date": NOON.date(),
            "created_at": NOON,
        }
        session.execute(insert(LedgerEntry).values(**made_up, rule="lesson", source="lesson:999999"))
        session.execute(insert(LedgerEntry).values(**made_up, rule="goal", source="goal:2020-01-01:1"))
        assert found() == {"coins", "lesson:999999", "goal:2020-01-01:1"}
        nested.rollback()
    assert services.verify_ledger() == ()


def test_facts_without_their_entries_are_found(ada: int) -> None:
    with session.begin_nested() as nested:
        session.execute(delete(LessonProgress))
        assert len(found()) == 3
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(update(DailyGoal).values(reached_at=NOON))
        assert any(what.startswith("goal:") for what in found())
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(delete(ActivityDay).where(ActivityDay.local_date == NOON.date() + timedelta(days=1)))
        assert found() == {"streak", "best_streak", "days_learned", "freeze_days"}
        nested.rollback()


def test_what_cannot_be_is_reported_and_not_forced(ada: int) -> None:
    """A sum below nought breaks the table's rule, so a rebuild leaves it to a person."""
    spent = {
        "user_id": ada,
        "currency": "coins",
        "amount": -(10**6),
        "local_date": NOON.date(),
        "created_at": NOON,
    }
    session.execute(insert(LedgerEntry).values(**spent, rule="test", source="test"))
    assert services.rebuild_ledger() == 0
    assert found() == {"coins"}


def test_many_players_in_batches(ada: int, monkeypatch) -> None:
    people = [make_user() for _ in range(7)]
    session.execute(update(Player).values(coins=1, gems=0))
    monkeypatch.setattr(audit, "BATCH", 3)
    assert {difference.user_id for difference in services.verify_ledger()} == {ada, *people}
    seen, after = [], 0
    while after is not None:
        batch = services.rebuild_batch(after, 3)
        seen.append(batch.players)
        after = batch.last_user_id
    assert seen == [3, 3, 2, 0]
    assert services.verify_ledger() == ()


history = st.lists(
    st.tuples(
        st.integers(0, 3),  # which learner
        st.integers(0, 4),  # which lesson
        st.integers(0, 3),  # how many wrong at first
        st.integers(0, 3 * 24 * 60),  # minutes until then
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history)
def test_after_any_history_the_sums_are_the_entries(app, time_machine, path) -> None:
    time_machine.move_to(NOON, tick=False)
    zones = ("UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Europe/Berlin")
    people = [make_user(time_zone=zone) for zone in zones]
    lessons = make_course(
        *[Plan(asks=3, minutes=5, difficulty=level) for level in ("beginner", "advanced")] * 3
    )
    for who, lesson, wrong, minutes in path:
        time_machine.shift(timedelta(minutes=minutes))
        do_lesson(people[who], lessons[lesson], wrong=wrong)
    assert services.verify_ledger() == ()
    for who in people:
        card = queries.player(who, now())
        page = queries.ledger_page(who, limit=200)
        sums = {
            unit: sum(line.amount for line in page.entries if line.currency == unit)
            for unit in ("xp", "coins")
        }
        assert (card.xp, card.coins) == (sums["xp"], sums["coins"])
    assert services.rebuild_ledger() == 0


def test_an_account_that_is_erased_takes_its_history_along(ada: int) -> None:
    session.execute(text("delete from users where id = :id"), {"id": ada})
    session.commit()
    assert session.scalars(select(LedgerEntry.id)).all() == []
    assert services.verify_ledger() == ()


def test_verify_and_rebuild_while_nobody_is_there(app) -> None:
    assert services.verify_ledger() == ()
    assert services.rebuild_ledger() == 0
    with unit_of_work():
        assert services.rebuild_batch(random.Random(1).randrange(10**9)).players == 0


def test_an_entry_of_the_ledger_is_never_changed(ada: int) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(update(LedgerEntry).values(amount=LedgerEntry.amount + 1))
