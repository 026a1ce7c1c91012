"""An attempt that was seen without a lock, and is finished only if it is still what was seen."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.core.resilience import again
from codyverse.core.sqlstates import is_passing
from codyverse.progress import reports, seen, services
from tests.domains.study import NOON, Plan, answer, answer_all, asking, do_lesson, make_course, start
from tests.factories import make_user

TOLD = text("select study_seen(:user_id, :attempt_id)")
WRITTEN = {
    "users": "select last_game_date, owed_until, studied_until from users where id = :user_id",
    "attempts": "select completed_at, local_date, score, seconds, last_event_at from attempts where user_id = :user_id order by id",
    "standing": "select best_score, completions, first_completed_at, last_local_date from lesson_progress where user_id = :user_id order by lesson_id",
    "days": "select * from activity_days where user_id = :user_id order by local_date",
    "entries": "select currency, amount, rule, details, local_date from ledger_entries where user_id = :user_id order by id",
    "player": "select * from players where user_id = :user_id",
    "goals": "select local_date, slot, reached_at from daily_goals where user_id = :user_id order by 1, 2",
    "badges": "select badge, earned_at from earned_badges where user_id = :user_id order by 1",
    "news": "select kind, source, details, read_at from notifications where user_id = :user_id order by id",
}


def look(user_id: int, attempt_id: int) -> None:
    """As the statement does that finds out who acts."""
    seen.take(session.execute(TOLD, {"user_id": user_id, "attempt_id": attempt_id}).scalar())


def finish(user_id: int, attempt_id: int) -> Any:
    with unit_of_work():
        return services.complete_attempt(user_id, attempt_id)


def written(user_id: int, lesson_id: int) -> dict[str, Any]:
    """All that a completion writes, without ids."""
    found = {}
    for name, sql in WRITTEN.items():
        rows = session.execute(text(sql), {"user_id": user_id}).mappings().all()
        found[name] = [{key: value for key, value in row.items() if key != "user_id"} for row in rows]
    return found


@pytest.mark.parametrize("days_before", [0, 1, 2])
@pytest.mark.parametrize("wrong", [0, 1])
def test_it_ends_as_under_the_lock(ada: int, clock, days_before: int, wrong: int) -> None:
    """Also as the first fact of a day, for which the user's row has to say a new date."""
    lessons = make_course(*[Plan(asks=3, minutes=30)] * 2)
    ben = make_user(name="Ben", email="ben@example.org")
    for lesson_id in lessons:
        for who, is_seen in ((ada, True), (ben, False)):
            clock.move_to(NOON + timedelta(days=3 * lessons.index(lesson_id)), tick=False)
            attempt_id = start(who, lesson_id)
            answer_all(who, attempt_id, wrong=wrong)
            clock.shift(timedelta(days=days_before, seconds=47))
            if is_seen:
                look(who, attempt_id)
                assert seen.seen(attempt_id) is not None
                look(who, attempt_id)
            done = finish(who, attempt_id)
            assert done.first_time
            assert done.right == 3 - wrong
        assert written(ada, lesson_id) == written(ben, lesson_id)


def test_once_more_is_seen_with_the_best_so_far(ada: int) -> None:
    [lesson] = make_course(Plan(asks=4))
    for wrong in (2, 1):
        attempt_id = start(ada, lesson)
        answer_all(ada, attempt_id, wrong=wrong)
        look(ada, attempt_id)
        done = finish(ada, attempt_id)
    assert (done.first_time, done.score, done.best_score) == (False, 75, 75)
    again_rules = text(
        "select rule, amount from ledger_entries where currency = 'xp' and rule like 'lesson%' order by id"
    )
    assert [row.rule for row in session.execute(again_rules)] == ["lesson", "lesson_again"]


def test_what_has_changed_since_is_read_under_the_lock(ada: int) -> None:
    """An answer that came between is in the score."""
    [lesson] = make_course(Plan(asks=2))
    attempt_id = start(ada, lesson)
    first, second = asking(attempt_id)
    answer(ada, attempt_id, first)
    answer(ada, attempt_id, second, right=False)
    look(ada, attempt_id)
    answer(ada, attempt_id, second, try_no=2)
    done = finish(ada, attempt_id)
    assert (done.right, done.asked) == (1, 2)
    tries = text("select max(tries) from attempt_steps where attempt_id = :id")
    assert session.execute(tries, {"id": attempt_id}).scalar() == 2


