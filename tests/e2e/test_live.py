"""What happens in one tab is seen in another without a reload; where no stream can be had, by looking now and then."""

import re
import time

from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from codyverse.core.clock import now
from codyverse.core.database import db, unit_of_work
from codyverse.notifications import services
from tests.domains.gamification.test_shop import give
from tests.e2e.conftest import Opener, Site
from tests.e2e.walk import Walk, lesson_ids

GENEROUS = 20_000


def tell(site: Site, email: str, number: int) -> None:
    with site.app.app_context():
        who = db.session.execute(text("select id from users where email = :e"), {"e": email}).scalar_one()
        with unit_of_work():
            details = {"level": number, "name": "Student", "gems": number}
            services.tell("level", f"level:{number}", details, [who], now())
        db.session.remove()


def second_tab(first: Page, path: str) -> Page:
    page = first.context.new_page()
    with page.expect_response(re.compile("/notifications/stream"), timeout=GENEROUS) as stream:
        page.goto(path)
    assert stream.value.status == 200
    return page


def test_what_a_lesson_brings_is_seen_in_another_tab(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    tab = second_tab(walk.page, "/notifications")
    expect(tab.locator("#list")).to_contain_text("Nothing yet")
    walk.finish(lesson_ids(site, {"choice"})[0])
    expect(tab.locator("#bell")).to_contain_text("unread", timeout=GENEROUS)
    expect(tab.locator("#list li").first).to_be_visible(timeout=GENEROUS)
    expect(tab.locator("#news")).not_to_be_empty()
    expect(tab.locator("#hud")).not_to_contain_text(re.compile(r"\b0 XP"))


def test_an_open_dashboard_shows_goals_and_streak_as_they_are_reached(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    tab = second_tab(walk.page, "/dashboard")
    expect(tab.locator("#standing .week-lit")).to_have_count(0)
    walk.finish(lesson_ids(site, {"choice"})[0])
    expect(tab.locator("#standing .week-lit")).to_have_count(1, timeout=GENEROUS)
    expect(tab.locator("#streak-title")).to_have_text("1 day in a row")
    expect(tab.locator("#level-title")).to_be_visible()
    walk.page.goto("/dashboard")
    assert tab.locator("#standing").inner_text() == walk.page.locator("#standing").inner_text()


def test_a_purchase_in_one_tab_shows_the_balance_in_another(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    with site.app.app_context():
        who = db.session.execute(
            text("select id from users where email = :e"), {"e": walk.email}
        ).scalar_one()
        give(who, coins=75)
        db.session.remove()
    tab = second_tab(walk.page, "/courses")
    expect(tab.locator("#hud")).to_contain_text("75")
    walk.page.goto("/shop")
    walk.page.locator("#item-scarf").get_by_role("button", name="Buy").click()
    expect(walk.page.locator("#item-scarf .ware-said")).to_be_in_viewport()
    expect(tab.locator("#hud")).to_contain_text("15 coins", timeout=GENEROUS)


def test_each_piece_of_news_is_shown_and_not_only_the_first(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    tab = second_tab(walk.page, "/courses")
    for number in (2, 3):
        tell(site, walk.email, number)
        shown = tab.locator("#news").get_by_text(f"Level {number}: Student.")
        expect(shown).to_be_visible(timeout=GENEROUS)
        tab.evaluate("document.getAnimations().forEach((each) => each.finish())")  # its ten seconds are over
        expect(shown).to_be_hidden()


def test_who_finishes_a_lesson_is_not_told_of_it_a_second_time(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    with walk.page.expect_response(re.compile("/notifications/stream"), timeout=GENEROUS):
        walk.begin(lesson_ids(site, {"choice"})[0])
    told: list[str] = []
    walk.page.on(
        "response", lambda answer: "/notifications/bell" in answer.url and told.append(answer.text())
    )
    walk.page.route("**/complete", slowly)
    while not walk.page.locator("#summary").count():
        walk.one_step()
    expect(walk.page.locator("#announce")).to_contain_text("Badge earned: First Steps.")
    expect(walk.page.locator("#bell")).to_contain_text("unread")
    tell(site, walk.email, 9)  # what comes later is told
    expect(walk.page.locator("#news")).to_have_text("Level 9: Student.", timeout=GENEROUS)
    assert not [text for text in told if "Badge earned" in text]


def slowly(route: Route) -> None:
    """Hand the answer on when its news has long been in the stream."""
    answer = route.fetch()
    time.sleep(1)
    route.fulfill(response=answer)


def test_reading_in_one_tab_clears_the_bell_in_the_other(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    tell(site, walk.email, 2)
    tab = second_tab(walk.page, "/dashboard")
    expect(tab.locator("#bell")).to_contain_text("1 unread")
    walk.page.goto("/notifications")
    walk.page.get_by_role("button", name="Mark all as read").click()
    expect(walk.page.locator("#list form")).to_have_count(0)
    expect(tab.locator("#bell")).not_to_contain_text("unread", timeout=GENEROUS)


def test_what_is_marked_as_read_keeps_the_focus_on_the_list(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    for number in (2, 3):
        tell(site, walk.email, number)
    page = walk.page
    page.goto("/notifications")
    line = page.locator("#list li").first
    line.get_by_role("button").press("Enter")
    expect(line).not_to_have_class(re.compile("news-unread"))
    expect(line).to_be_focused()
    page.get_by_role("button", name="Mark all as read").press("Enter")
    expect(page.locator("#list form")).to_have_count(0)
    expect(page.locator("#list")).to_be_focused()


def test_a_tab_that_was_offline_is_told_what_it_missed(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    tab = second_tab(walk.page, "/dashboard")
    tab.context.set_offline(True)
    tell(site, walk.email, 2)
    tab.wait_for_timeout(500)
    tab.context.set_offline(False)
    expect(tab.locator("#bell")).to_contain_text("1 unread", timeout=GENEROUS)
    assert tab.locator("#trouble [data-trouble]").count() == 0
    walk.page.watch.console.clear()  # type: ignore[attr-defined] # the browser said that it was offline


def test_without_a_stream_the_page_looks_by_itself(site: Site, open_page: Opener) -> None:
    walk = Walk(site, open_page("/"))
    walk.register()
    page = walk.page
    page.clock.install()
    page.route("**/notifications/stream*", lambda route: route.fulfill(status=404, body="no streams here"))
    page.goto("/dashboard")
    page.clock.run_for(2_000)
    page.wait_for_timeout(300)
    tell(site, walk.email, 2)
    with page.expect_response(re.compile("/notifications/bell"), timeout=GENEROUS):
        page.clock.run_for(61_000)
    expect(page.locator("#bell")).to_contain_text("1 unread", timeout=GENEROUS)
    assert page.locator("#trouble [data-trouble]").count() == 0
