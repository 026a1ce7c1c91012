"""A real browser with two tabs of one learner: how soon what happens in one is seen in the other."""

import re
from collections.abc import Iterator

from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import text

from bench.serving import PASSWORD, address
from codyverse.core.database import session, unit_of_work
from codyverse.progress import rehearsal, services
from tools.machine import chromium

LEARNERS = 10
WATCH = """() => {
    const bell = document.querySelector(".bell-place");
    window.seen = new Promise(resolve => {
        new MutationObserver(() => {
            if (/unread/.test(bell.textContent)) resolve(Date.now());
        }).observe(bell, {subtree: true, childList: true, characterData: true, attributes: true});
    });
}"""
CLICKED = """() => {
    document.addEventListener("click", () => sessionStorage.setItem("clicked", Date.now()), {capture: true});
}"""
ATTEMPT_STEPS = text("select step_id, asks from attempt_steps where attempt_id = :id order by position")


def ready_to_finish(app: Flask, number: int) -> int:
    """A learner who has answered everything of a first lesson, and has yet to finish it; the lesson."""
    with app.app_context():
        who = session.execute(
            text("select id from users where email = :e"), {"e": address(number)}
        ).scalar_one()
        lesson_id: int = session.execute(
            text("select min(id) from lessons where retired_at is null")
        ).scalar_one()
        with unit_of_work():
            attempt_id = services.start_attempt(who, lesson_id)
        for step_id, asks in session.execute(ATTEMPT_STEPS, {"id": attempt_id}).all():
            with unit_of_work():
                if asks:
                    services.answer_step(who, attempt_id, step_id, 1, rehearsal.solution(attempt_id, step_id))
                else:
                    services.finish_teaching(who, attempt_id, step_id)
        session.remove()
    return lesson_id


def sign_in(page: Page, number: int) -> None:
    page.goto("/login")
    page.fill('[name="email"]', address(number))
    page.fill('[name="password"]', PASSWORD)
    page.click('form[action="/login"] [type="submit"]')
    page.wait_for_url("**/dashboard")


def one(browser: Browser, url: str, lesson_id: int, number: int) -> float:
    """Seconds from the click that finishes the lesson until the other tab's bell shows what it brought."""
    context = browser.new_context(base_url=url)
    first = context.new_page()
    sign_in(first, number)
    other = context.new_page()
    with other.expect_response(re.compile("/notifications/stream")):
        other.goto("/dashboard")
    other.evaluate(WATCH)
    first.goto(f"/lessons/{lesson_id}")
    first.evaluate(CLICKED)
    first.click(f'form[action="/lessons/{lesson_id}/complete"] button')
    seen = other.evaluate("window.seen")
    clicked = first.evaluate('Number(sessionStorage.getItem("clicked"))')
    context.close()
    return float(seen - clicked) / 1000


def _each(app: Flask, url: str) -> Iterator[float]:
    program = chromium()
    if program is None:
        raise RuntimeError("No Chromium was found: python tools/machine.py installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(program), args=["--no-sandbox", "--disable-gpu"]
        )
        for number in range(LEARNERS):
            yield one(browser, url, ready_to_finish(app, number), number)
        browser.close()


def seconds_until_seen(app: Flask, url: str) -> list[float]:
    """For some learners, one after another, each with a first lesson."""
    return list(_each(app, url))
