"""Insights against the truth: small sites whose sums can be told by hand; reckoned twice they are the same."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, text

from codyverse import jobs
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.insights import queries, services
from tests.domains.study import Plan, answer, asking, complete, do_lesson, make_course, start
from tests.factories import make_user

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def monday(app, time_machine):
    """A clock that stands at noon on a Monday until it is moved."""
    time_machine.move_to(MONDAY, tick=False)
    return time_machine


def reckon() -> None:
    jobs.run("insights")


def join(at: datetime) -> int:
    """An account made at that moment; the database's own clock is not moved by tests."""
    made = make_user()
    session.execute(text("update users set created_at = :at where id = :id"), {"at": at, "id": made})
    session.commit()
    return made


def learn_on(clock, days: list[int], user_id: int, lessons: list[int]) -> None:
    for day, lesson in zip(days, lessons, strict=False):
        clock.move_to(MONDAY + timedelta(days=day), tick=False)
        do_lesson(user_id, lesson)


def day(number: int) -> queries.SiteDay:
    wanted = (MONDAY + timedelta(days=number)).date()
    [found] = [each for each in queries.days(now(), 400) if each.date == wanted]
    return found


def test_active_learners_by_day_week_and_month(monday) -> None:
    lessons = make_course(*[Plan(asks=1)] * 3)
    ada, ben, cem = join(MONDAY), join(MONDAY), join(MONDAY)
    learn_on(monday, [0, 10, 30], ada, lessons)
    learn_on(monday, [5], ben, lessons)
    learn_on(monday, [30], cem, lessons)
    reckon()
    assert (day(0).active, day(0).active_7, day(0).active_28, day(0).joined) == (1, 1, 1, 3)
    assert (day(6).active, day(6).active_7, day(6).active_28) == (0, 2, 2)
    assert (day(10).active, day(10).active_7, day(10).active_28) == (1, 2, 2)
    assert (day(30).active, day(30).active_7, day(30).active_28) == (2, 2, 3)
    assert (day(30).lessons, day(30).answers, day(30).correct) == (2, 2, 2)


def test_lessons_that_were_left(monday) -> None:
    left, liked = make_course(Plan(asks=2), Plan(asks=2))
    for number in range(4):
        user = join(MONDAY)
        do_lesson(user, liked, wrong=number % 2)
        if number:
            start(user, left)
        else:
            do_lesson(user, left)
    reckon()
    by_lesson = {line.lesson_id: line for line in queries.lessons(now(), 7)}
    assert (by_lesson[liked].begun, by_lesson[liked].finished, by_lesson[liked].lost) == (4, 4, 0)
    assert by_lesson[liked].score == pytest.approx(75)
    assert (by_lesson[left].begun, by_lesson[left].finished, by_lesson[left].lost) == (4, 1, 0.75)
    monday.shift(timedelta(days=8))
    assert queries.lessons(now(), 7) == ()


def test_what_is_finished_days_later_counts_where_it_was_begun(monday) -> None:
    [lesson] = make_course(Plan(asks=1, teaches=0))
    user = join(MONDAY)
    attempt = start(user, lesson)
    reckon()
    assert queries.lessons(now(), 30)[0].finished == 0
    monday.shift(timedelta(days=6))
    answer(user, attempt, asking(attempt)[0])
    complete(user, attempt)
    reckon()
    assert queries.lessons(now(), 30)[0].finished == 1


def test_items_count_each_answer_once_however_often_they_are_reckoned(monday) -> None:
    [lesson] = make_course(Plan(asks=2))
    for number in range(12):
        user = join(MONDAY)
        attempt = start(user, lesson)
        first, second = asking(attempt)
        for attempt_no in range(1, 5 if number < 9 else 2):
            answer(user, attempt, first, right=attempt_no > 3 or number >= 9, try_no=attempt_no)
        answer(user, attempt, second)
    monday.shift(timedelta(minutes=6))
    for _ in range(3):
        reckon()
    hard, easy = queries.hardest()
    assert (hard.asked, hard.right, hard.answers, hard.guesses) == (12, 3, 9 * 4 + 3, 9)
    assert (easy.asked, easy.right, easy.answers, easy.guesses) == (12, 12, 12, 0)


