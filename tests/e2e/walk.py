"""A person at a browser: signs up, opens a lesson, answers, goes on. By mouse, by keyboard alone, or without JavaScript."""

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, expect
from sqlalchemy import text

from codyverse.core.database import db
from codyverse.progress import queries, rehearsal
from tests.e2e.conftest import Site
from tests.factories import PASSWORD

_numbers = itertools.count(1)
STEP_ACTION = re.compile(r"/lessons/(\d+)/steps/(\d+)/answer")


def lesson_ids(site: Site, kinds: set[str]) -> list[int]:
    """Lessons, in order, that together have every kind of step in `kinds`; as few as a simple search finds."""
    with site.app.app_context():
        rows = db.session.execute(
            text(
                "select s.lesson_id, array_agg(distinct r.kind) from steps s join step_revisions r on r.id = s.revision_id "
                "join lessons l on l.id = s.lesson_id where s.retired_at is null and l.retired_at is null group by 1 order by 1"
            )
        ).all()
        db.session.remove()
    wanted, chosen = set(kinds), []
    while wanted:
        lesson_id, found = max(rows, key=lambda row: len(wanted & set(row[1])))
        assert wanted & set(found), f"no lesson has {wanted}"
        chosen.append(lesson_id)
        wanted -= set(found)
    return chosen