def test_what_was_finished_since_is_not_finished_again(ada: int) -> None:
    [lesson] = make_course(Plan(asks=1))
    attempt_id = start(ada, lesson)
    answer_all(ada, attempt_id)
    look(ada, attempt_id)
    told = session.execute(TOLD, {"user_id": ada, "attempt_id": attempt_id}).scalar()
    assert finish(ada, attempt_id) is not None
    before = written(ada, lesson)
    seen.take(told)
    assert finish(ada, attempt_id) is None
    assert written(ada, lesson) == before


def test_an_attempt_that_changed_alone_is_a_passing_fault(ada: int) -> None:
    """Nothing writes the attempt without the learner's row; where somebody does, it is done again, under the lock."""
    [lesson] = make_course(Plan(asks=1))
    attempt_id = start(ada, lesson)
    answer_all(ada, attempt_id)
    look(ada, attempt_id)
    with unit_of_work():
        session.execute(text("update attempts set seconds = 11 where id = :id"), {"id": attempt_id})
    told = session.execute(TOLD, {"user_id": ada, "attempt_id": attempt_id}).scalar()
    stale = [*told[:2], "3", *told[3:]]
    seen.take(stale)
    with pytest.raises(DBAPIError) as fault:
        finish(ada, attempt_id)
    assert is_passing(fault.value)
    seen.take(stale)
    assert again(lambda: finish(ada, attempt_id)).seconds == 11


def test_what_was_reported_since_counts_as_the_best_so_far(ada: int) -> None:
    """A report moves no clock, but what it paid for is not paid for again, and the lesson is one of the day's all the same."""
    [lesson] = make_course(Plan(asks=4))
    do_lesson(ada, lesson, wrong=3)
    attempt_id = start(ada, lesson)
    answer_all(ada, attempt_id)
    look(ada, attempt_id)
    with unit_of_work():
        assert reports.report_completion(ada, lesson, 5, 90).attempt_id is not None
    assert finish(ada, attempt_id).best_score == 100
    paid = text(
        "select amount from ledger_entries where currency = 'xp' and rule = 'lesson_again' order by id"
    )
    assert session.scalars(paid).all() == [13, 2]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_lesson_that_was_reported_since_is_one_of_the_day(ada: int, clock, is_new: bool) -> None:
    [lesson] = make_course(Plan(asks=1))
    if not is_new:
        do_lesson(ada, lesson, wrong=1)
        clock.shift(timedelta(days=1))
    attempt_id = start(ada, lesson)
    answer_all(ada, attempt_id)
    look(ada, attempt_id)
    with unit_of_work():
        reports.report_completion(ada, lesson, 5, 90)
    assert finish(ada, attempt_id).first_time is False
    today = text("select lessons, distinct_lessons from activity_days order by local_date desc limit 1")
    assert tuple(session.execute(today).one()) == (2, 1)


@pytest.mark.parametrize("state", ["waiting", "somebody else's", "another attempt"])
def test_what_cannot_be_finished_is_not_seen_as_such(ada: int, state: str) -> None:
    [lesson, other] = make_course(Plan(asks=1), Plan(asks=1))
    attempt_id = start(ada, lesson)
    if state == "waiting":
        look(ada, attempt_id)
        assert seen.seen(attempt_id) is None
        look(ada, attempt_id)
        with pytest.raises(Conflict):
            finish(ada, attempt_id)
        return
    answer_all(ada, attempt_id)
    if state == "somebody else's":
        look(make_user(name="Ben", email="ben@example.org"), attempt_id)
    else:
        look(ada, start(ada, other))
    assert seen.seen(attempt_id) is None


def test_it_is_used_once(ada: int) -> None:
    [lesson] = make_course(Plan(asks=1))
    attempt_id = start(ada, lesson)
    answer_all(ada, attempt_id)
    look(ada, attempt_id)
    assert seen.seen(attempt_id) is not None
    assert seen.seen(attempt_id) is None


