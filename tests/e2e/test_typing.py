"""What somebody has half written survives whatever becomes of the page, and never stands where it does not belong."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opener, Site
from tests.e2e.walk import Walk, lesson_ids
from tests.factories import PASSWORD
from tests.waiting import eventually

CHECK = 'form#answer button[type="submit"]:not([name])'


def at_a_gap(site: Site, page: Page, kind: str = "blank") -> Walk:
    """A new learner in front of a step of this kind."""
    walk = Walk(site, page)
    walk.register()
    walk.begin(lesson_ids(site, {kind})[0])
    while not page.locator(f'form#answer [name="kind"][value="{kind}"]').count():
        walk.one_step()
    return walk


def test_a_page_that_is_loaded_again_in_the_middle_of_a_word_has_the_word(
    site: Site, open_page: Opener
) -> None:
    walk = at_a_gap(site, open_page("/"))
    walk.page.locator('[name="blank-0"]').fill("half a thou")
    walk.page.reload()
    expect(walk.page.locator('[name="blank-0"]')).to_have_value("half a thou")


@pytest.mark.parametrize("leave", ["the tab is closed", "a link is followed"])
def test_left_in_the_middle_of_a_word_the_server_has_the_word(
    site: Site, open_page: Opener, leave: str
) -> None:
    walk = at_a_gap(site, open_page("/"))
    page, here = walk.page, walk.page.url
    other = page.context.new_page()
    other.goto("/dashboard")
    page.locator('[name="blank-0"]').fill("half a thou")
    if leave == "the tab is closed":
        page.close(run_before_unload=True)
    else:
        page.locator(".back-link").click()

    def is_kept() -> bool:
        other.goto(here)
        return other.locator('[name="blank-0"]').input_value() == "half a thou"

    assert eventually(is_kept)


def test_what_comes_back_after_signing_in_again_is_kept_by_the_server(site: Site, open_page: Opener) -> None:
    walk = at_a_gap(site, open_page("/"))
    page = walk.page
    walk._blank(walk.solution(right=True))
    typed = page.locator('[name="blank-0"]').input_value()
    page.route("**/answer", lambda route: route.abort())
    page.route("**/draft", lambda route: route.abort())
    page.locator(CHECK).click()
    expect(page.locator("#trouble [data-trouble]")).to_be_visible()
    page.unroute_all()
    page.watch.console.clear()  # type: ignore[attr-defined] # Chromium itself logs the requests that failed
    with page.expect_response(re.compile("/draft$")) as kept:
        page.reload()
    assert kept.value.status == 204
    expect(page.locator('[name="blank-0"]')).to_have_value(typed)


def test_signed_out_in_another_tab_one_signs_in_and_goes_on_where_one_was(
    site: Site, open_page: Opener
) -> None:
    walk = at_a_gap(site, open_page("/"))
    page = walk.page
    walk._blank(walk.solution(right=True))
    typed = page.locator('[name="blank-0"]').input_value()
    other = page.context.new_page()
    other.goto("/settings")
    other.get_by_role("button", name="Sign out everywhere").click()
    expect(other).to_have_url(re.compile("/login$"))
    page.locator(CHECK).click()
    page.locator("#trouble [data-sign-in-again]").click()
    page.locator('[name="email"]').fill(walk.email)
    page.locator('[name="password"]').fill(PASSWORD)
    page.locator("form[action='/login'] [type=submit]").click()
    expect(page.locator('[name="blank-0"]')).to_have_value(typed)
    page.locator(CHECK).click()
    expect(page.locator("#verdict")).to_have_text("That is right")


def test_what_was_typed_in_another_tab_never_stands_under_the_verdict_of_this_one(
    site: Site, open_page: Opener
) -> None:
    walk = at_a_gap(site, open_page("/"))
    other = walk.page.context.new_page()
    other.goto(walk.page.url)
    for place in other.locator(".blank").all():
        place.fill("something else")
    walk.answer(right=True)
    other.locator(CHECK).click()
    other.locator("[data-reload]").click()
    expect(other.locator("#verdict")).to_have_text("That is right")
    right = walk.page.locator('[name="blank-0"]').input_value()
    expect(other.locator('[name="blank-0"]')).to_have_value(right)


def test_the_keys_work_after_the_browser_went_back(site: Site, open_page: Opener) -> None:
    page = open_page("/")
    walk = Walk(site, page)
    walk.register()
    walk.begin(lesson_ids(site, {"choice"})[0])
    first = page.locator("#step-title").inner_text()
    walk.one_step()
    page.go_back()
    expect(page.locator("#step-title")).to_have_text(first)
    expect(page.locator("#step-title")).to_be_focused()
