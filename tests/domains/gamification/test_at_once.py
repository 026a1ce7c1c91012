"""Many requests at the same moment: each thing is counted once, and nobody waits for ever."""

from datetime import timedelta
from threading import Thread
from time import monotonic, sleep

import pytest
from flask import Flask
from sqlalchemy import Select, func, select, text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.courses.exercises import Verdict
from codyverse.gamification import queries, services
from codyverse.gamification.goals import ensure_goals
from codyverse.gamification.models import DailyGoal, LedgerEntry
from codyverse.progress import services as study
from codyverse.progress.models import Answer, Attempt
from codyverse.progress.statements import LOCKED_ATTEMPT, LOCKED_STEP
from tests.domains.study import (
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
from tests.domains.together import together
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("no_badges")


def entries(user_id: int) -> list[str]:
    rows = session.scalars(select(LedgerEntry.rule).where(LedgerEntry.user_id == user_id))
    return sorted(rows)


def test_twenty_completions_of_one_attempt_are_one_award(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=3))
    who = make_user()
    attempt_id = start(who, lesson)
    answer_all(who, attempt_id)
    session.remove()
    results = together(committed_database, [lambda: complete(who, attempt_id)] * 20)
    assert results == [None] * 20
    assert entries(who).count("lesson") == 2
    card = queries.player(who, now())
    assert (card.xp, card.streak) == (40, 1)
    assert services.verify_ledger() == ()


def test_twenty_answers_to_the_same_try_are_one(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=2))
    who = make_user()
    attempt_id = start(who, lesson)
    step = asking(attempt_id)[0]
    session.remove()
    results = together(committed_database, [lambda: answer(who, attempt_id, step)] * 20)
    assert len(set(results)) == 1
    assert isinstance(results[0], Verdict)
    assert session.scalar(select(func.count()).select_from(Answer)) == 1


def test_of_two_different_answers_at_once_one_counts(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=1))
    who = make_user()
    attempt_id = start(who, lesson)
    [step] = asking(attempt_id)
    session.remove()
    acts = [lambda right=right: answer(who, attempt_id, step, right=right) for right in (True, False) * 5]
    results = together(committed_database, acts)
    kept = [result for result in results if isinstance(result, Verdict)]
    assert len(kept) == 5
    assert len({verdict.correct for verdict in kept}) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 5


def test_twenty_starts_open_one_attempt(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=2))
    who = make_user()
    session.remove()
    results = together(committed_database, [lambda: start(who, lesson)] * 20)
    assert len(set(results)) == 1
    assert session.scalar(select(func.count()).select_from(Attempt)) == 1
    assert len(steps_of(results[0])) == 3


def test_four_first_writes_of_a_day_set_three_goals(committed_database: Flask) -> None:
    lessons = make_course(*[Plan(asks=1)] * 4)
    who = make_user()
    attempts = [start(who, lesson) for lesson in lessons]
    firsts = [asking(attempt_id)[0] for attempt_id in attempts]
    session.remove()
    acts = [
        lambda attempt_id=attempt_id, step=step: answer(who, attempt_id, step)
        for attempt_id, step in zip(attempts, firsts, strict=True)
    ]
    assert all(isinstance(result, Verdict) for result in together(committed_database, acts))
    assert list(session.scalars(select(DailyGoal.slot).order_by(DailyGoal.slot))) == [1, 2, 3]


def test_goals_set_at_once_without_any_lock_are_still_three(committed_database: Flask) -> None:
    make_course(*[Plan(asks=1)] * 4)
    who = make_user()
    session.remove()

    def set_goals() -> None:
        with unit_of_work():
            ensure_goals(who, now().date())

    assert together(committed_database, [set_goals] * 8) == [None] * 8
    assert session.scalar(select(func.count()).select_from(DailyGoal)) == 3


def test_everything_at_once_by_one_learner_agrees_in_the_end(committed_database: Flask) -> None:
    lessons = make_course(*[Plan(asks=2, difficulty="advanced")] * 8)
    who = make_user()
    attempts = [start(who, lesson) for lesson in lessons]
    for attempt_id in attempts:
        answer_all(who, attempt_id, wrong=1)
    session.remove()

    def rebuild() -> None:
        with unit_of_work():
            services.rebuild_batch()

    def keep() -> None:
        with unit_of_work():
            services.keep_todays_goals(who)

    acts = [lambda attempt_id=attempt_id: complete(who, attempt_id) for attempt_id in attempts * 2]
    results = together(committed_database, [*acts, rebuild, rebuild, keep, keep])
    assert results == [None] * 20
    assert entries(who).count("lesson") == 16
    card = queries.player(who, now())
    assert card.xp == 8 * 50
    assert [rule for rule in entries(who) if rule == "level"] == ["level"] * 2
    assert services.verify_ledger() == ()


def test_many_learners_at_once_do_not_wait_for_each_other(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=2))
    people = [make_user() for _ in range(12)]
    session.remove()
    results = together(committed_database, [lambda who=who: do_lesson(who, lesson) for who in people])
    assert all(isinstance(result, int) for result in results)
    assert services.verify_ledger() == ()


def test_a_draft_and_its_answer_at_once_lose_neither(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=1))
    who = make_user()
    attempt_id = start(who, lesson)
    [step] = asking(attempt_id)
    session.remove()

    def draft() -> None:
        with unit_of_work():
            study.save_draft(who, attempt_id, step.step_id, step.wrong, 1)

    results = together(committed_database, [draft, lambda: answer(who, attempt_id, step), draft, draft])
    assert isinstance(results[1], Verdict)
    assert [result for result in results if result is not results[1]] == [None] * 3
    assert session.execute(text("select draft from attempt_steps where draft is not null")).all() == []


@pytest.mark.parametrize("statement", [LOCKED_STEP, LOCKED_ATTEMPT])
def test_the_learner_is_locked_before_the_attempt(committed_database: Flask, statement: Select) -> None:
    """The one order in which nobody can wait in a circle."""
    [lesson] = make_course(Plan(asks=1))
    who = make_user()
    attempt_id = start(who, lesson)
    [step] = asking(attempt_id)
    values = {"user_id": who, "attempt_id": attempt_id, "step_id": step.step_id}
    session.remove()
    engine = db.engine
    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        first.execute(text("select id from users where id = :id for no key update"), {"id": who})
        waits = Thread(target=second.execute, args=(statement, values))
        waits.start()
        deadline = monotonic() + 20
        while not third.execute(text("select from pg_locks where not granted")).all():
            assert monotonic() < deadline, "the second one does not wait"
            sleep(0.01)
        free = third.execute(
            text("select id from attempts where id = :id for update skip locked"), {"id": attempt_id}
        )
        assert free.scalar() == attempt_id
        third.rollback()
        first.rollback()
        waits.join(20)
        assert third.execute(text("select id from attempts for update skip locked")).all() == []


def test_moving_while_finishing_stamps_one_date(committed_database: Flask) -> None:
    [lesson] = make_course(Plan(asks=1))
    who = make_user(time_zone="Pacific/Pago_Pago")
    attempt_id = start(who, lesson)
    answer_all(who, attempt_id)
    session.remove()

    def move() -> None:
        with unit_of_work():
            services.keep_todays_goals(who)
            accounts.change_profile(who, display_name="Ada", time_zone="Pacific/Kiritimati", day_start_hour=4)

    assert together(committed_database, [move, lambda: complete(who, attempt_id)]) == [None, None]
    day = session.scalar(select(Attempt.local_date))
    assert day is not None
    assert abs(day - now().date()) <= timedelta(days=1)
    assert services.verify_ledger() == ()
