"""Attempts, answers, hints, drafts and completions, as the database and the learner see them."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.courses.models import Lesson
from codyverse.notifications.models import Notification
from codyverse.progress import queries, services
from codyverse.progress.models import ActivityDay, Answer, Attempt, AttemptStep, LessonProgress
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

TODAY = NOON.date()


@pytest.fixture
def ben(clock) -> int:
    return make_user(name="Ben")


@pytest.fixture
def lesson(clock) -> int:
    return make_course(Plan(asks=5, teaches=1, minutes=10))[0]


def day(user_id: int, when: date = TODAY) -> Any:
    table = ActivityDay.__table__
    return session.execute(
        select(table).where(table.c.user_id == user_id, table.c.local_date == when)
    ).one_or_none()


def attempt(attempt_id: int) -> Any:
    return session.execute(select(Attempt.__table__).where(Attempt.id == attempt_id)).one()


def step_row(attempt_id: int, step_id: int) -> Any:
    table = AttemptStep.__table__
    return session.execute(
        select(table).where(table.c.attempt_id == attempt_id, table.c.step_id == step_id)
    ).one()


def answers(attempt_id: int) -> int:
    return session.execute(select(func.count()).where(Answer.attempt_id == attempt_id)).scalar_one()


# --- starting ---


def test_a_lesson_that_is_open_goes_on(ada: int, ben: int, lesson: int) -> None:
    first = start(ada, lesson)
    assert start(ada, lesson) == first
    assert start(ben, lesson) != first
    assert queries.open_attempt_id(ada, lesson) == first
    assert [step.asks for step in steps_of(first)] == [False, True, True, True, True, True]


def test_a_finished_lesson_begins_anew_with_other_option_ids(ada: int, lesson: int) -> None:
    first = do_lesson(ada, lesson)
    assert queries.open_attempt_id(ada, lesson) is None
    second = start(ada, lesson)
    assert second != first
    assert {step.right for step in asking(first)}.isdisjoint(step.right for step in asking(second))


def test_an_unknown_lesson(ada: int) -> None:
    with pytest.raises(NotFound):
        start(ada, 2**62)


def test_a_retired_lesson_is_not_begun_but_may_be_finished(ada: int, ben: int, lesson: int) -> None:
    open_one = start(ada, lesson)
    with unit_of_work():
        session.execute(update(Lesson).where(Lesson.id == lesson).values(retired_at=NOON))
    with pytest.raises(NotFound) as refused:
        start(ben, lesson)
    assert refused.value.code == "LESSON_NOT_FOUND"
    assert start(ada, lesson) == open_one
    answer_all(ada, open_one)
    complete(ada, open_one)
    assert queries.completion(ada, open_one).score == 100
    with pytest.raises(NotFound):
        start(ada, lesson)


def test_an_open_attempt_keeps_the_revisions_it_began_with(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=2), key="changing", text="The old question")
    open_one = start(ada, lesson)
    make_course(Plan(asks=3), key="changing", text="The new question")
    assert start(ada, lesson) == open_one
    assert len(asking(open_one)) == 2
    answer_all(ada, open_one)
    complete(ada, open_one)
    assert len(asking(start(ada, lesson))) == 3


# --- answering ---


def test_an_answer_is_graded_explained_and_kept(ada: int, lesson: int, clock) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    clock.shift(40)
    wrong = answer(ada, attempt_id, step, right=False)
    assert not wrong.correct
    assert "Wrong, because." in wrong.explanation_html
    clock.shift(20)
    right = answer(ada, attempt_id, step, try_no=2)
    assert right.correct
    assert "Right, because." in right.explanation_html
    stored = step_row(attempt_id, step.step_id)
    assert (stored.tries, stored.first_correct, stored.solved) == (2, False, True)
    assert stored.done_at == NOON + timedelta(seconds=40)
    kept = session.execute(
        select(Answer.try_no, Answer.correct, Answer.seconds, Answer.answer, Answer.local_date).order_by(
            Answer.id
        )
    ).all()
    assert [tuple(row) for row in kept] == [
        (1, False, 40, {"picked": "wrong"}, NOON.date()),
        (2, True, 20, {"picked": "right"}, NOON.date()),
    ]
    today = day(ada)
    assert (today.answers, today.correct, today.first_try, today.seconds, today.lessons) == (2, 1, 0, 60, 0)


def test_the_same_answer_again_replays_and_stores_nothing(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    first = answer(ada, attempt_id, step, right=False)
    second = answer(ada, attempt_id, step, try_no=2)
    before = tuple(day(ada))
    assert answer(ada, attempt_id, step, right=False, try_no=1) == first
    assert answer(ada, attempt_id, step, try_no=2) == second
    assert answers(attempt_id) == 2
    assert tuple(day(ada)) == before


def test_another_answer_under_the_same_number_is_a_conflict(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    answer(ada, attempt_id, step, right=False)
    with pytest.raises(Conflict):
        answer(ada, attempt_id, step, right=True, try_no=1)
    assert step_row(attempt_id, step.step_id).first_correct is False


@pytest.mark.parametrize("try_no", [0, -1, 2, 3, 10**6])
def test_a_try_out_of_turn_is_a_conflict(ada: int, lesson: int, try_no: int) -> None:
    attempt_id = start(ada, lesson)
    with pytest.raises(Conflict):
        answer(ada, attempt_id, asking(attempt_id)[0], try_no=try_no)
    assert answers(attempt_id) == 0


def test_tries_are_free_and_what_comes_after_a_right_one_is_practice(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    for try_no in range(1, 31):
        answer(ada, attempt_id, step, right=try_no >= 3, try_no=try_no)
    assert answers(attempt_id) == 30
    assert (day(ada).answers, day(ada).correct) == (3, 1)


def test_a_first_try_counts_once_ever(ada: int, lesson: int, clock) -> None:
    do_lesson(ada, lesson, wrong=2)
    assert day(ada).first_try == 3
    clock.shift(timedelta(days=1))
    do_lesson(ada, lesson)
    tomorrow = day(ada, NOON.date() + timedelta(days=1))
    assert (tomorrow.first_try, tomorrow.answers, tomorrow.correct) == (0, 5, 5)


@pytest.mark.parametrize("given", [None, "", "right", 7, [], {}, ["a"], "o000000000000000", "x\x00"])
def test_rubbish_is_refused_and_leaves_nothing(ada: int, lesson: int, given: Any) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    with pytest.raises(Invalid), unit_of_work():
        services.answer_step(ada, attempt_id, step.step_id, 1, given)
    assert answers(attempt_id) == 0
    assert step_row(attempt_id, step.step_id).tries == 0
    assert day(ada) is None


def test_teaching_steps_take_no_answer_and_asking_ones_are_not_read(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    teaching, question = steps_of(attempt_id)[:2]
    with pytest.raises(Invalid), unit_of_work():
        services.answer_step(ada, attempt_id, teaching.step_id, 1, "x")
    with pytest.raises(Invalid), unit_of_work():
        services.finish_teaching(ada, attempt_id, question.step_id)


def test_a_finished_attempt_takes_no_more_but_still_replays(ada: int, lesson: int) -> None:
    attempt_id = do_lesson(ada, lesson)
    teaching, question = steps_of(attempt_id)[:2]
    assert answer(ada, attempt_id, question).correct
    with pytest.raises(Conflict):
        answer(ada, attempt_id, question, try_no=2)
    with pytest.raises(Conflict), unit_of_work():
        services.take_hint(ada, attempt_id, question.step_id, 1)
    with pytest.raises(Conflict), unit_of_work():
        services.save_draft(ada, attempt_id, question.step_id, question.wrong)
    with unit_of_work():
        services.finish_teaching(ada, attempt_id, teaching.step_id)


def test_somebody_elses_attempt_does_not_exist(ada: int, ben: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    teaching, question = steps_of(attempt_id)[:2]
    for act in (
        lambda: services.answer_step(ben, attempt_id, question.step_id, 1, question.right),
        lambda: services.finish_teaching(ben, attempt_id, teaching.step_id),
        lambda: services.take_hint(ben, attempt_id, question.step_id, 1),
        lambda: services.save_draft(ben, attempt_id, question.step_id, ""),
        lambda: services.complete_attempt(ben, attempt_id),
        lambda: queries.player(ben, attempt_id),
        lambda: queries.completion(ben, attempt_id),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_step_of_another_lesson_does_not_exist(ada: int, clock) -> None:
    first, second = make_course(Plan(), Plan())
    attempt_id = start(ada, first)
    stranger = asking(start(ada, second))[0]
    with pytest.raises(NotFound):
        answer(ada, attempt_id, stranger)


# --- hints, drafts, reading ---


def test_hints_come_one_after_another_and_cost_nothing(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    with pytest.raises(Conflict), unit_of_work():
        services.take_hint(ada, attempt_id, step.step_id, 2)
    with unit_of_work():
        assert "Look closer." in services.take_hint(ada, attempt_id, step.step_id, 1)
        assert "Look closer." in services.take_hint(ada, attempt_id, step.step_id, 1)
        assert "the first" in services.take_hint(ada, attempt_id, step.step_id, 2)
    for number in (0, 3):
        with pytest.raises(NotFound), unit_of_work():
            services.take_hint(ada, attempt_id, step.step_id, number)
    view = queries.player(ada, attempt_id, queries.at_step(step.step_id)).current
    assert (len(view.hints), view.hints_left) == (2, 0)
    answer_all(ada, attempt_id)
    complete(ada, attempt_id)
    assert queries.completion(ada, attempt_id).score == 100
    assert session.scalars(select(Answer.hints).order_by(Answer.id)).all() == [2, 0, 0, 0, 0]


def test_a_draft_survives_until_its_answer(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    with unit_of_work():
        services.save_draft(ada, attempt_id, step.step_id, step.wrong, try_no=1)
    assert queries.player(ada, attempt_id, queries.at_step(step.step_id)).current.given == step.wrong
    answer(ada, attempt_id, step, right=False)
    assert step_row(attempt_id, step.step_id).draft is None
    with unit_of_work():  # it was on its way while the answer arrived
        services.save_draft(ada, attempt_id, step.step_id, step.right, try_no=1)
        services.save_draft(ada, attempt_id, step.step_id, step.wrong)
    assert step_row(attempt_id, step.step_id).draft is None
    with unit_of_work():
        services.save_draft(ada, attempt_id, step.step_id, step.right, try_no=2)
    view = queries.player(ada, attempt_id, queries.at_step(step.step_id)).current
    assert view.given == step.right
    assert view.verdict is not None
    assert view.try_no == 2


@pytest.mark.parametrize("given", [None, 7, ["a"], {"a": "b"}, "\x00", "\ud800", "x" * 5000])
def test_what_is_no_draft_is_refused(ada: int, lesson: int, given: Any) -> None:
    attempt_id = start(ada, lesson)
    step = asking(attempt_id)[0]
    with pytest.raises(Invalid), unit_of_work():
        services.save_draft(ada, attempt_id, step.step_id, given)
    assert step_row(attempt_id, step.step_id).draft is None


def test_reading_counts_time_once(ada: int, lesson: int, clock) -> None:
    attempt_id = start(ada, lesson)
    teaching = steps_of(attempt_id)[0]
    clock.shift(50)
    for _ in range(3):
        with unit_of_work():
            services.finish_teaching(ada, attempt_id, teaching.step_id)
    assert step_row(attempt_id, teaching.step_id).done_at == NOON + timedelta(seconds=50)
    assert (attempt(attempt_id).seconds, day(ada).seconds) == (50, 50)


# --- time ---


def test_a_gap_counts_two_minutes_at_most_and_all_up_to_the_estimate(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=3, teaches=0, minutes=4))
    attempt_id = start(ada, lesson)
    for gap, step in zip((3600, 90, 100), asking(attempt_id), strict=True):
        clock.shift(gap)
        answer(ada, attempt_id, step)
    assert attempt(attempt_id).seconds == 240
    clock.shift(60)
    complete(ada, attempt_id)
    assert attempt(attempt_id).seconds == 240
    assert day(ada).seconds == 240


def test_a_repeat_counts_study_time_too(ada: int, lesson: int, clock) -> None:
    for _ in range(2):
        attempt_id = start(ada, lesson)
        clock.shift(60)
        answer_all(ada, attempt_id)
        complete(ada, attempt_id)
    assert day(ada).seconds == 120
    assert (day(ada).lessons, day(ada).distinct_lessons) == (2, 1)


# --- finishing ---


def test_finishing_asks_only_for_the_answers(ada: int, lesson: int) -> None:
    attempt_id = start(ada, lesson)
    for left, step in zip((5, 4, 3, 2, 1), asking(attempt_id), strict=True):
        with pytest.raises(Conflict) as refused:
            complete(ada, attempt_id)
        assert refused.value.code == "ATTEMPT_INCOMPLETE"
        assert str(left) in refused.value.message
        answer(ada, attempt_id, step)
    complete(ada, attempt_id)
    complete(ada, attempt_id)
    assert day(ada).lessons == 1


@pytest.mark.parametrize(("wrong", "score"), [(0, "100"), (1, "66.666666667"), (2, "33.333333333"), (3, "0")])
def test_the_first_answer_to_each_step_makes_the_score(ada: int, clock, wrong: int, score: str) -> None:
    [lesson] = make_course(Plan(asks=3))
    attempt_id = start(ada, lesson)
    answer_all(ada, attempt_id, wrong=wrong)
    for step in asking(attempt_id)[:wrong]:
        answer(ada, attempt_id, step, try_no=2)
    complete(ada, attempt_id)
    assert queries.completion(ada, attempt_id).score == Decimal(score)


def test_a_lesson_that_asks_nothing_scores_100(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=0, teaches=2))
    attempt_id = start(ada, lesson)
    complete(ada, attempt_id)
    assert queries.completion(ada, attempt_id).score == 100


def test_the_best_score_stays(ada: int, lesson: int, clock) -> None:
    do_lesson(ada, lesson, wrong=1)
    clock.shift(timedelta(days=2))
    do_lesson(ada, lesson, wrong=4)
    standing = session.execute(select(LessonProgress.__table__)).one()
    assert (standing.best_score, standing.completions) == (80, 2)
    assert (standing.first_local_date, standing.last_local_date) == (date(2026, 6, 17), date(2026, 6, 19))
    assert queries.lesson_states(ada, session.scalar(select(Lesson.course_id)))[lesson].best_score == 80


# --- what it costs ---


@pytest.fixture
def statements(app):
    seen: list[str] = []
    count_statements(db.engine, seen.append)
    return seen


def counted(seen: list[str], act) -> int:
    before = len(seen)
    act()
    return len([each for each in seen[before:] if not each.startswith(("SAVEPOINT", "RELEASE"))])


def test_statements_of_the_hot_paths(ada: int, clock, statements: list[str]) -> None:
    """An answer: the step is locked, the answer kept. A completion: the attempt is locked, the lesson kept, and all that it
    brought is written: the entries, the player, goals, badges, news; it costs as much whatever of these it brings."""
    first, second, third = make_course(*[Plan(asks=3)] * 3)
    do_lesson(ada, first)
    clock.shift(timedelta(days=1))
    attempt_id = start(ada, second)
    one, *others = asking(attempt_id)
    answer(ada, attempt_id, one)
    assert counted(statements, lambda: answer(ada, attempt_id, others[0])) == 2
    answer(ada, attempt_id, others[1])
    assert counted(statements, lambda: complete(ada, attempt_id)) == 3
    attempt_id = start(ada, third)
    answer_all(ada, attempt_id)
    before = session.scalar(select(func.count()).select_from(Notification))
    told = counted(statements, lambda: complete(ada, attempt_id))
    assert told <= 4, "the last lesson of a course, a badge; with all goals of the day their days are counted"
    assert session.scalar(select(func.count()).select_from(Notification)) > before
