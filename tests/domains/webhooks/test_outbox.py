"""What is told to whom: written with the fact or not at all, once, and only for those who may have it."""

import pytest
from flask import Flask
from sqlalchemy import event, text

from codyverse.accounts import people
from codyverse.accounts import services as accounts
from codyverse.core.database import db, savepoint, session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.core.events import publish
from codyverse.gamification.events import LevelReached
from codyverse.progress import services as progress
from codyverse.webhooks import queries, services
from codyverse.webhooks.rules import KINDS
from tests.domains.study import NOON, Plan, answer_all, complete, do_lesson, make_course, start
from tests.domains.together import together
from tests.domains.webhooks.hooks import deliveries, operator, register
from tests.factories import make_user

URL = "http://127.0.0.1:9000/hook"


def told(user_id: int, hook: int) -> list[str]:
    return sorted(each.kind for each in deliveries(user_id, hook))


def data(kind: str) -> dict[str, object]:
    found = session.execute(text("select data from webhook_events where kind = :kind"), {"kind": kind})
    return dict(found.scalar_one())


def earned() -> set[object]:
    """The badges that are to be told."""
    found = session.scalars(text("select data ->> 'badge' from webhook_events where kind = 'badge.earned'"))
    return set(found)


def events() -> int:
    return int(session.execute(text("select count(*) from webhook_events")).scalar_one())


def test_a_lesson_as_it_is_told(near: Flask, ada: int) -> None:
    hook = register(ada, URL).webhook_id
    [lesson] = make_course(Plan(asks=3), key="only")
    attempt = do_lesson(ada, lesson, wrong=1)
    kinds = told(ada, hook)
    assert set(kinds) == set(KINDS), "the first lesson brings all of them"
    assert (kinds.count("lesson.completed"), kinds.count("course.completed")) == (1, 1)
    assert data("lesson.completed") == {
        "userId": ada,
        "lessonId": lesson,
        "lessonTitle": "Lesson 1",
        "courseId": data("course.completed")["courseId"],
        "attemptId": attempt,
        "score": 66.67,
        "firstTime": True,
        "localDate": "2026-06-17",
    }
    course = data("course.completed")
    assert (course["courseSlug"], course["courseTitle"], course["userId"]) == ("only", "Course only", ada)
    assert "first-steps" in earned()


def test_a_level_is_told(near: Flask, ada: int) -> None:
    hook = register(ada, URL, ("level.reached",)).webhook_id
    for lesson in make_course(*[Plan(difficulty="advanced")] * 2):
        do_lesson(ada, lesson)
    assert told(ada, hook) == ["level.reached"]
    assert data("level.reached") == {
        "userId": ada,
        "level": 2,
        "name": "Beginner",
        "gems": 2,
        "localDate": "2026-06-17",
    }


def test_only_what_is_wanted_is_stored(near: Flask, ada: int) -> None:
    bob = make_user(name="Bob")
    hook = register(ada, URL, ("course.completed",)).webhook_id
    first, second = make_course(Plan(), Plan())
    for who in (ada, bob):
        do_lesson(who, first)
    assert events() == 0
    for who in (ada, bob):
        do_lesson(who, second)
    assert told(ada, hook) == ["course.completed"]
    assert events() == 1


def test_operators_may_hear_of_everybody(near: Flask, ada: int) -> None:
    olga = operator()
    everybody = register(olga, URL, ("lesson.completed",), "all").webhook_id
    own = register(olga, URL, ("lesson.completed",)).webhook_id
    mine = register(ada, URL, ("lesson.completed",)).webhook_id
    [lesson] = make_course(Plan())
    do_lesson(ada, lesson)
    assert [len(told(*whose)) for whose in ((olga, everybody), (olga, own), (ada, mine))] == [1, 0, 1]
    assert events() == 1, "one event, told to both"
    do_lesson(olga, lesson)
    assert [len(told(*whose)) for whose in ((olga, everybody), (olga, own), (ada, mine))] == [2, 1, 1]


def test_whoever_lost_the_role_or_the_account_hears_nothing(near: Flask, ada: int) -> None:
    olga = make_user(role="operator", email="olga@example.org")
    otto = make_user(role="operator", email="otto@example.org")
    hooks = [(each, register(each, URL, scope="all").webhook_id) for each in (olga, otto)]
    with unit_of_work():
        accounts.set_role("olga@example.org", "author")
        accounts.deactivate("otto@example.org")
    [lesson] = make_course(Plan())
    do_lesson(ada, lesson)
    assert [told(*hook) for hook in hooks] == [[], []]
    assert events() == 0


def test_whoever_asked_to_be_erased_hears_nothing_and_leaves_nothing(near: Flask, ada: int) -> None:
    olga = operator()
    hook = register(olga, URL, scope="all").webhook_id
    mine = register(ada, URL).webhook_id
    with unit_of_work():
        people.ask_erasure(olga)
    [lesson] = make_course(Plan())
    do_lesson(ada, lesson)
    assert told(olga, hook) == []
    assert told(ada, mine) != []
    with unit_of_work():
        people.erase(ada)
        people.erase(olga)
    for table in ("webhooks", "webhook_events", "webhook_deliveries"):
        assert session.execute(text(f"select count(*) from {table}")).scalar_one() == 0