# --- a step ---

TOLD_STEP = text("select study_step_seen(:user_id, :lesson_id, :step_id)")
ANSWERED = text("""
    select answers.try_no, answers.correct, answers.hints, answers.seconds, answers.local_date, step.tries, step.first_correct,
           step.solved, step.done_at, step.draft
    from answers join attempt_steps as step using (attempt_id, step_id) where answers.user_id = :user_id order by answers.id
""")


def look_at_step(user_id: int, lesson_id: int, step_id: int) -> None:
    values = {"user_id": user_id, "lesson_id": lesson_id, "step_id": step_id}
    seen.take_step(session.execute(TOLD_STEP, values).scalar())


def answer_open(user_id: int, lesson_id: int, step: Any, try_no: int = 1, *, right: bool = True) -> int:
    with unit_of_work():
        given = step.right if right else step.wrong
        return services.answer_open_step(user_id, lesson_id, step.step_id, try_no, given)


def test_an_answer_is_kept_as_under_the_lock(ada: int, clock) -> None:
    """The first one of a day too, with a draft and a hint before it, and a second try."""
    [lesson] = make_course(Plan(asks=2, minutes=30))
    ben = make_user(name="Ben", email="ben@example.org")
    rows = {}
    for who in (ada, ben):
        clock.move_to(NOON, tick=False)
        attempt_id = start(who, lesson)
        first, second = asking(attempt_id)
        with unit_of_work():
            services.take_hint(who, attempt_id, first.step_id, 1)
            services.save_draft(who, attempt_id, first.step_id, first.wrong)
        for step, try_no, right in ((first, 1, False), (first, 2, True), (second, 1, True)):
            clock.shift(timedelta(days=try_no - 1, seconds=31))
            if who == ada:
                look_at_step(who, lesson, step.step_id)
                assert seen.seen_step(lesson, step.step_id, try_no) is not None
                look_at_step(who, lesson, step.step_id)
            assert answer_open(who, lesson, step, try_no, right=right) == attempt_id
        told = session.execute(ANSWERED, {"user_id": who}).mappings().all()
        rows[who] = ([dict(each) for each in told], written(who, lesson))
    assert rows[ada] == rows[ben]


def test_a_step_that_was_answered_since_is_a_conflict_or_the_same_again(ada: int) -> None:
    [lesson] = make_course(Plan(asks=1))
    attempt_id = start(ada, lesson)
    [step] = asking(attempt_id)
    values = {"user_id": ada, "lesson_id": lesson, "step_id": step.step_id}
    told = session.execute(TOLD_STEP, values).scalar()
    answer(ada, attempt_id, step, right=False)
    before = written(ada, lesson)
    seen.take_step(told)
    assert answer_open(ada, lesson, step, right=False) == attempt_id  # the same, sent twice
    seen.take_step(told)
    with pytest.raises(Conflict):
        answer_open(ada, lesson, step, right=True)
    assert written(ada, lesson) == before


def test_what_came_between_is_not_lost_by_an_answer(ada: int) -> None:
    """A hint that was taken meanwhile is told with the answer."""
    [lesson] = make_course(Plan(asks=1))
    attempt_id = start(ada, lesson)
    [step] = asking(attempt_id)
    look_at_step(ada, lesson, step.step_id)
    with unit_of_work():
        services.take_hint(ada, attempt_id, step.step_id, 1)
    answer_open(ada, lesson, step)
    assert session.execute(ANSWERED, {"user_id": ada}).mappings().one()["hints"] == 1


def test_a_step_of_another_lesson_or_person_is_not_seen(ada: int) -> None:
    [lesson, other] = make_course(Plan(asks=1), Plan(asks=1))
    [step] = asking(start(ada, lesson))
    for who, where in ((make_user(name="Ben", email="ben@example.org"), lesson), (ada, other)):
        look_at_step(who, where, step.step_id)
        assert seen.seen_step(where, step.step_id, 1) is None
    look_at_step(ada, lesson, step.step_id)
    assert seen.seen_step(lesson, step.step_id, 2) is None
