"""Register, sign in, sign out, sign out everywhere, settings: as a person without JavaScript sees them."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from codyverse.accounts.models import User, UserSession, ZoneFact
from codyverse.core.clock import now
from tests.factories import PASSWORD, make_user
from tests.web.visits import Visitor

NEW = {
    "display_name": "Grace",
    "email": "grace@example.org",
    "password": PASSWORD,
    "time_zone": "Europe/Berlin",
}


def test_register_then_sign_in_then_dashboard(visitor: Visitor, db_session) -> None:
    visitor.post("/register", NEW)
    page = visitor.get("/login")
    assert page.field("email").get("value") == "grace@example.org"
    visitor.post("/login", {"email": "GRACE@example.org", "password": PASSWORD})
    assert visitor.get("/dashboard").response.request.path == "/dashboard"
    user = db_session.scalars(select(User)).one()
    assert (user.time_zone, user.role) == ("Europe/Berlin", "learner")
    assert db_session.scalars(select(ZoneFact.time_zone)).all() == ["Europe/Berlin"]


def test_registering_does_not_tell_whether_the_address_exists(app: Flask, db_session) -> None:
    answers = []
    make_user(email="grace@example.org")
    for email in ("grace@example.org", "new@example.org"):
        visitor = Visitor(app)
        first = visitor.post("/register", NEW | {"email": email})
        then = visitor.get("/login")
        answers.append((first.status, first.response.location, then.text.replace(email, "")))
    assert answers[0] == answers[1]
    assert db_session.scalar(select(User.display_name).where(User.email_key == "grace@example.org")) == "Ada"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("email", "", "Write an e-mail address"),
        ("email", "nobody", "Write an e-mail address"),
        ("email", "a" * 300 + "@example.org", "at most 254"),
        ("display_name", "   ", "Write the name"),
        ("display_name", "x" * 61, "at most 60"),
        ("display_name", "a\u202eb", "cannot be shown"),
        ("password", "short", "at least 8"),
        ("password", "password123", "tried first"),
        ("password", "aaaaaaaaaaaa", "tried first"),
        ("password", "grace@example.org", "too close"),
        ("password", "p" * 257, "at most 256"),
        ("time_zone", "Mars/Olympus", "Choose a time zone"),
    ],
)
def test_what_cannot_be_registered_is_said_and_the_typing_kept(
    visitor: Visitor, db_session, field, value, says
) -> None:
    page = visitor.post("/register", NEW | {field: value}, status=422)
    assert says in page.text
    assert page.field("display_name").get("value") == (value if field == "display_name" else "Grace")
    assert db_session.scalars(select(User.id)).all() == []


def test_all_faults_are_shown_at_once(visitor: Visitor) -> None:
    page = visitor.post("/register", {"display_name": "", "email": "x", "password": "y"}, status=422)
    for says in ("Write the name", "Write an e-mail address", "at least 8"):
        assert says in page.text


def test_signing_in_wrongly_says_the_same_for_every_reason(app: Flask) -> None:
    make_user(email="ada@example.org")
    texts = set()
    for email, password in [("ada@example.org", "wrong-password"), ("nobody@example.org", PASSWORD)]:
        page = Visitor(app).post("/login", {"email": email, "password": password}, status=422)
        texts.add(page.css("[role=alert]")[0].text_content().strip())
    assert len(texts) == 1


def test_a_session_ends_on_sign_out_and_everywhere(app: Flask) -> None:
    make_user(email="ada@example.org")
    phone, laptop = (Visitor(app).sign_in("ada@example.org") for _ in range(2))
    cookie = laptop.client.get_cookie("codyverse")
    laptop.post("/logout")
    thief = Visitor(app)
    thief.client.set_cookie("codyverse", cookie.value)
    assert thief.get("/dashboard").response.request.path == "/login"
    assert phone.get("/dashboard").response.request.path == "/dashboard"
    tablet = Visitor(app).sign_in("ada@example.org")
    tablet.post("/logout/everywhere")
    assert phone.get("/dashboard").response.request.path == "/login"


def test_a_session_does_not_live_for_ever(learner: Visitor) -> None:
    with time_machine.travel(now() + timedelta(days=91)):
        assert learner.get("/dashboard").response.request.path == "/login"


def test_signing_in_makes_a_new_token(app: Flask, db_session) -> None:
    make_user(email="ada@example.org")
    visitor = Visitor(app).sign_in("ada@example.org")
    first = visitor.client.get_cookie("codyverse").value
    visitor.post("/logout")
    visitor.sign_in("ada@example.org")
    assert visitor.client.get_cookie("codyverse").value != first
    assert len(set(db_session.scalars(select(UserSession.token_hash)))) == 2


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/courses", "/courses"),
        ("/settings?x=1", "/settings?x=1"),
        ("//evil.example", "/dashboard"),
        ("https://evil.example/", "/dashboard"),
        ("/\\evil.example", "/dashboard"),
        ("/\tevil", "/dashboard"),
        ("javascript:alert(1)", "/dashboard"),
        ("", "/dashboard"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(visitor: Visitor, target: str, goes_to: str) -> None:
    make_user(email="ada@example.org")
    page = visitor.post("/login", {"email": "ada@example.org", "password": PASSWORD, "next": target})
    assert page.response.location == goes_to


def test_a_stranger_is_sent_to_sign_in_and_back(visitor: Visitor) -> None:
    make_user(email="ada@example.org")
    page = visitor.get("/settings")
    assert page.response.request.path == "/login"
    answer = visitor.submit(page, "/login", {"email": "ada@example.org", "password": PASSWORD})
    assert answer.response.location == "/settings"


def test_a_form_without_its_token_changes_nothing(learner: Visitor) -> None:
    response = learner.client.post("/logout")
    assert response.status_code == 400
    assert "reload" in response.text
    assert learner.get("/dashboard").response.request.path == "/dashboard"


def test_settings_change_the_profile_and_keep_what_was_typed(learner: Visitor, db_session) -> None:
    learner.post(
        "/settings/profile", {"display_name": "Ada L.", "time_zone": "Asia/Tokyo", "day_start_hour": "5"}
    )
    page = learner.get("/settings")
    assert page.field("display_name").get("value") == "Ada L."
    facts = db_session.execute(
        select(ZoneFact.time_zone, ZoneFact.day_start_hour).order_by(ZoneFact.since)
    ).all()
    assert [tuple(fact) for fact in facts] == [("UTC", 4), ("Asia/Tokyo", 5)]
    page = learner.post(
        "/settings/profile", {"display_name": "", "time_zone": "x", "day_start_hour": "99"}, status=422
    )
    assert "Write the name" in page.text
    assert "Choose a time zone" in page.text


def test_htmx_gets_the_card_that_was_saved_and_the_head_of_the_page_and_no_other_card(
    learner: Visitor,
) -> None:
    fields = {"display_name": "Ada L.", "time_zone": "Asia/Tokyo", "day_start_hour": "5"}
    saved = learner.post("/settings/profile", fields, status=200, htmx=True)
    assert saved.css("#profile_card [data-said]")
    assert saved.field("display_name").get("value") == "Ada L."
    assert not saved.css("#preferences_card, #password_card")
    assert saved.css(".masthead .menu-name")[0].text_content() == "Ada L."
    refused = learner.post("/settings/profile", fields | {"display_name": ""}, status=422, htmx=True)
    assert refused.css("#profile_card [data-faults]")
    dark = {"goal_intensity": "casual", "theme": "dark", "hidden": ["coins"]}
    chosen = learner.post("/settings/preferences", dark, status=200, htmx=True)
    assert chosen.css("#preferences_card")[0].get("data-theme-chosen") == "dark"
    assert not chosen.css('.masthead [data-mechanic="coins"]')


def test_without_scripts_the_card_that_was_saved_says_so(learner: Visitor) -> None:
    answer = learner.post("/settings/preferences", {"goal_intensity": "casual", "theme": "dark"}, status=303)
    assert answer.response.location == "/settings#said"
    page = learner.get("/settings")
    assert [each.get("id") for each in page.css("#preferences_card [data-said]")] == ["said"]
    assert not page.css("#profile_card [data-said], .messages")


def test_another_password_signs_other_devices_out(app: Flask) -> None:
    make_user(email="ada@example.org")
    here, there = (Visitor(app).sign_in("ada@example.org") for _ in range(2))
    wrong = {"current_password": "not-mine-at-all", "new_password": "river-comet-fable"}
    assert "not your current password" in here.post("/settings/password", wrong, status=422).text
    here.post("/settings/password", wrong | {"current_password": PASSWORD})
    assert here.get("/dashboard").response.request.path == "/dashboard"
    assert there.get("/dashboard").response.request.path == "/login"
    Visitor(app).sign_in("ada@example.org", "river-comet-fable")


def test_hidden_mechanics_and_theme_are_kept(learner: Visitor) -> None:
    learner.post(
        "/settings/preferences", {"goal_intensity": "casual", "theme": "dark", "hidden": ["coins", "streak"]}
    )
    page = learner.get("/dashboard")
    assert not page.css('[data-mechanic="coins"], [data-mechanic="streak"]')
    assert page.css('[data-mechanic="xp"]')
    bad = {"goal_intensity": "heroic", "theme": "pink", "hidden": ["oxygen"]}
    page = learner.post("/settings/preferences", bad, status=422)
    assert "Choose one of" in page.text