def test_a_course_is_completed_once(near: Flask, ada: int) -> None:
    hook = register(ada, URL, ("course.completed",)).webhook_id
    one, two = make_course(Plan(), Plan(), key="grows")
    do_lesson(ada, one)
    do_lesson(ada, one)
    assert told(ada, hook) == []
    do_lesson(ada, two)
    do_lesson(ada, two)
    assert told(ada, hook) == ["course.completed"]
    *_, three = make_course(Plan(), Plan(), Plan(), key="grows")
    do_lesson(ada, three)
    assert told(ada, hook) == ["course.completed"], "lessons that come later change nothing"


def test_what_is_no_longer_offered_is_not_missing(near: Flask, ada: int) -> None:
    hook = register(ada, URL, ("course.completed",)).webhook_id
    one, _ = make_course(Plan(), Plan(), key="shrinks")
    make_course(Plan(), key="shrinks")
    do_lesson(ada, one)
    assert told(ada, hook) == ["course.completed"]


def test_rolled_back_it_never_was(near: Flask, ada: int) -> None:
    hook = register(ada, URL).webhook_id
    [lesson] = make_course(Plan())
    attempt = start(ada, lesson)
    answer_all(ada, attempt)

    def interrupted() -> None:
        with unit_of_work():
            progress.complete_attempt(ada, attempt)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        interrupted()
    assert (told(ada, hook), events()) == ([], 0)
    with unit_of_work():
        pass
    assert events() == 0, "nothing is left over for the next one"
    complete(ada, attempt)
    assert set(told(ada, hook)) == set(KINDS)


def test_a_part_that_was_undone_is_not_told(near: Flask, ada: int) -> None:
    """As when a request under an Idempotency-Key fails and its failure is kept."""
    hook = register(ada, URL).webhook_id

    def failing_part() -> None:
        with savepoint():
            publish(LevelReached(ada, 3, "Student", 3, NOON, NOON.date()))
            raise Conflict("no")

    with unit_of_work():
        publish(LevelReached(ada, 2, "Beginner", 2, NOON, NOON.date()))
        with pytest.raises(Conflict):
            failing_part()
    assert told(ada, hook) == ["level.reached"]
    assert data("level.reached")["level"] == 2


def test_a_fact_is_told_once(near: Flask, ada: int) -> None:
    hook = register(ada, URL).webhook_id
    fact = LevelReached(ada, 2, "Beginner", 2, NOON, NOON.date())
    for _ in range(2):
        with unit_of_work():
            publish(fact)
    with unit_of_work():
        publish(fact)
        publish(fact)
    assert told(ada, hook) == ["level.reached"]


def test_one_statement_for_all_that_happened(near: Flask, ada: int) -> None:
    seen: list[str] = []
    connection = session.connection()
    listener = lambda _c, _cursor, statement, *_: seen.append(statement)  # noqa: E731
    event.listen(connection, "before_cursor_execute", listener)
    with unit_of_work():
        for level in range(2, 6):
            publish(LevelReached(ada, level, "x", level, NOON, NOON.date()))
    event.remove(connection, "before_cursor_execute", listener)
    assert len([each for each in seen if "webhook" in each]) == 1


def test_completions_and_a_deletion_at_once_lose_no_work(near_committed: Flask) -> None:
    """Whoever finishes a lesson just while its webhook is deleted has finished it."""
    people = [make_user() for _ in range(20)]
    olga = operator()
    [lesson] = make_course(Plan(asks=1))
    attempts = [start(who, lesson) for who in people]
    for who, attempt in zip(people, attempts, strict=True):
        answer_all(who, attempt)
    hook = register(olga, URL, scope="all").webhook_id

    def delete() -> None:
        with unit_of_work():
            services.delete_webhook(olga, hook)

    acts = [lambda w=who, a=attempt: complete(w, a) for who, attempt in zip(people, attempts, strict=True)]
    assert together(near_committed, [*acts[:10], delete, *acts[10:]]) == [None] * 21
    done = session.execute(text("select count(*) from attempts where completed_at is not null")).scalar_one()
    assert done == 20
    assert queries.webhooks_page(olga, 1, 10).total == 0
    db.session.remove()


def test_many_at_once_complete_a_course_once(near_committed: Flask) -> None:
    ada = make_user()
    hook = register(ada, URL, ("course.completed", "lesson.completed")).webhook_id
    lessons = make_course(*[Plan(asks=1)] * 5)
    attempts = [start(ada, lesson) for lesson in lessons]
    for attempt in attempts:
        answer_all(ada, attempt)
    together(near_committed, [lambda a=attempt: complete(ada, a) for attempt in attempts * 4])
    assert told(ada, hook) == ["course.completed"] + ["lesson.completed"] * 5
