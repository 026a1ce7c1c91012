"""The page of access tokens: made, shown once, listed, revoked; what is refused; whose they are."""

from datetime import timedelta

import pytest
from flask import Flask

from codyverse.accounts import tokens
from codyverse.accounts.queries import account_by_email
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from tests.factories import make_user
from tests.web.visits import Page, Visitor

PATH = "/settings/tokens"
WANTED = {"name": "My phone", "scopes": ["progress:read", "progress:write"], "days": "30"}
ADA = "ada@example.org"


def kept(email: str = ADA) -> tuple[tokens.TokenInfo, ...]:
    return tokens.tokens_of(account_by_email(email).id)


def offered(page: Page) -> set[str]:
    return {box.get("value") for box in page.css('[name="scopes"]')}


def ticked(page: Page) -> set[str]:
    return {box.get("value") for box in page.css('[name="scopes"][checked]')}


def make(visitor: Visitor, **more: object) -> str:
    page = visitor.post(PATH, WANTED | more, status=200)
    return page.css("#new-token")[0].text_content()


def test_from_the_settings_to_a_token_and_to_the_documentation(learner: Visitor) -> None:
    [link] = [a for a in learner.get("/settings").css("a") if a.get("href") == PATH]
    page = learner.get(link.get("href"))
    assert "None yet." in page.text
    assert ticked(page) == tokens.READS
    assert page.css("a[href='/docs']")
    assert page.response.headers["Cache-Control"] == "no-store"


def test_a_new_token_is_shown_once(app: Flask, learner: Visitor) -> None:
    page = learner.submit(learner.get(PATH), PATH, WANTED, status=200)
    assert page.response.headers["Cache-Control"] == "no-store"
    secret = page.css("#new-token")[0].text_content()
    assert tokens.is_well_formed(secret)
    assert page.css("button[data-copy='new-token'][hidden]")
    assert page.field("name").get("value") == "", "the form is empty again"
    assert secret not in learner.get(PATH).response.text
    bearer = {"Authorization": f"Bearer {secret}"}
    assert app.test_client().get("/api/users/me", headers=bearer).status_code == 403, "not its scope"
    [token] = kept()
    assert (token.name, token.hint) == ("My phone", secret[-4:])
    assert set(token.scopes) == set(WANTED["scopes"])
    assert token.expires_at is not None
    assert abs(token.expires_at - now() - timedelta(days=30)) < timedelta(minutes=5)


def test_the_list_tells_what_one_needs_to_know(app: Flask, time_machine) -> None:
    time_machine.move_to("2026-06-17T12:00:00Z", tick=False)
    make_user(email=ADA)
    learner = Visitor(app).sign_in(ADA)
    secret = make(learner)
    text = learner.get(PATH).text
    for part in ("My phone", f"ends in {secret[-4:]}", "progress:read progress:write", "not yet"):
        assert part in text
    assert "Made17 June 2026, 12:00" in text
    assert "Works until17 July 2026, 12:00" in text
    time_machine.move_to("2026-06-18T09:30:00Z", tick=False)
    app.test_client().get("/api/users/me", headers={"Authorization": f"Bearer {secret}"})
    assert "Last used18 June 2026, 09:30" in learner.get(PATH).text
    make(learner, name="Forever", days="never")
    assert "Works untilyou revoke it" in learner.get(PATH).text
    time_machine.move_to("2026-07-18T09:30:00Z", tick=False)
    learner = Visitor(app).sign_in(ADA)
    text = learner.get(PATH).text
    assert ("My phone ends in" in text, "Forever ends in" in text) == (False, True)


