"""Learners as they come, for locust: they sign up, look around, do lessons step by step, and look at what it brought.

    locust -f bench/locustfile.py --host https://learn.example.org

After a lesson they read their XP back, which must have grown at once: a read from a replica that has not got it yet is
counted as a failure. PAUSE_FROM and PAUSE_TO (seconds) say how long somebody looks at a page.
"""

import itertools
import os
import random
import time
from typing import Any

from locust import FastHttpUser, between, events, task
from lxml import html

PASSWORD = "wren-lantern-tide-42"
PAUSE = between(float(os.environ.get("PAUSE_FROM", "10")), float(os.environ.get("PAUSE_TO", "30")))
_numbers = itertools.count(1)
_run = f"{os.getpid()}-{int(time.time())}"


class Learner(FastHttpUser):
    """One person in one browser."""

    wait_time = PAUSE
    network_timeout = connection_timeout = 60.0

    def on_start(self) -> None:
        """Sign up, and in."""
        self.xp = 0
        own = {"email": f"load-{_run}-{next(_numbers)}@example.org", "password": PASSWORD}
        form = self._form(self.client.get("/register"), "/register")
        page = self._send("/register", form | own | {"display_name": "Load", "time_zone": "UTC"}, "/register")
        self._send("/login", self._form(page, "/login") | own, "/login")
        told = self._json("/api/users/me", "/api/users/me")
        self.person = int(told.get("id", 0))
        page = self.client.get("/courses")
        self.courses = sorted({way for way in _links(page) if way.startswith("/courses/")})

    # --- what they do ---

    @task(6)
    def do_a_lesson(self) -> None:
        """From the course's page to the summary, every step answered as it comes (often wrong)."""
        if not self.courses:
            return
        course = random.choice(self.courses)
        ways = [
            way
            for way in _links(self.client.get(course, name="/courses/[slug]"))
            if way.startswith("/lessons/")
        ]
        if not ways:
            return
        lesson = random.choice(ways).partition("?")[0]
        page = self.client.get(lesson, name="/lessons/[id]")
        if self._has(page, f"{lesson}/start"):
            page = self._send(f"{lesson}/start", self._form(page, f"{lesson}/start"), "/lessons/[id]/start")
        for _ in range(60):
            self.wait()  # type: ignore[no-untyped-call]
            following = self._step(lesson, page)
            if following is None:
                break
            page = following
        self._read_back()

    def _step(self, lesson: str, page: Any) -> Any:
        """Do the one thing that the page offers; the next page, None after the lesson's end."""
        for form in _tree(page).forms:
            action = form.get("action") or ""
            if action.endswith("/complete"):
                self._send(action, _filled(form), "/lessons/[id]/complete")
                return None
            if action.endswith("/read"):
                return self._send(action, _filled(form), "/lessons/[id]/steps/[id]/read")
            if action.endswith("/answer") and not _has_verdict(page):
                return self._send(action, _filled(form), "/lessons/[id]/steps/[id]/answer")
        onward = [way for way in _links(page) if way.startswith(f"{lesson}?step=")]
        return self.client.get(onward[-1], name="/lessons/[id]?step=") if onward else None

    def _read_back(self) -> None:
        """XP never fall, and are there at once."""
        before = self.xp
        with self.client.get(
            f"/api/gamification/dashboard/{self.person}", name="own XP after a lesson", catch_response=True
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return
            self.xp = int(answer.json()["data"]["user"]["totalXP"])
            if self.xp < before or (before == 0 and self.xp == 0):
                answer.failure(f"own XP were {before} and are read as {self.xp}")

    @task(4)
    def look_around(self) -> None:
        """The pages that people open between lessons."""
        self.client.get(
            random.choice(("/dashboard", "/progress", "/badges", "/ledger", "/notifications", "/shop"))
        )

    @task(2)
    def see_the_bell(self) -> None:
        """What an open page asks for now and then."""
        self.client.get("/notifications/bell", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    @task(1)
    def see_the_courses(self) -> None:
        self.client.get("/courses")

    # --- how ---

    def _json(self, path: str, name: str) -> dict[str, Any]:
        answer = self.client.get(path, name=name)
        return dict(answer.json()["data"]) if answer.status_code == 200 else {}

    def _send(self, path: str, fields: dict[str, Any], name: str) -> Any:
        return self.client.post(path, data=fields, name=name)

    def _has(self, page: Any, action: str) -> bool:
        return any(form.get("action") == action for form in _tree(page).forms)

    def _form(self, page: Any, action: str) -> dict[str, Any]:
        return next((_filled(form) for form in _tree(page).forms if form.get("action") == action), {})


def _tree(page: Any) -> Any:
    return html.fromstring(page.text or "<html></html>")


def _links(page: Any) -> list[str]:
    return [str(way) for way in _tree(page).xpath("//a/@href")]


def _has_verdict(page: Any) -> bool:
    return bool(_tree(page).xpath("//*[@id='verdict']"))


def _filled(form: Any) -> dict[str, Any]:
    """The form as somebody in a hurry fills it in: the first option, a word in each blank, every place once."""
    fields: dict[str, Any] = {}
    places = itertools.count()
    for each in form.xpath(".//input[@name] | .//select[@name]"):
        name, kind = each.get("name"), each.get("type", "")
        if each.tag == "select":
            values = [option.get("value") for option in each.xpath(".//option") if option.get("value")]
            turn = 0 if name.startswith("indent") else next(places)
            fields[name] = values[turn % len(values)] if values else ""
        elif kind in {"radio", "checkbox"}:
            fields.setdefault(name, each.get("value"))
        else:
            fields[name] = each.get("value") or "7"
    return fields


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _exit_status(environment: Any, **_rest: Any) -> None:
    """Failures are judged by whoever started locust, from its table."""
    environment.process_exit_code = 0
