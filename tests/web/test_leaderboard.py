"""The league's page as a person without JavaScript sees it: joining, leaving, coming back, what the quest says."""

import pytest
from flask import Flask
from sqlalchemy import select

from codyverse.accounts import services as accounts
from codyverse.accounts.models import User
from codyverse.core.database import session, unit_of_work
from tests.domains.leagues import choose, member
from tests.domains.study import Plan, do_lesson, make_course
from tests.web.visits import Visitor

JOIN, LEAVE = "/leaderboard/join", "/leaderboard/leave"


@pytest.fixture
def lessons(app: Flask) -> list[int]:
    return make_course(*[Plan(asks=1)] * 3)


def ada() -> int:
    return session.scalar(select(User.id).where(User.email_key == "ada@example.org")) or 0


def told(learner: Visitor, action: str) -> str:
    """What the page says after one of its forms was sent."""
    assert learner.submit(learner.get("/leaderboard"), action).status == 303
    return learner.get("/leaderboard").text


def test_who_comes_back_to_a_place_is_told_so(learner: Visitor, lessons: list[int]) -> None:
    do_lesson(ada(), lessons[0])
    first = told(learner, JOIN)
    assert "You take part. Your next new lesson puts you into a league." in first
    do_lesson(ada(), lessons[1])
    assert "You are number 1 of 1" in learner.get("/leaderboard").text
    assert "You are out of the leagues." in told(learner, LEAVE)
    back = told(learner, JOIN)
    assert "You take part, and you stand on this week's board." in back
    assert "You are number 1 of 1" in back


def test_the_quest_keeps_the_lessons_of_who_left(learner: Visitor, lessons: list[int]) -> None:
    goes = member()
    told(learner, JOIN)
    do_lesson(ada(), lessons[0])
    do_lesson(goes, lessons[0])
    do_lesson(goes, lessons[1])
    assert "3 of 6 lessons, three for each of 2 members." in learner.get("/leaderboard").text
    choose(goes, wanted=False)
    after = learner.get("/leaderboard").text
    assert "3 of 6 lessons, three for each of 2 members, those who left included." in after
    assert "You are number 1 of 1" in after


def test_before_taking_part_the_coins_are_named_unless_they_are_left_out(learner: Visitor) -> None:
    assert "everybody with at least one lesson gets 20 coins." in learner.get("/leaderboard").text
    with unit_of_work():
        accounts.change_preferences(
            ada(), goal_intensity="regular", hidden=frozenset({"coins"}), theme="auto"
        )
    page = learner.get("/leaderboard")
    assert "coins" not in page.css("main")[0].text_content()
    assert "Together the members try for three lessons each." in page.text
