"""A fresh site, a new person, a whole lesson, a reload: with a mouse, by keyboard alone, without JavaScript."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from codyverse.core.database import db
from codyverse.gamification import services as game
from tests.e2e.conftest import Opener, Site
from tests.e2e.walk import Walk, lesson_ids

KINDS = {"teach", "choice", "choices", "blank", "order", "match", "parsons"}


def standing(site: Site, email: str) -> tuple[int, int]:
    """XP and coins of this person, and proof that the ledger agrees."""
    with site.app.app_context():
        row = db.session.execute(
            text("select p.xp, p.coins from players p join users u on u.id = p.user_id where u.email = :e"),
            {"e": email},
        ).one()
        assert game.verify_ledger() == ()
        db.session.remove()
    return row.xp, row.coins


@pytest.mark.parametrize(
    ("by", "scripts", "size"),
    [("mouse", True, "desk"), ("keys", True, "desk"), ("mouse", False, "phone")],
    ids=["mouse", "keyboard alone", "no JavaScript"],
)
def test_sign_up_learn_reload(site: Site, open_page: Opener, by: str, scripts: bool, size: str) -> None:
    page = open_page("/", scripts=scripts, size=size)
    walk = Walk(site, page, by)
    walk.register("Wanda")
    met: set[str] = set()
    for lesson_id in lesson_ids(site, KINDS):
        met |= set(walk.finish(lesson_id, first_wrong=not met))
        expect(page.locator("#summary-title")).to_have_text("A new star is lit")
    assert met == KINDS
    xp, coins = standing(site, walk.email)
    assert xp > 0 < coins
    page.reload()
    expect(page.locator("#summary-title")).to_have_text("A new star is lit")
    page.goto("/dashboard")
    before = page.locator("main").inner_text()
    assert re.search(rf"\b{xp}\b", page.locator("body").inner_text())
    page.reload()
    assert page.locator("main").inner_text() == before
    assert standing(site, walk.email) == (xp, coins)


def test_the_standing_moves_in_the_same_response(site: Site, open_page: Opener) -> None:
    page = open_page("/")
    walk = Walk(site, page)
    walk.register()
    lesson_id = lesson_ids(site, {"choice"})[0]
    walk.begin(lesson_id)
    page.evaluate("window.here = true")
    for _ in range(3):
        walk.one_step()
    assert page.evaluate("window.here"), "the page was loaded anew"
    expect(page.locator("#progress")).to_be_visible()


def test_leaving_and_coming_back_goes_on_at_the_same_step_with_what_was_typed(
    site: Site, open_page: Opener
) -> None:
    page = open_page("/")
    walk = Walk(site, page)
    walk.register()
    lesson_id = lesson_ids(site, {"blank"})[0]
    walk.begin(lesson_id)
    while not page.locator('[name="blank-0"]').count():
        walk.one_step()
    title = page.locator("#step-title").inner_text()
    with page.expect_response(lambda answer: answer.url.endswith("/draft")) as kept:
        page.locator('[name="blank-0"]').press_sequentially("half a thou")
    assert kept.value.status == 204
    page.goto("/dashboard")
    page.locator(f'main a[href^="/lessons/{lesson_id}"]').first.click()
    expect(page.locator("#step-title")).to_have_text(title)
    expect(page.locator('[name="blank-0"]')).to_have_value("half a thou")


def test_the_time_zone_comes_from_the_browser(site: Site, open_page: Opener) -> None:
    page = open_page("/register", timezone_id="Asia/Kolkata")
    assert page.locator('[name="time_zone"]').input_value() in {"Asia/Kolkata", "Asia/Calcutta"}
    assert open_page("/register", scripts=False).locator('[name="time_zone"]').input_value() == "UTC"


def test_hints_come_one_at_a_time_and_keep_what_is_chosen(site: Site, open_page: Opener) -> None:
    page = open_page("/")
    walk = Walk(site, page)
    walk.register()
    walk.begin(lesson_ids(site, {"choice"})[0])
    while not page.locator('[name="hint_no"]').count():
        walk.one_step()
    page.locator('form#answer input:not([type="hidden"]), form#answer select').first.focus()
    page.locator('[name="hint_no"]').click()
    expect(page.locator("#hint-last")).to_be_focused()
    assert page.locator(".hints-list > li").count() == 1


def test_signed_out_in_another_tab_nothing_typed_is_lost(site: Site, open_page: Opener) -> None:
    page = open_page("/")
    walk = Walk(site, page)
    walk.register()
    walk.begin(lesson_ids(site, {"blank"})[0])
    while not page.locator('[name="blank-0"]').count():
        walk.one_step()
    typed = walk.solution(right=True)
    walk._blank(typed)
    page.context.clear_cookies()
    page.locator('form#answer button[type="submit"]:not([name])').click()
    expect(page.locator("#trouble [data-trouble]")).to_be_visible()
    expect(page.locator('[name="blank-0"]')).to_have_value(typed[0])


def test_no_connection_says_so_and_sends_again(site: Site, open_page: Opener) -> None:
    page = open_page("/")
    walk = Walk(site, page)
    walk.register()
    walk.begin(lesson_ids(site, {"choice"})[0])
    while not page.locator('[name="answer"]').count():
        walk.one_step()
    getattr(walk, "_" + (page.locator('[name="kind"]').get_attribute("value") or ""))(
        walk.solution(right=True)
    )
    page.context.set_offline(True)
    page.locator('form#answer button[type="submit"]:not([name])').click()
    expect(page.locator("#trouble [data-trouble]")).to_be_visible()
    page.context.set_offline(False)
    page.watch.console.clear()  # Chromium itself logs the request that failed
    page.locator("#trouble [data-send-again]").click()
    expect(page.locator("#verdict")).to_have_text("That is right")
