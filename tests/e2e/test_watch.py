"""The dashboard of the system looks again by itself, and rests while nobody looks, while somebody reads, or when told to."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opener, Site
from tests.e2e.test_pages import sign_in
from tests.factories import make_user
from tests.watching import an_hour_of_figures

PATH = "/admin/system"
HIDE = "hide => Object.defineProperty(document, 'hidden', {get: () => hide, configurable: true})"


@pytest.fixture(scope="module")
def operator(site: Site) -> str:
    with site.app.app_context():
        make_user(email="watcher@example.org", name="Wilma", role="operator")
        an_hour_of_figures()
    return "watcher@example.org"


def looks(page: Page) -> int:
    """How often the page has asked for its changing part."""
    asked = [each for each in page.watch.requests if each.url.endswith(PATH)]
    return len([each for each in asked if each.headers.get("hx-request")])


def looked(page: Page) -> None:
    """A quarter of a minute goes by, and the page asks and shows what it got."""
    with page.expect_response(lambda answer: answer.url.endswith(PATH)) as answer:
        page.clock.run_for(16_000)
    answer.value.finished()
    page.clock.run_for(1_000)
    expect(page.locator("#state.htmx-request")).to_have_count(0)


def test_it_looks_again_and_rests(open_page: Opener, operator: str) -> None:
    page = sign_in(open_page("/login"), operator)
    page.clock.install()
    page.goto(PATH)
    looked(page)
    seen = looks(page)
    assert seen == 1
    numbers = page.locator(".chart details summary").first
    numbers.click()
    page.clock.run_for(60_000)
    numbers.click()
    page.evaluate(HIDE, True)
    page.clock.run_for(60_000)
    page.evaluate(HIDE, False)
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.clock.run_for(60_000)
    assert looks(page) == seen, "a table open, hidden, paused"
    with page.expect_response(lambda answer: answer.url.endswith(PATH)):
        pause.click()
    expect(pause).to_have_attribute("aria-pressed", "false")


def test_without_scripts_it_can_be_asked_again(open_page: Opener, operator: str) -> None:
    page = sign_in(open_page("/login", scripts=False), operator)
    page.goto(PATH)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("System")