@dataclass
class Walk:
    """One person in one browser."""

    site: Site
    page: Page
    by: str = "mouse"
    email: str = field(default_factory=lambda: f"walker{next(_numbers)}-{id(object())}@example.org")

    # -- accounts

    def register(self, name: str = "Wanda") -> None:
        """From the landing page to the dashboard of a new account."""
        self.page.goto("/")
        self.follow("/register")
        self.type("display_name", name)
        self.type("email", self.email)
        self.type("password", PASSWORD)
        self.submit('form[action="/register"] [type=submit]')
        expect(self.page.locator("form[action='/login']")).to_be_visible()
        self.type("password", PASSWORD)
        self.submit("form[action='/login'] [type=submit]")
        expect(self.page).to_have_url(re.compile("/dashboard$"))

    def follow(self, path: str) -> None:
        self.submit(f'a[href="{path}"] >> visible=true')

    def type(self, name: str, value: str) -> None:
        place = self.page.locator(f'[name="{name}"]')
        if self.by == "keys":
            self.tab_to(place)
            self.page.keyboard.press("ControlOrMeta+a")
            self.page.keyboard.type(value)
        else:
            place.fill(value)

    def submit(self, selector: str) -> None:
        place = self.page.locator(selector).first
        if self.by == "keys":
            self.tab_to(place)
            self.page.keyboard.press("Enter")
        else:
            place.click()
        self.page.wait_for_load_state()

    def tab_to(self, place: Any) -> None:
        """Press Tab until this is in focus, as somebody without a mouse must."""
        expect(place).to_be_attached()
        for _ in range(300):
            if place.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {place}")

    # -- lessons

    def begin(self, lesson_id: int) -> None:
        """Somebody acts in the tab that they look at; behind another one the browser draws once a second."""
        self.page.bring_to_front()
        self.page.goto(f"/lessons/{lesson_id}")
        if self.page.locator(f'form[action="/lessons/{lesson_id}/start"]').count():
            self.submit(f'form[action="/lessons/{lesson_id}/start"] button')
        expect(self.page.locator("#step")).to_be_visible()

    def finish(self, lesson_id: int, *, first_wrong: bool = False) -> list[str]:
        """Go through the whole lesson; the kinds of the steps that were met."""
        self.begin(lesson_id)
        met = []
        for _ in range(60):
            if self.page.locator("#summary").count():
                return met
            met.append(self.one_step(wrong=first_wrong and met.count("teach") < len(met)))
        raise AssertionError("the lesson does not end")

    def one_step(self, *, wrong: bool = False) -> str:
        """Do what the step that is shown asks for, and go on; its kind."""
        form = self.page.locator("form#answer")
        kind = "teach"
        if form.count():
            kind = form.locator('[name="kind"]').get_attribute("value") or ""
            if wrong:
                self.answer(right=False)
                expect(self.page.locator("#verdict")).to_have_text("Not yet")
            self.answer(right=True)
            expect(self.page.locator("#verdict")).to_have_text("That is right")
        self.go_on()
        return kind

    def go_on(self) -> None:
        before = self.page.locator("#step-title").inner_text()
        place = self.page.locator("[data-next]")
        if self.by == "keys":
            self.page.keyboard.press("Enter")
        else:
            place.click()
        title = self.page.locator("#summary-title").or_(self.page.locator("#step-title"))
        expect(title).not_to_have_text(before)
        if self.by == "keys":  # a person goes on by the keyboard from where the page has put them
            expect(title).to_be_focused()

    def solution(self, *, right: bool) -> Any:
        action = self.page.locator("form#answer").get_attribute("action") or ""
        found = STEP_ACTION.search(action)
        assert found
        lesson_id, step_id = map(int, found.groups())
        with self.site.app.app_context():
            user_id = db.session.execute(
                text("select id from users where email = :e"), {"e": self.email}
            ).scalar_one()
            attempt_id = queries.open_attempt_id(user_id, lesson_id)
            assert attempt_id
            given = rehearsal.solution(attempt_id, step_id, right=right)
            db.session.remove()
        return given

    def answer(self, *, right: bool) -> None:
        kind = self.page.locator('form#answer [name="kind"]').get_attribute("value")
        given = self.solution(right=right)
        getattr(self, f"_{kind}")(given)
        self.submit('form#answer button[type="submit"]:not([name])')
        expect(self.page.locator("#verdict")).to_be_visible()

    def _choice(self, given: str) -> None:
        place = self.page.locator(f'[name="answer"][value="{given}"]')
        if self.by == "keys":
            order = self.page.locator('[name="answer"]').evaluate_all("all => all.map(each => each.value)")
            self.page.keyboard.press(str(order.index(given) + 1))
            expect(place).to_be_checked()
        else:
            place.check()

    def _choices(self, given: list[str]) -> None:
        for each in self.page.locator('[name="answer"]').all():
            wanted = each.get_attribute("value") in given
            if wanted == each.is_checked():
                continue
            if self.by == "keys":
                self.tab_to(each)
                self.page.keyboard.press("Space")
            else:
                each.set_checked(wanted)

    def _blank(self, given: list[str]) -> None:
        for index, value in enumerate(given):
            self.type(f"blank-{index}", value)

    def _match(self, given: dict[str, str]) -> None:
        for left, right in given.items():
            place = self.page.locator(f'[name="match-{left}"]')
            if self.by == "keys":
                self.tab_to(place)
                last = place.locator("option").last
                self.page.keyboard.press("End")
                expect(place).to_have_value(last.get_attribute("value") or "")
                # From the last one on, the list is searched from its head: no other option may begin with such a letter.
                self.page.keyboard.type(place.locator(f'option[value="{right}"]').inner_text()[0])
                expect(place).to_have_value(right)
            else:
                place.select_option(right)

    @property
    def _scripted(self) -> bool:
        return self.page.locator(".arrange-live").count() > 0

    def _order(self, given: list[str]) -> None:
        for index, each in enumerate(given):
            if self._scripted:
                now = self._ids("[data-used]").index(each)
                self._press(each, "ArrowUp" if now > index else "ArrowDown", abs(now - index))
            else:
                self.page.locator(f'[name="position-{each}"]').select_option(str(index + 1))

    def _parsons(self, given: list[dict[str, Any]]) -> None:
        if not self._scripted:
            for place in self.page.locator("select[data-place]").all():
                place.select_option("")
            for index, line in enumerate(given):
                self.page.locator(f'[name="position-{line["id"]}"]').select_option(str(index + 1))
                self.page.locator(f'[name="indent-{line["id"]}"]').select_option(str(line["indent"]))
            return
        for each in self._ids("[data-used]"):
            self._press(each, "Delete", 1)
        for line in given:
            self._press(line["id"], "Enter", 1)
            self._press(line["id"], "ArrowRight", line["indent"])

    def _ids(self, which: str) -> list[str]:
        names = self.page.locator(f"{which} [data-place]").evaluate_all("all => all.map(each => each.name)")
        return [name.removeprefix("position-") for name in names]

    def _press(self, item: str, key: str, times: int) -> None:
        grip = self.page.locator(f'[data-item]:has([name="position-{item}"]) [data-do="grip"]')
        if not times:
            return
        if self.by == "keys":
            self.tab_to(grip)
        else:
            grip.focus()
        for _ in range(times):
            self.page.keyboard.press(key)
