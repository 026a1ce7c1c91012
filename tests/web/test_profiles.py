"""Public pages: closed unless opened, and only what their owner lets be seen."""

import pytest
from flask import Flask
from sqlalchemy import select

from codyverse.accounts import services as accounts
from codyverse.accounts.models import PublicProfile, User
from codyverse.core.database import session, unit_of_work
from tests.domains.study import Plan, do_lesson, make_course
from tests.web.visits import Visitor

ALL = ["badges", "level", "streak", "lessons"]


def ada() -> int:
    return session.scalar(select(User.id).where(User.email_key == "ada@example.org")) or 0


def hide(email: str, *mechanics: str) -> None:
    who = session.scalar(select(User.id).where(User.email_key == email))
    assert who is not None
    with unit_of_work():
        accounts.change_preferences(who, goal_intensity="regular", hidden=frozenset(mechanics), theme="auto")


@pytest.fixture
def opened(learner: Visitor) -> Visitor:
    """Ada, one lesson done, her page open to all with everything on it."""
    [lesson, _] = make_course(Plan(asks=2), Plan(asks=2))
    do_lesson(ada(), lesson)
    learner.post("/settings/public", {"handle": "Ada-L", "public": "y", "shown": ALL})
    return learner


def test_nobody_has_a_page_until_they_open_one(learner: Visitor, visitor: Visitor) -> None:
    page = learner.get("/settings/public")
    assert page.field("public").get("checked") is None
    assert "Nobody sees anything of you" in page.text
    assert session.scalars(select(PublicProfile.user_id)).all() == []
    visitor.get("/u/ada", status=404)


def test_an_open_page_shows_what_was_chosen(opened: Visitor, visitor: Visitor) -> None:
    page = visitor.get("/u/ada-l")
    assert page.css("h1")[0].text_content() == "Ada"
    assert "First Steps" in page.text
    assert "Level 2" in page.text
    assert "1 lesson" in page.text
    assert "1 day" in page.text
    assert "ada@example.org" not in page.response.text
    assert page.response.headers["X-Robots-Tag"] == "noindex"
    assert visitor.get("/u/ADA-L").status == 200


@pytest.mark.parametrize("only", ALL)
def test_what_was_not_chosen_is_not_there(opened: Visitor, visitor: Visitor, only: str) -> None:
    opened.post("/settings/public", {"handle": "ada-l", "public": "y", "shown": [only]})
    page = visitor.get("/u/ada-l")
    seen = {
        "badges": "First Steps" in page.text,
        "level": "Level 2" in page.text,
        "streak": "Longest streak" in page.text,
        "lessons": "1 lesson" in page.text,
    }
    assert {name for name, there in seen.items() if there} == {only}


def test_closed_and_unknown_say_the_same(opened: Visitor, visitor: Visitor) -> None:
    opened.post("/settings/public", {"handle": "ada-l", "shown": ALL})
    answers = [visitor.client.get(f"/u/{handle}") for handle in ("ada-l", "nobody-l")]
    assert [each.status_code for each in answers] == [404, 404]
    texts = [each.text.replace(each.headers["X-Request-Id"], "") for each in answers]
    assert texts[0] == texts[1]
    assert "Its address is kept for you" in opened.get("/settings/public").text
    opened.get("/u/ada-l", status=404)


def test_a_closed_account_has_no_page(opened: Visitor, visitor: Visitor) -> None:
    with unit_of_work():
        accounts.deactivate("ada@example.org")
    visitor.get("/u/ada-l", status=404)


def test_what_the_owner_or_the_onlooker_leaves_out_is_not_shown(opened: Visitor, other: Visitor) -> None:
    hide("ben@example.org", "xp", "coins", "streak", "goals", "badges", "leagues")
    page = other.get("/u/ada-l")
    assert page.css("[data-mechanic]") == []
    assert "1 lesson" in page.text
    hide("ben@example.org")
    hide("ada@example.org", "badges")
    page = other.get("/u/ada-l")
    assert "First Steps" not in page.text
    assert "Level 2" in page.text


@pytest.mark.parametrize(
    ("handle", "says"),
    [
        ("", "3 to 30 characters"),
        ("ab", "3 to 30 characters"),
        ("a" * 31, "3 to 30 characters"),
        ("ada lovelace", "small letters"),
        ("-ada", "small letters"),
        ("ada--l", "small letters"),
        ("añadir", "small letters"),
        ("../admin", "small letters"),
        ("Admin", "kept for the site"),
    ],
)
def test_what_cannot_be_an_address_is_said_and_the_typing_kept(
    learner: Visitor, handle: str, says: str
) -> None:
    page = learner.post("/settings/public", {"handle": handle, "public": "y", "shown": ["level"]}, status=422)
    assert says in page.text
    assert page.field("handle").get("value") == handle
    assert page.field("public").get("checked") is not None
    assert [each.get("value") for each in page.css('[name="shown"][checked]')] == ["level"]
    assert session.scalars(select(PublicProfile.user_id)).all() == []


def test_an_address_belongs_to_one(opened: Visitor, other: Visitor) -> None:
    page = other.post("/settings/public", {"handle": "ADA-l", "public": "y"}, status=422)
    assert "Somebody has this address already" in page.text
    other.post("/settings/public", {"handle": "ben", "public": "y"})
    opened.post("/settings/public", {"handle": "", "shown": ALL})
    assert session.scalars(select(PublicProfile.handle)).all() == ["ben"]
    other.post("/settings/public", {"handle": "ada-l", "public": "y"})
    assert other.get("/u/ada-l").css("h1")[0].text_content() == "Ben"


def test_what_is_not_offered_cannot_be_shown(learner: Visitor, app: Flask) -> None:
    page = learner.post("/settings/public", {"handle": "ada", "public": "y", "shown": ["email"]}, status=422)
    assert "Choose from" in page.text


def test_a_page_that_is_the_same_is_not_sent_again(app: Flask) -> None:
    client = app.test_client()
    first = client.get("/courses", headers={"Accept-Encoding": "br"})
    again = client.get("/courses", headers={"Accept-Encoding": "br", "If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert client.get("/courses", headers={"If-None-Match": 'W/"another"'}).status_code == 200


def test_a_page_with_a_form_says_no_etag(app: Flask) -> None:
    assert "ETag" not in app.test_client().get("/login").headers
