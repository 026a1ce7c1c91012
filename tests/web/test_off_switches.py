"""A mechanic that a learner leaves out leaves no trace: not on any page, not in what htmx swaps in, not in the words."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from lxml import html
from sqlalchemy import text

from codyverse import jobs
from codyverse.accounts import profiles
from codyverse.accounts import services as accounts
from codyverse.accounts.queries import MECHANICS
from codyverse.core.database import session, unit_of_work
from codyverse.gamification import shop
from codyverse.gamification.leagues import rules as leagues
from codyverse.notifications import services as notifications
from tests.domains.study import Plan, answer_all, complete, do_lesson, make_course, start, steps_of
from tests.factories import make_user
from tests.web.visits import Page, Visitor

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
EMAIL = "ada@example.org"
SETTINGS = {"accounts.settings", "notifications.settings", "profiles.edit", "tokens.show"}
"""Where one has to name the mechanics in order to choose among them."""
FOR_BUILDERS = {"pages.gallery", "mails.kept", "mails.kept_html"}
NO_PAGES = {"pages.live", "ledger.export", "data.archive"}
"""The export of the wallet is a table of its own, held below."""
FOR_PROGRAMS = {"api", "docs", "site"}
SIGNED_OUT = {
    *("pages.landing", "accounts.register_form", "accounts.sign_in_form", "second_factor.ask"),
    *("recovery.forgot_form", "recovery.reset_form", "recovery.confirm_page", "recovery.change_page"),
    *("providers.away", "providers.back", "data.goodbye"),
}
FOR_OPERATORS = {"admin.show", "admin.system", "admin.api", "admin.learning"}
OF_A_KEY = {"passkeys.remove_form"}
"""Needs a passkey, which only a browser makes: tests/e2e/test_passkeys.py looks at it."""
NAMES = {
    "xp": r"\bXP\b|\blevels?\b",
    "coins": r"\bcoins?\b|\bgems?\b|\bshop\b",
    "streak": r"\bstreak\b|in a row|\bfreezes?\b",
    "goals": r"\bgoals?\b",
    "badges": r"\bbadges?\b",
    "leagues": r"\bleagues?\b|\bquest\b",
}
HOMES = {"badges": "badges.show", "goals": "goals.show", "leagues": "leaderboard.show", "coins": "shop.show"}
"""The page of a mechanic says that it is left out, to whoever comes by its address."""


@dataclass(frozen=True)
class World:
    """What there is to look at: paths by endpoint, and an attempt that can be gone on with."""

    paths: dict[str, list[str]]
    lesson: int
    attempt: int
    who: int


@pytest.fixture
def world(app: Flask, time_machine) -> World:
    """A learner with two weeks behind them who has something of everything."""
    time_machine.move_to(MONDAY, tick=False)
    slug = "sky"
    lessons = make_course(*[Plan(asks=3, difficulty="advanced", minutes=5)] * 12, key=slug)
    who = make_user(email=EMAIL, name="Ada")
    with unit_of_work():
        accounts.choose_leagues(who, wanted=True)
        accounts.change_goal_intensity(who, "casual")
    for day, lesson in enumerate(lessons[:9]):
        time_machine.move_to(MONDAY + timedelta(days=day), tick=False)
        attempt = start(who, lesson)
        time_machine.shift(timedelta(minutes=2))
        answer_all(who, attempt, wrong=day % 2)
        time_machine.shift(timedelta(minutes=2))
        complete(who, attempt)
        do_lesson(who, lesson)
    with unit_of_work():
        shop.purchase(who, "streak-freeze", "nonce-0001")
        shop.purchase(who, "scarf", "nonce-0002")
        shop.wear(who, "outfit", "scarf")
        profiles.change_profile_page(who, handle="ada", public=True, shown=frozenset(profiles.SHOWABLE))
    time_machine.move_to(leagues.over_everywhere(MONDAY.date()), tick=False)
    jobs.run("leagues-close")
    time_machine.shift(timedelta(hours=2))
    do_lesson(who, lessons[9])
    opened = start(who, lessons[10])
    return World(_paths(who, slug, lessons, opened), lessons[10], opened, who)


def _paths(who: int, slug: str, lessons: list[int], opened: int) -> dict[str, list[str]]:
    done = session.execute(
        text(
            "select lesson_id, id from attempts where user_id = :who and completed_at is not null order by id"
        ),
        {"who": who},
    ).all()
    entries = session.execute(
        text("select min(id) from ledger_entries where user_id = :who group by currency, rule"), {"who": who}
    ).scalars()
    steps = steps_of(opened)
    return {
        "courses.catalogue": ["/courses"],
        "courses.show": [f"/courses/{slug}"],
        "dashboard.show": ["/dashboard"],
        "badges.show": ["/badges"],
        "goals.show": ["/goals", "/goals?before=2026-06-08"],
        "leaderboard.show": ["/leaderboard", "/leaderboard?period=last"],
        "ledger.show": ["/ledger", "/ledger?currency=coins", "/ledger?rule=badge", "/ledger?rule=goal"],
        "ledger.entry": [f"/ledger/{each}" for each in entries],
        "lessons.show": [
            *(f"/lessons/{lesson}" for lesson in (lessons[0], lessons[11])),
            *(f"/lessons/{lessons[10]}?step={number}" for number, _ in enumerate(steps, start=1)),
        ],
        "lessons.summary": [f"/lessons/{lesson}/attempts/{attempt}" for lesson, attempt in done],
        "mails.unsubscribe_page": [f"/mails/unsubscribe/{_token(who)}"],
        "notifications.bell": ["/notifications/bell?after=0", "/notifications/bell?after=0&on=dashboard"],
        "notifications.show": ["/notifications", "/notifications?show=unread"],
        "profiles.show": ["/u/ada"],
        "progress.show": ["/progress", "/progress?month=2026-06"],
        "shop.show": ["/shop"],
        "data.show": ["/settings/data"],
        "passkeys.show": ["/settings/security/passkeys"],
        "second_factor.app": ["/settings/security/app"],
        "second_factor.codes": ["/settings/security/codes"],
        "security.show": ["/settings/security"],
        "security.list_sessions": ["/settings/security/sessions"],
        "security.address": ["/settings/address"],
    }


def _token(who: int) -> str:
    with unit_of_work():
        notifications.choose(who, page_off=set(), mail_kinds={"badge"}, mail_hour=17, quiet=None)
    token = text("select unsubscribe_token from notification_choices where user_id = :who")
    return str(session.execute(token, {"who": who}).scalar_one())


def hide(who: int, *mechanics: str) -> None:
    with unit_of_work():
        accounts.change_preferences(who, goal_intensity="casual", hidden=frozenset(mechanics), theme="auto")


def pages(learner: Visitor, world: World) -> Iterator[tuple[str, str, Page]]:
    """(endpoint, path, page) for every page there is, whole and as htmx asks for it."""
    for endpoint, paths in world.paths.items():
        for path in paths:
            for headers in ({}, {"HX-Request": "true", "HX-Request-Type": "partial"}):
                response = learner.client.get(path, headers=headers)
                known = {200, 303, 404, 409}  # 409: htmx asks for a step of a lesson that is not open
                assert response.status_code in known, f"{path}: {response.status_code}"
                yield endpoint, path, _parsed(response)


def _parsed(response: Any) -> Page:
    return Page(response, html.fromstring(response.text or "<p></p>"))


def traces(page: Page) -> set[str]:
    return {each.get("data-mechanic") for each in page.css("[data-mechanic]")}


def words(page: Page) -> str:
    """What is on the page to be read or heard; the course's own words are not the game's."""
    said = [page.text, *(each.get("aria-label") or "" for each in page.css("[aria-label]"))]
    return " ".join(said).replace("A goal.", "")


def by_answers(learner: Visitor, world: World) -> Iterator[tuple[str, str, Page]]:
    """The answers to what a learner does in a lesson, from the first hint to the completion."""
    base = f"/lessons/{world.lesson}"
    for step in steps_of(world.attempt):
        here = f"{base}/steps/{step.step_id}"
        if not step.asks:
            yield "read", here, learner.post(f"{here}/read", htmx=True, status=200)
            continue
        yield (
            "hint",
            here,
            learner.post(f"{here}/hint", {"hint_no": "1", "kind": "choice"}, htmx=True, status=200),
        )
        for number, given in enumerate((step.wrong, step.right), start=1):
            fields = {"kind": "choice", "answer": given, "try_no": str(number)}
            yield "answer", here, learner.post(f"{here}/answer", fields, htmx=True, status=200)
    completed = learner.post(f"{base}/complete", {"attempt_id": str(world.attempt)}, htmx=True, status=200)
    yield "complete", base, completed


def test_every_page_there_is_has_been_looked_at(app: Flask, world: World) -> None:
    gets = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or set()) and rule.endpoint.partition(".")[0] not in FOR_PROGRAMS
    }
    assert (
        gets - set(world.paths) == SETTINGS | FOR_BUILDERS | NO_PAGES | SIGNED_OUT | FOR_OPERATORS | OF_A_KEY
    )


def test_with_everything_shown_there_is_something_of_everything(app: Flask, world: World) -> None:
    """Else the tests below would find nothing to be missing."""
    learner = Visitor(app).sign_in(EMAIL)
    seen: set[str] = set()
    said = ""
    for _, path, page in pages(learner, world):
        assert page.status != 404, path
        seen |= traces(page)
        said += words(page)
    assert seen == set(MECHANICS)
    assert [name for name, pattern in NAMES.items() if not re.search(pattern, said, re.IGNORECASE)] == []


def test_with_everything_left_out_there_is_no_trace_of_the_game(app: Flask, world: World) -> None:
    hide(world.who, *MECHANICS)
    learner = Visitor(app).sign_in(EMAIL)
    found = []
    for endpoint, path, page in [*pages(learner, world), *by_answers(learner, world)]:
        found += [f"{path}: {trace}" for trace in traces(page)]
        if endpoint in {*HOMES.values(), "ledger.show"}:
            assert "you left this out" in page.text, path
            continue
        said = words(page)
        found += [
            f"{path}: “{each[0]}”"
            for name in NAMES.values()
            for each in re.finditer(name, said, re.IGNORECASE)
        ]
    assert found == []


@pytest.mark.parametrize(
    "left_out", [("badges", "goals", "streak", "leagues"), *[(each,) for each in MECHANICS]]
)
def test_the_wallet_as_csv_says_what_its_page_says(
    app: Flask, world: World, left_out: tuple[str, ...]
) -> None:
    hide(world.who, *left_out)
    learner = Visitor(app).sign_in(EMAIL)
    rows = list(csv.DictReader(io.StringIO(learner.client.get("/ledger.csv").text)))
    seen, path = [], "/ledger"
    while path:
        page = learner.get(path)
        seen += [each.text_content().split()[0] for each in page.css(".ledger-amount")]
        path = next((a.get("href") for a in page.css("a.button") if a.text_content() == "Older entries"), "")
    assert rows
    assert [f"{int(row['amount']):+d}" for row in rows] == seen
    told = " ".join(" ".join(row[name] for name in ("rule", "reason", "source")) for row in rows)
    for mechanic in left_out:
        assert not re.findall(NAMES[mechanic], told.replace("_", " "), re.IGNORECASE), mechanic


@pytest.mark.parametrize("mechanic", MECHANICS)
def test_one_that_is_left_out_takes_only_its_own_along(app: Flask, world: World, mechanic: str) -> None:
    hide(world.who, mechanic)
    learner = Visitor(app).sign_in(EMAIL)
    found, seen = [], set()
    for endpoint, path, page in [*pages(learner, world), *by_answers(learner, world)]:
        seen |= traces(page)
        found += [f"{path}: {mechanic}" for _ in page.css(f'[data-mechanic="{mechanic}"]')]
        if endpoint != HOMES.get(mechanic):
            hits = re.finditer(f".{{0,30}}({NAMES[mechanic]}).{{0,30}}", words(page), re.IGNORECASE)
            found += [f"{path}: “{each[0]}”" for each in hits]
    assert found == []
    assert seen == set(MECHANICS) - {mechanic}


def test_the_settings_offer_every_mechanic_and_bring_it_back(app: Flask, world: World) -> None:
    learner = Visitor(app).sign_in(EMAIL)
    offered = {each.get("value") for each in learner.get("/settings").css('input[name="hidden"]')}
    assert offered == set(MECHANICS)
    choice = {"goal_intensity": "casual", "theme": "auto"}
    learner.post("/settings/preferences", choice | {"hidden": list(MECHANICS)})
    assert traces(learner.get("/dashboard")) == set()
    ticked = learner.get("/settings").css('input[name="hidden"][checked]')
    assert {each.get("value") for each in ticked} == set(MECHANICS)
    learner.post("/settings/preferences", choice)
    assert traces(learner.get("/dashboard")) == set(MECHANICS)
    assert (
        session.execute(text("select xp from players where user_id = :who"), {"who": world.who}).scalar_one()
        > 0
    )
