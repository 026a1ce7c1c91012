"""Swagger UI at /docs: reads our document, takes a token, runs a call; the strict policy stands and is not broken.

axe does not visit this page: Swagger UI has violations of its own, which are not ours to mend. What we add around it
is one heading and three links.
"""

import re

import pytest
from playwright.sync_api import Locator, Page

from codyverse.accounts import tokens
from codyverse.core.database import db, unit_of_work
from tests.e2e.conftest import SIZES, Opener, Site
from tests.factories import make_user

EMAIL = "docs@example.org"


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    with site.app.app_context():
        user_id = make_user(email=EMAIL, name="Doro")
        with unit_of_work():
            text, _ = tokens.issue_token(user_id, "For the documentation", ["profile:read"])
        db.session.remove()
    return text


def opened(open_page: Opener, **more: str) -> Page:
    page = open_page("/docs", **more)
    page.locator("[data-ready]").wait_for()
    return page


def authorise(page: Page, token: str) -> None:
    page.locator("button.authorize").first.click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_label("auth-bearer-value").fill(token)
    dialog.locator(".auth-container", has=page.get_by_label("auth-bearer-value")).get_by_role(
        "button", name="Apply credentials"
    ).click()
    dialog.get_by_role("button", name="Close").first.click()


def run(page: Page, operation: str) -> Locator:
    """Open the operation and send it."""
    block = page.locator(f"[id$='-{operation}']")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Execute").click()
    return block


def answered(block: Locator, status: int) -> str:
    """The body of the answer, once there is one with this status."""
    code = block.page.locator(".response-col_status", has_text=re.compile(rf"^\s*{status}\b"))
    answer = block.locator(".live-responses-table tr.response").filter(has=code)
    answer.wait_for()
    return answer.locator(".highlight-code").first.inner_text()


def test_a_call_with_a_token(open_page: Opener, token: str) -> None:
    page = opened(open_page)
    assert page.locator("h1").first.inner_text() == "The API of Cody Verse"
    answers: list[tuple[str, int, str | None]] = []
    page.on(
        "response",
        lambda each: (
            "/api/" in each.url
            and answers.append((each.url, each.status, each.request.headers.get("authorization")))
        ),
    )
    block = run(page, "getMe")
    assert "UNAUTHORIZED" in answered(block, 401)
    authorise(page, token)
    block.get_by_role("button", name="Execute").click()
    assert EMAIL in answered(block, 200)
    assert [(status, sent) for _, status, sent in answers] == [(401, None), (200, f"Bearer {token}")]
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0


def test_the_policy_allows_pictures_from_data_here_and_nothing_else(open_page: Opener, site: Site) -> None:
    page = open_page("/login")
    strict = page.context.request.get("/login").headers["content-security-policy"]
    here = page.context.request.get("/docs").headers["content-security-policy"]
    assert here == strict.replace("img-src 'self'", "img-src 'self' data:")
    assert "unsafe" not in here
    assert "data:" not in strict
    assert site.url in page.url


@pytest.mark.parametrize(("size", "other"), [("phone", "desk"), ("desk", "phone")])
def test_every_operation_is_there(open_page: Opener, size: str, other: str) -> None:
    """In the light on one and in the dark on the other, then each in the other size: drawing it all takes seconds."""
    scheme = "light" if size == "phone" else "dark"
    page = opened(open_page, size=size, scheme=scheme)
    document = page.context.request.get("/api-spec.json").json()
    wanted = sum(len(operations) for operations in document["paths"].values())
    for each in (size, other):
        page.set_viewport_size(SIZES[each])  # type: ignore[arg-type]
        assert page.locator(".opblock").count() == wanted
        assert page.locator(".errors-wrapper").count() == 0
        assert page.evaluate("document.documentElement.classList.contains('dark-mode')") == (scheme == "dark")


def test_without_scripts_the_document_is_named(open_page: Opener) -> None:
    page = open_page("/docs", scripts=False)
    assert re.search("needs JavaScript", page.locator("main").inner_text())
    assert page.locator("main a[href='/api-spec.json']").count() == 1
