"""The archive on the page *Your data*: asked for, waited for, fetched; and what is said when none comes."""

import re
from datetime import timedelta

import time_machine
from flask import Flask

from codyverse import jobs
from codyverse.archives import prepared
from codyverse.core.clock import now
from codyverse.core.database import session
from tests.factories import make_user
from tests.lives.test_exports import ADA, FILE, PAGE, ask
from tests.web.visits import Visitor


def test_the_page_from_asking_to_fetching(here: Flask) -> None:
    with here.app_context():
        make_user(email=ADA, time_zone="Europe/Berlin")
        learner = Visitor(here).sign_in(ADA)
        page = learner.get(PAGE)
        assert not page.css("[data-watch]")
        assert learner.client.get(FILE).headers["Location"] == PAGE, "there is none yet"
        learner.submit(page, FILE)
        page = learner.get(PAGE)
        assert "waits for its turn" in page.text
        assert page.css("#take_along[data-watch]")
        assert not page.css(f'form[action="{FILE}"]'), "one is enough"
        assert learner.client.get(FILE).headers["Location"] == PAGE
        part = learner.get(PAGE, htmx=True)
        assert part.css("#take_along[data-watch]")
        assert not part.css("#erase-title, .masthead"), "only that part"
        jobs.run("exports")
        part = learner.get(PAGE, htmx=True)
        assert not part.css("[data-watch]"), "it stops looking by itself"
        way = part.css("#archive-way")[0]
        assert re.fullmatch(r"Download \(\d[\d.]* kB\)", way.text_content())
        assert way.get("href") == FILE
        got, same = learner.client.get(FILE), learner.client.get(FILE)
        assert got.mimetype == "application/zip"
        assert got.data == same.data
        assert re.fullmatch(
            r'attachment; filename="cody-verse-\d{4}-\d\d-\d\d\.zip"', got.headers["Content-Disposition"]
        )
        assert got.headers["Cache-Control"] == "no-store"
        other = make_user(email="ben@example.org")
        ben = Visitor(here).sign_in("ben@example.org")
        assert ben.client.get(FILE).headers["Location"] == PAGE, f"{other} gets nothing of it"
        learner.submit(learner.get(PAGE), FILE)
        assert "waits for its turn" in learner.get(PAGE).text
        session.remove()


def test_the_page_when_nothing_comes(here: Flask) -> None:
    """No worker runs: it says so, and looks no more by itself after a while."""
    with here.app_context():
        make_user(email=ADA)
        learner = Visitor(here).sign_in(ADA)
        learner.submit(learner.get(PAGE), FILE)
        for minutes, slow, looks in ((0, 0, 1), (3, 1, 1), (16, 1, 0)):
            with time_machine.travel(now() + timedelta(minutes=minutes), tick=False):
                page = learner.get(PAGE)
                assert len(page.css("#take_along .notice-notyet")) == slow
                assert len(page.css("[data-watch]")) == looks
                assert page.css("#archive-way")[0].text_content() == "Look again"


def test_the_page_when_it_is_over(here: Flask) -> None:
    with here.app_context():
        who = make_user(email=ADA)
        learner = Visitor(here).sign_in(ADA)
        ask(who)
        jobs.run("exports")
        with time_machine.travel(now() + timedelta(hours=25), tick=False):
            page = learner.get(PAGE)
            assert "is deleted" in page.text
            assert learner.client.get(FILE).headers["Location"] == PAGE
            learner.submit(page, FILE)
            assert prepared.state(who).state == "waiting"


def test_nobody_asks_without_end(here: Flask) -> None:
    with here.app_context():
        make_user(email=ADA)
        here.extensions["settings"] = here.extensions["settings"].model_copy(
            update={"ratelimit_export": "2 per hour"}
        )
        learner = Visitor(here).sign_in(ADA)
        for status in (303, 303, 429):
            learner.post(FILE, status=status)