def test_answers_are_added_in_batches_and_the_youngest_wait(monday, monkeypatch: pytest.MonkeyPatch) -> None:
    [lesson] = make_course(Plan(asks=3))
    monkeypatch.setattr(services, "BATCH", 4)
    for _ in range(3):
        do_lesson(join(MONDAY), lesson)
    monday.shift(timedelta(minutes=10))
    do_lesson(join(MONDAY), lesson)
    reckon()
    total = session.execute(text("select sum(answers) from item_totals")).scalar_one()
    assert total == 9
    monday.shift(timedelta(minutes=10))
    reckon()
    assert session.execute(text("select sum(answers) from item_totals")).scalar_one() == 12


def test_who_comes_back(monday) -> None:
    lessons = make_course(*[Plan(asks=1)] * 5)
    first, second = [join(MONDAY) for _ in range(4)], [join(MONDAY + timedelta(days=7)) for _ in range(2)]
    for user in first:
        learn_on(monday, [0], user, lessons[:1])
    learn_on(monday, [7, 15], first[0], lessons[1:])
    learn_on(monday, [8], first[1], lessons[1:])
    learn_on(monday, [9], second[0], lessons[:1])
    monday.move_to(MONDAY + timedelta(days=15), tick=False)
    reckon()
    newest, oldest = queries.cohorts(now())
    assert (oldest.cohort, oldest.learners) == (date(2026, 6, 1), 4)
    assert oldest.shares[:4] == (1.0, 0.5, 0.25, None)
    assert (newest.cohort, newest.learners) == (date(2026, 6, 8), 2)
    assert newest.shares[:3] == (0.5, 0.0, None)


def test_signs_of_harm(monday) -> None:
    lessons = make_course(*[Plan(asks=1)] * 6)
    farmer, steady, gone, back = (join(MONDAY) for _ in range(4))
    for _ in range(3):
        do_lesson(farmer, lessons[0])
        monday.shift(timedelta(minutes=1))
    learn_on(monday, [0, 1, 2, 3, 4], steady, lessons)
    learn_on(monday, [0, 1, 2], gone, lessons)
    learn_on(monday, [0, 1, 2, 9], back, lessons)
    monday.move_to(MONDAY + timedelta(days=3), tick=False)
    reckon()
    assert (day(0).repeats, day(0).repeaters) == (2, 1)
    assert (day(2).runs, day(2).ended) == (3, None), "nobody can know yet"
    monday.move_to(MONDAY + timedelta(days=40), tick=False)
    with unit_of_work():
        due = services.due_days(now())
    assert (MONDAY + timedelta(days=2)).date() not in due, "its time for being reckoned anew is over"
    session.execute(text("delete from learning_days"))
    session.commit()
    reckon()
    assert (day(2).runs, day(2).ended, day(2).returned) == (3, 2, 1)
    assert (day(4).runs, day(4).ended, day(4).returned) == (1, 1, 0)


def test_a_day_that_was_not_known_yet_is_reckoned_again_later(monday) -> None:
    lessons = make_course(*[Plan(asks=1)] * 3)
    user = join(MONDAY)
    learn_on(monday, [0, 1, 2], user, lessons)
    reckon()
    assert day(2).ended is None
    for later in range(3, 20):
        monday.move_to(MONDAY + timedelta(days=later), tick=False)
        reckon()
    assert (day(2).ended, day(2).returned) == (1, 0)


def test_pages_read_sums_only(monday) -> None:
    """However much was learned: the reads know no table that grows with it."""
    [lesson] = make_course(Plan(asks=1))
    do_lesson(join(MONDAY), lesson)
    reckon()
    seen: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: seen.append(args[2]))
    queries.days(now(), 365)
    queries.lessons(now(), 365)
    queries.hardest()
    queries.cohorts(now())
    assert len(seen) == 4
    for statement in seen:
        for table in ("answers", "attempts", "activity_days", "ledger_entries", "users", "players"):
            assert not re.search(rf"(from|join)\s+{table}\b", statement)
