"""What the player, the summary, the course page and the dashboard are told about study."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import NotFound
from codyverse.courses.models import Course, Lesson
from codyverse.progress import queries, services
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


def course_of(lesson_id: int) -> int:
    return session.execute(select(Lesson.course_id).where(Lesson.id == lesson_id)).scalar_one()


def test_the_player_stands_at_the_first_open_step(ada: int) -> None:
    [lesson] = make_course(Plan(asks=2, teaches=1))
    attempt_id = start(ada, lesson)
    teaching, first, second = steps_of(attempt_id)
    view = queries.player(ada, attempt_id)
    assert (view.lesson_title, view.goal, view.all_done) == ("Lesson 1", "A goal.", False)
    assert [(dot.position, dot.state, dot.right) for dot in view.steps] == [
        (1, "current", None),
        (2, "open", None),
        (3, "open", None),
    ]
    assert (view.current.kind, view.current.exercise, view.current.verdict) == ("teach", None, None)
    with unit_of_work():
        services.finish_teaching(ada, attempt_id, teaching.step_id)
    view = queries.player(ada, attempt_id)
    assert view.current.step_id == first.step_id
    assert (view.current.try_no, view.current.done, view.current.hints_left) == (1, False, 2)
    answer(ada, attempt_id, first, right=False)
    answer(ada, attempt_id, first, try_no=2)
    answer(ada, attempt_id, second)
    view = queries.player(ada, attempt_id)
    assert [(dot.state, dot.right) for dot in view.steps] == [
        ("done", None),
        ("done", False),
        ("current", True),
    ]
    assert view.all_done
    assert view.current.given == second.right
    assert view.current.verdict is not None


def test_the_player_at_a_step_that_was_asked_for(ada: int) -> None:
    [lesson] = make_course(Plan(asks=3, teaches=0))
    attempt_id = start(ada, lesson)
    first, second, third = asking(attempt_id)
    assert queries.player(ada, attempt_id, queries.at_place(2)).current.step_id == second.step_id
    assert queries.player(ada, attempt_id, queries.at_place(99)).current.step_id == first.step_id
    assert queries.player(ada, attempt_id, queries.at_step(third.step_id)).current.step_id == third.step_id
    assert (
        queries.player(ada, attempt_id, queries.after_step(second.step_id)).current.step_id == third.step_id
    )
    assert queries.player(ada, attempt_id, queries.after_step(third.step_id)).current.step_id == first.step_id
    with pytest.raises(NotFound):
        queries.player(ada, attempt_id, queries.at_step(2**62))
    with pytest.raises(NotFound):
        queries.player(ada, 2**62)


def test_the_answer_key_is_not_in_what_is_shown(ada: int) -> None:
    [lesson] = make_course(Plan(asks=1, teaches=0))
    attempt_id = start(ada, lesson)
    shown = repr(queries.player(ada, attempt_id).current)
    assert "correct" not in shown
    assert "It is not." not in shown
    assert "'right'" not in shown


def test_a_summary(ada: int, clock) -> None:
    first, second = make_course(Plan(asks=2), Plan(asks=1))
    attempt_id = start(ada, first)
    one, two = asking(attempt_id)
    with unit_of_work():
        services.take_hint(ada, attempt_id, one.step_id, 1)
    clock.shift(90)
    answer(ada, attempt_id, one, right=False)
    answer(ada, attempt_id, one, try_no=2)
    answer(ada, attempt_id, two)
    with pytest.raises(NotFound):
        queries.completion(ada, attempt_id)
    complete(ada, attempt_id)
    told = queries.completion(ada, attempt_id)
    assert (told.score, told.right, told.asked, told.seconds, told.first_time) == (50, 1, 2, 90, True)
    assert [(step.first_right, step.solved, step.tries, step.hints) for step in told.steps] == [
        (False, True, 2, 1),
        (True, True, 1, 0),
    ]
    assert told.local_date == NOON.date()
    assert (told.next_lesson_id, told.next_lesson_title) == (second, "Lesson 2")
    clock.shift(60)
    again = queries.completion(ada, do_lesson(ada, first))
    assert (again.first_time, again.score, again.best_score) == (False, 100, 100)
    assert queries.completion(ada, attempt_id).best_score == 100
    last = queries.completion(ada, do_lesson(ada, second))
    assert (last.next_lesson_id, last.next_lesson_title) == (None, None)


def test_lesson_states(ada: int, clock) -> None:
    done, again, opened, _new = make_course(*[Plan(asks=2)] * 4)
    do_lesson(ada, done, wrong=1)
    do_lesson(ada, again)
    start(ada, again)
    start(ada, opened)
    do_lesson(make_user(), _new)
    states = queries.lesson_states(ada, course_of(done))
    assert {lesson: (state.state, state.best_score) for lesson, state in states.items()} == {
        done: ("done", 50),
        again: ("done", 100),
        opened: ("open", None),
    }
    assert queries.course_progress(ada) == {course_of(done): 2}


def test_where_to_go_on(ada: int, clock) -> None:
    one, two = make_course(Plan(asks=1), Plan(asks=2, teaches=1), key="alpha")
    other, _ = make_course(Plan(asks=1), Plan(asks=1), key="beta")
    found = queries.continue_with(ada)
    assert found is not None
    assert (found.lesson_id, found.attempt_id, found.course_slug) == (one, None, "alpha")
    clock.shift(60)
    do_lesson(ada, one)
    assert queries.continue_with(ada).lesson_id == two
    clock.shift(60)
    do_lesson(ada, other)
    assert queries.continue_with(ada).course_slug == "beta"
    clock.shift(60)
    attempt_id = start(ada, two)
    answer(ada, attempt_id, asking(attempt_id)[0])
    found = queries.continue_with(ada)
    assert (found.lesson_id, found.attempt_id, found.steps_done, found.steps) == (two, attempt_id, 1, 3)


def test_nowhere_to_go_on(ada: int, clock) -> None:
    lessons = make_course(Plan(asks=1), Plan(asks=1))
    for lesson in lessons:
        do_lesson(ada, lesson)
    assert queries.continue_with(ada) is None
    with unit_of_work():
        session.execute(update(Course).values(retired_at=NOON))
    assert queries.continue_with(make_user()) is None


def test_study_days(ada: int, clock) -> None:
    [lesson] = make_course(Plan(asks=2))
    for _ in range(3):
        attempt_id = start(ada, lesson)
        clock.shift(30)
        answer_all(ada, attempt_id, wrong=1)
        complete(ada, attempt_id)
        clock.shift(timedelta(days=2))
    days = queries.activity(ada, date(2026, 6, 17), date(2026, 6, 19))
    assert [day.date for day in days] == [date(2026, 6, 17), date(2026, 6, 19)]
    assert days[0] == queries.Day(date(2026, 6, 17), 1, 2, 1, 30, 30)
    assert queries.activity(make_user(), date(2026, 1, 1), date(2026, 12, 31)) == ()
