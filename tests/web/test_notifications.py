"""The bell, the list, choices, unsubscribing, the mails of development: without JavaScript, and what htmx gets."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from codyverse.accounts import queries as people
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.notifications import post, queries, rules, services
from tests.domains.study import Plan, do_lesson, make_course
from tests.web.visits import HTMX, Visitor


def tell(number: int = 2, email: str = "ada@example.org") -> int:
    who = people.account_by_email(email).id
    details = {"level": number, "name": "Student", "gems": number}
    with unit_of_work():
        services.tell("level", f"level:{number}", details, [who], now() - timedelta(hours=1))
    return who


def test_the_bell_counts_and_links_to_the_list(learner: Visitor) -> None:
    [bell] = learner.get("/dashboard").css("#bell")
    assert bell.text_content().strip() == "Notifications"
    tell()
    page = learner.get("/dashboard")
    assert page.css("#bell")[0].text_content() == "Notifications1 unread"
    listed = learner.get(page.css("#bell")[0].get("href"))
    assert "Unread: Level 2: Student" in listed.text
    assert "It brings 2 gems." in listed.text


def test_marking_one_and_all(learner: Visitor) -> None:
    for number in (2, 3, 4):
        who = tell(number)
    page = learner.get("/notifications")
    newest = queries.listing(who, frozenset(), 2**62, 9).lines[0].id
    learner.submit(page, f"/notifications/{newest}/read")
    assert learner.get("/dashboard").css("#bell")[0].text_content() == "Notifications2 unread"
    assert "Level 4" not in learner.get("/notifications?show=unread").text
    learner.submit(learner.get("/notifications"), "/notifications/read")
    page = learner.get("/notifications")
    assert not page.css("#list form")
    assert "Level 4: Student" in page.text
    assert "Nothing is unread." in learner.get("/notifications?show=unread").text


def test_marking_all_spares_what_came_after_the_page(learner: Visitor) -> None:
    tell(2)
    page = learner.get("/notifications")
    tell(3)
    learner.submit(page, "/notifications/read")
    assert "Unread: Level 3: Student" in learner.get("/notifications").text


def test_reading_anothers_changes_nothing(learner: Visitor, other: Visitor) -> None:
    ben = tell(email="ben@example.org")
    [theirs] = queries.listing(ben, frozenset(), 2**62, 9).lines
    learner.post(f"/notifications/{theirs.id}/read")
    assert queries.bell(ben, frozenset()).unread == 1
    assert "Level 2" not in learner.get("/notifications").text


def test_with_htmx_the_list_comes_back(learner: Visitor) -> None:
    who = tell()
    [line] = queries.listing(who, frozenset(), 2**62, 9).lines
    answer = learner.post(f"/notifications/{line.id}/read", status=200, htmx=True)
    assert answer.css("#list") or answer.document.get("id") == "list"
    assert "Unread" not in answer.text


def test_older_ones(learner: Visitor) -> None:
    for number in range(2, 34):
        tell(number)
    page = learner.get("/notifications")
    [older] = [a for a in page.css("#list a") if a.text_content() == "Older ones"]
    assert "Level 2: Student" in learner.get(older.get("href")).text
    assert learner.get("/notifications?before=nonsense").text == page.text


def test_an_open_page_gets_its_bell_and_a_word(learner: Visitor) -> None:
    address = learner.get("/dashboard").css("#bell")[0].get("hx-get")
    unchanged = learner.client.get(address, headers=HTMX)
    assert unchanged.status_code == 200
    assert 'hx-target="#news"' not in unchanged.text
    tag = {"If-None-Match": unchanged.headers["ETag"]}
    assert learner.client.get(address, headers=HTMX | tag).status_code == 304
    tell(2)
    changed = learner.client.get(address, headers=HTMX | tag)
    assert changed.status_code == 200
    assert (
        '<hx-partial hx-target="#news" hx-swap="innerHTML"><span class="bell-news">Level 2: Student.</span></hx-partial>'
        in changed.text
    )
    assert 'id="hud"' in changed.text
    assert changed.headers["Cache-Control"] == "private, no-cache"
    again = learner.client.get("/notifications/bell?after=nonsense", headers=HTMX)
    assert again.status_code == 200
    assert 'hx-target="#news"' not in again.text


def test_an_open_dashboard_gets_its_goals_streak_and_level_with_the_bell(learner: Visitor) -> None:
    [lesson] = make_course(Plan(asks=2))
    page = learner.get("/dashboard")
    assert not page.css("#standing .week-lit")
    address = page.css("#bell")[0].get("hx-get")
    do_lesson(people.account_by_email("ada@example.org").id, lesson)
    part = learner.get(address, htmx=True)
    [standing] = part.css('hx-partial[hx-target="#standing"] #standing')
    assert standing.cssselect(".week-lit.week-today")
    counts = [each.text_content() for each in standing.cssselect(".goal-count")]
    assert not all(each.startswith("0 ") for each in counts)
    fresh = learner.get("/dashboard").css("#standing")[0]
    assert words_of(standing) == words_of(fresh)
    assert "on=dashboard" in part.css("#bell")[0].get("hx-get"), "the bell that comes asks for the same again"


def words_of(element: Any) -> list[str]:
    return str(element.text_content()).split()


def test_other_pages_and_unknown_ones_get_no_more_than_their_bell(learner: Visitor) -> None:
    assert "on=" not in learner.get("/courses").css("#bell")[0].get("hx-get")
    for query in ("after=0", "after=0&on=courses", "after=0&on="):
        part = learner.get(f"/notifications/bell?{query}", htmx=True)
        assert part.css("#bell")
        assert not part.css("#standing")


def test_choices_are_saved_and_shown(learner: Visitor) -> None:
    page = learner.get("/notifications/settings")
    assert {box.get("value") for box in page.css('[name="shown"][checked]')} == set(rules.KINDS)
    assert not page.css('[name="mailed"][checked]'), "no mail to whoever has not asked for it"
    wanted = {
        "shown": ["level", "league"],
        "mailed": ["league"],
        "mail_hour": "9",
        "quiet_from": "22",
        "quiet_until": "7",
    }
    learner.submit(page, "/notifications/settings", wanted)
    page = learner.get("/notifications/settings")
    assert {box.get("value") for box in page.css('[name="shown"][checked]')} == {"level", "league"}
    assert [box.get("value") for box in page.css('[name="mailed"][checked]')] == ["league"]
    for name, value in (("mail_hour", "9"), ("quiet_from", "22"), ("quiet_until", "7")):
        [chosen] = page.css(f'[name="{name}"] option[selected]')
        assert chosen.get("value") == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": "22"},
        {"quiet_from": "22", "quiet_until": "99"},
        {"mail_hour": "x"},
        {"shown": ["likes"], "mailed": ["likes"]},
    ],
)
def test_choices_that_cannot_be_are_told(learner: Visitor, wrong: dict[str, object]) -> None:
    page = learner.post("/notifications/settings", {"mail_hour": "9"} | wrong, status=422)
    assert page.css(".faults")


def test_kinds_of_hidden_mechanics_are_not_offered_and_stay_as_they_were(learner: Visitor) -> None:
    who = people.account_by_email("ada@example.org").id
    with unit_of_work():
        services.choose(who, page_off=["badge", "goal"], mail_kinds=["badge"], mail_hour=17, quiet=None)
    learner.post(
        "/settings/preferences", {"goal_intensity": "regular", "theme": "auto", "hidden": ["badges"]}
    )
    page = learner.get("/notifications/settings")
    assert not page.css("#shown-badge")
    learner.post("/notifications/settings", {"shown": ["goal"], "mail_hour": "17"})
    kept = queries.choices(who)
    assert kept.page_off == set(rules.KINDS) - {"goal"}
    assert kept.mail_kinds == {"badge"}


# --- mails ---


def subscribed() -> str:
    who = tell()
    with unit_of_work():
        services.choose(who, page_off=(), mail_kinds=["level"], mail_hour=0, quiet=None)
    return queries.choices(who).unsubscribe_token


def test_one_click_from_a_mail_program_that_knows_no_session(learner: Visitor, app: Flask) -> None:
    token = subscribed()
    program = app.test_client()
    for _ in range(2):
        answer = program.post(f"/mails/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, answer.data) == (200, b"")
    assert queries.choices(people.account_by_email("ada@example.org").id).mail_kinds == frozenset()


def test_a_person_who_is_signed_out_is_asked_and_then_done(learner: Visitor, visitor: Visitor) -> None:
    token = subscribed()
    page = visitor.get(f"/mails/unsubscribe/{token}")
    assert "ada" not in page.text.lower(), "a link that went astray tells nobody whose it is"
    who = people.account_by_email("ada@example.org").id
    assert queries.choices(who).mail_kinds == {"level"}, "looking changes nothing"
    visitor.submit(page, f"/mails/unsubscribe/{token}")
    assert queries.choices(who).mail_kinds == frozenset()
    assert "You will get no more" in visitor.get(f"/mails/unsubscribe/{token}?done=1").text


def test_a_link_of_nobody(visitor: Visitor) -> None:
    visitor.get("/mails/unsubscribe/of-nobody", status=404)
    visitor.post("/mails/unsubscribe/of-nobody", status=404)


def test_development_shows_the_mails(learner: Visitor, visitor: Visitor, app: Flask) -> None:
    assert "No mails yet." in visitor.get("/dev/mail").text
    subscribed()
    with unit_of_work():
        post.write_digests(now())
    page = visitor.get("/dev/mail")
    assert "No mail server is set" in page.text
    assert "To ada@example.org" in page.text
    assert "* Level 2: Student" in page.text
    [html] = [a.get("href") for a in page.css("article a")]
    assert "<strong>Level 2: Student</strong>" in visitor.client.get(html).text
    visitor.get("/dev/mail/99999/html", status=404)
    app.config["CODYVERSE_ENV"] = "production"
    try:
        visitor.get("/dev/mail", status=404)
        visitor.get(html, status=404)
    finally:
        app.config["CODYVERSE_ENV"] = "testing"