def test_revoking_asks_first_and_ends_it(app: Flask, learner: Visitor) -> None:
    secret = make(learner, scopes=["profile:read"])
    bearer = {"Authorization": f"Bearer {secret}"}
    assert app.test_client().get("/api/users/me", headers=bearer).status_code == 200
    [token] = kept()
    page = learner.get(PATH)
    [asks] = page.css("details.token-end:not([open]) form")
    assert "cannot be undone" in asks.text_content()
    path = f"{PATH}/{token.id}/revoke"
    assert asks.get("action") == path
    learner.submit(page, path)
    assert "is revoked" in learner.get(PATH).text
    assert kept() == ()
    assert app.test_client().get("/api/users/me", headers=bearer).status_code == 401
    learner.post(path)
    learner.post(f"{PATH}/999999/revoke", status=404)


def test_of_others_nothing_is_seen_and_nothing_ended(learner: Visitor, other: Visitor) -> None:
    make(learner, name="Ada’s own")
    [token] = kept()
    assert "Ada’s own" not in other.get(PATH).text
    other.post(f"{PATH}/{token.id}/revoke", status=404)
    assert kept() == (token,)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": " "}, "Write a name"),
        ({"name": "x" * 81}, "Write a name"),
        ({"name": "a\u202eb"}, "Write a name"),
        ({"scopes": []}, "Choose at least one scope"),
        ({"scopes": ["everything"]}, "Choose from this list"),
        ({"scopes": ["progress:read", "admin"]}, "Choose from this list"),
        ({"scopes": ["progress:report"]}, "Choose from this list"),
        ({"days": "31"}, "Choose how long"),
        ({"days": ""}, "Choose how long"),
        ({"days": "-1"}, "Choose how long"),
    ],
)
def test_what_is_refused_keeps_what_was_typed(learner: Visitor, wrong: dict[str, object], says: str) -> None:
    sent = WANTED | wrong
    page = learner.submit(learner.get(PATH), PATH, sent, status=422)
    assert says in page.css("[role=alert]")[0].text_content()
    assert not page.css("#new-token")
    assert page.field("name").get("value") == sent["name"]
    assert ticked(page) == set(sent["scopes"]) & offered(page)
    [link] = page.css("[role=alert] a")
    assert page.css(link.get("href")), "the fault leads to its field"
    assert kept() == ()


def test_names_are_text(learner: Visitor) -> None:
    make(learner, name="<b>bold</b>")
    assert "<b>bold" not in learner.get(PATH).response.text
    assert "<b>bold</b>" in learner.get(PATH).text


@pytest.mark.parametrize(
    ("role", "extra"),
    [
        ("learner", set()),
        ("author", {"courses:write"}),
        ("operator", {"courses:write", "admin", "progress:report"}),
    ],
)
def test_only_what_the_role_allows_is_offered(app: Flask, role: str, extra: set[str]) -> None:
    make_user(email=ADA, role=role)
    visitor = Visitor(app).sign_in(ADA)
    everyone = tokens.SCOPES.keys() - {"courses:write", "admin", "progress:report"}
    page = visitor.get(PATH)
    assert offered(page) == everyone | extra
    assert all(words in page.text for scope, words in tokens.SCOPES.items() if scope in offered(page))
    make(visitor, scopes=sorted(everyone | extra))
    assert set(kept()[0].scopes) == everyone | extra


def test_fifty_are_the_most(learner: Visitor) -> None:
    who = account_by_email(ADA).id
    for number in range(tokens.MOST_TOKENS):
        with unit_of_work():
            tokens.issue_token(who, f"token {number}")
    page = learner.post(PATH, WANTED, status=409)
    assert "Revoke one first" in page.css("[role=alert]")[0].text_content()
    assert page.field("name").get("value") == WANTED["name"]
    assert len(kept()) == tokens.MOST_TOKENS


def test_a_token_opens_no_page(app: Flask, learner: Visitor) -> None:
    secret = make(learner, scopes=sorted(tokens.allowed_scopes("learner")))
    client = app.test_client()
    for method, path in (("GET", PATH), ("GET", "/settings")):
        answer = client.open(path, method=method, headers={"Authorization": f"Bearer {secret}"})
        assert (answer.status_code, answer.location) == (303, f"/login?next={path}")
