"""The badges' page, and badges celebrated after a lesson, as a person without JavaScript sees them."""

import pytest
from flask import Flask
from sqlalchemy import select

from codyverse.accounts import services as accounts
from codyverse.accounts.models import User
from codyverse.core.database import count_statements, db, session, unit_of_work
from tests.domains.study import Plan, answer_all, do_lesson, make_course, start
from tests.web.visits import Page, Visitor


def ada() -> int:
    return session.scalar(select(User.id).where(User.email_key == "ada@example.org")) or 0


def hide(*mechanics: str) -> None:
    with unit_of_work():
        accounts.change_preferences(
            ada(), goal_intensity="regular", hidden=frozenset(mechanics), theme="auto"
        )


def mechanics(page: Page) -> set[str]:
    return {each.get("data-mechanic") for each in page.css("[data-mechanic]")}


@pytest.fixture
def lessons(app: Flask) -> list[int]:
    return make_course(*[Plan(asks=2)] * 3)


def test_a_beginner_sees_what_there_is_to_earn(learner: Visitor, lessons: list[int]) -> None:
    page = learner.get("/badges")
    assert "None yet. The first one comes with your first lesson." in page.text
    assert len(page.css(".badge-card")) >= 20
    assert page.css(".badge-card-earned") == []
    assert "0 of 10 lessons" in page.text


def test_what_is_earned_and_how_far_it_is(learner: Visitor, lessons: list[int]) -> None:
    do_lesson(ada(), lessons[0])
    page = learner.get("/badges")
    assert "2 of 33 earned" in page.text
    [first] = page.css("#badge-first-steps")
    assert "Earned on" in first.text_content()
    assert "50 XP" in first.text_content()
    [seeker] = page.css("#badge-knowledge-seeker")
    assert "1 of 10 lessons" in seeker.text_content()
    assert seeker.cssselect("progress")[0].get("value") == "0.100"


def test_the_page_asks_little_of_the_database(learner: Visitor, lessons: list[int]) -> None:
    seen: list[str] = []
    count_statements(db.engine, seen.append)
    learner.get("/badges")
    alone = len(seen)
    for lesson in lessons:
        do_lesson(ada(), lesson)
    seen.clear()
    learner.get("/badges")
    assert len(seen) <= alone


def test_a_badge_is_celebrated_where_it_was_earned(learner: Visitor, lessons: list[int]) -> None:
    attempt_id = start(ada(), lessons[0])
    answer_all(ada(), attempt_id)
    page = learner.post(f"/lessons/{lessons[0]}/complete", {"attempt_id": attempt_id}, status=200, htmx=True)
    assert [each.text_content() for each in page.css(".badge-won .badge-name")] == ["First Steps", "Flawless"]
    [said] = page.css('hx-partial[hx-target="#announce"]')
    assert said.text_content() == (
        "100 XP. 30 coins. Badge earned: First Steps. Badge earned: Flawless. 1 day in a row. New level 2: Beginner."
    )
    again = learner.get(f"/lessons/{lessons[0]}/attempts/{attempt_id}")
    assert [each.text_content() for each in again.css(".badge-won .badge-name")] == [
        "First Steps",
        "Flawless",
    ]


def test_left_out_badges_leave_no_trace(learner: Visitor, lessons: list[int]) -> None:
    hide("badges")
    attempt_id = start(ada(), lessons[0])
    answer_all(ada(), attempt_id)
    page = learner.post(f"/lessons/{lessons[0]}/complete", {"attempt_id": attempt_id}, status=200, htmx=True)
    assert "First Steps" not in page.text
    for path in (
        "/badges",
        "/dashboard",
        "/ledger",
        f"/lessons/{lessons[0]}/attempts/{attempt_id}",
        "/courses",
    ):
        page = learner.get(path)
        assert "badges" not in mechanics(page), path
        assert "First Steps" not in page.text, path
    hide()
    assert "2 of 33 earned" in learner.get("/badges").text


def test_the_page_shows_nothing_of_other_mechanics_that_are_left_out(
    learner: Visitor, lessons: list[int]
) -> None:
    do_lesson(ada(), lessons[0])
    hide("xp", "coins", "streak", "leagues", "goals")
    page = learner.get("/badges")
    assert mechanics(page) == {"badges"}
    assert " XP" not in page.text
    assert "coins" not in page.text
    assert page.css("#badge-three-nights") == []
