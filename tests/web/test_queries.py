"""How many statements a page may cost: a ceiling for each, the same with ten times the lessons and ten times the past."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import event, text
from werkzeug.test import TestResponse

from codyverse.accounts import profiles
from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import db, session, unit_of_work
from codyverse.courses import queries as courses
from codyverse.courses import versions
from codyverse.gamification.leagues import services as leagues
from codyverse.gamification.leagues.rules import week_of
from codyverse.progress import rehearsal
from tests.domains.study import Plan, make_course
from tests.factories import PASSWORD, make_user
from tests.web.visits import HTMX, Visitor

Ask = Callable[[], Callable[[], TestResponse]]
"""Prepares a request, and gives what sends it: only the sending is counted."""
STYLE = rehearsal.Style(0.8)
NOT_COUNTED = ("savepoint", "release savepoint", "rollback to savepoint")

# With the one that finds out who is signed in, and the one for the head of each page: the standing and the bell.
# What is measured, never more.
CEILINGS = {
    "landing": 1,
    "courses": 1,
    "course": 1,
    "register form": 0,
    "register": 5,  # two of them the link to confirm the address, and its mail
    "sign in form": 0,
    "sign in": 2,
    "gallery": 0,
    "health": 0,
    "dashboard": 6,
    "courses, signed in": 3,
    "course, signed in": 4,
    "ledger": 4,
    "ledger, one entry": 3,
    "badges": 5,
    "shop": 5,
    "goals": 6,
    "progress": 7,
    "league": 2,
    "league, taking part": 5,
    "notifications": 3,
    "bell": 4,
    "bell, on the dashboard": 6,
    "bell, nothing new": 2,
    "what to hear of": 3,
    "public page": 5,
    "public page, form": 3,
    "settings": 2,
    "tokens": 3,
    "new token": 6,
    "profile": 6,  # with the card and the head of the page, which were a request of their own (settings)
    "preferences": 7,
    "sign out": 2,
    "intro": 4,
    "start": 6,
    "player": 4,
    "read": 10,  # the first of the day, which writes the day's goals
    "draft": 5,
    "hint": 8,
    "answer": 4,  # who acts, with the step; the answer; the player, the head of the page
    "answer again": 4,
    "complete": 9,  # with a badge: who acts; the attempt, the lesson, all that it brought; five for the summary
    "summary": 7,
}

GAME = {
    "badges": "/badges",
    "shop": "/shop",
    "goals": "/goals",
    "progress": "/progress",
    "league": "/leaderboard",
    "notifications": "/notifications",
    "bell": "/notifications/bell?after=0",
    "bell, on the dashboard": "/notifications/bell?after=0&on=dashboard",
    "what to hear of": "/notifications/settings",
    "public page, form": "/settings/public",
}

SAVED = ("start", "register", "sign in", "sign out")
STATUS = {"draft": 204, "bell, nothing new": 304} | dict.fromkeys(SAVED, 303)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent in this block; savepoints belong to the test."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.lower().startswith(NOT_COUNTED):
            seen.append(" ".join(statement.split())[:160])

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    session.remove()
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", note)


def a_site(scale: int) -> dict[str, Ask]:
    """A site with `scale` times five lessons and a learner with `scale` times three days behind them; what can be asked.

    What is kept of courses was read before; nothing else is.
    """
    app = db_app()
    email = f"scale{scale}@example.org"
    user_id = make_user(email=email)
    lessons = make_course(*[Plan(asks=2)] * (5 * scale), key=f"scaled-{scale}")
    dice = random.Random(scale)
    for day in range(3 * scale):
        at = now() - timedelta(days=3 * scale - day)
        with unit_of_work():
            rehearsal.play(user_id, lessons[day], at, until=now(), style=STYLE, dice=dice)
    handle = f"scale-{scale}"
    with unit_of_work():
        profiles.change_profile_page(user_id, handle=handle, public=True, shown=frozenset(profiles.SHOWABLE))
    attempt, entry = newest_attempt(user_id), newest_entry(user_id)
    learner, stranger = Visitor(app).sign_in(email), Visitor(app)
    done, fresh = lessons[3 * scale - 1], lessons[3 * scale]
    token = learner.token()

    def get(visitor: Visitor, path: str) -> Ask:
        return lambda: partial(visitor.client.get, path)

    def post(path: str, fields: Callable[[], dict[str, str]]) -> Ask:
        return lambda: partial(learner.client.post, path, data={"csrf_token": token} | fields(), headers=HTMX)

    def as_stranger(path: str, fields: dict[str, str]) -> Ask:
        data = {"csrf_token": stranger.token()} | fields
        return lambda: partial(stranger.client.post, path, data=data)

    steps = (
        session.execute(text("select id from steps where lesson_id = :l order by position"), {"l": fresh})
        .scalars()
        .all()
    )
    read_courses(stranger, f"scaled-{scale}", done, fresh)

    def right() -> dict[str, str]:
        given = rehearsal.solution(newest_attempt(user_id), steps[1])
        session.remove()
        return {"kind": "choice", "try_no": "1", "answer": given}

    def last() -> dict[str, str]:
        attempt_id = newest_attempt(user_id)
        given = rehearsal.solution(attempt_id, steps[2])
        session.remove()
        learner.client.post(
            f"/lessons/{fresh}/steps/{steps[2]}/answer",
            data={"csrf_token": token, "kind": "choice", "try_no": "1", "answer": given},
        )
        return {"attempt_id": str(attempt_id)}

    def taking_part() -> Callable[[], TestResponse]:
        with unit_of_work():
            accounts.choose_leagues(user_id, wanted=True)
            leagues.join(user_id, week_of(now().date()), now())
        session.remove()
        return partial(learner.client.get, GAME["league"])

    def tagged() -> dict[str, str]:
        return {"If-None-Match": learner.client.get(GAME["bell"], headers=HTMX).headers["ETag"]} | HTMX

    return {
        "landing": get(stranger, "/"),
        "courses": get(stranger, "/courses"),
        "course": get(stranger, f"/courses/scaled-{scale}"),
        "dashboard": get(learner, "/dashboard"),
        "courses, signed in": get(learner, "/courses"),
        "course, signed in": get(learner, f"/courses/scaled-{scale}"),
        "intro": get(learner, f"/lessons/{done}"),
        "start": post(f"/lessons/{fresh}/start", dict),
        "player": get(learner, f"/lessons/{fresh}"),
        "read": post(f"/lessons/{fresh}/steps/{steps[0]}/read", dict),
        "draft": post(f"/lessons/{fresh}/steps/{steps[1]}/draft", right),
        "hint": post(f"/lessons/{fresh}/steps/{steps[1]}/hint", lambda: right() | {"hint_no": "1"}),
        "answer": post(f"/lessons/{fresh}/steps/{steps[1]}/answer", right),
        "answer again": post(f"/lessons/{fresh}/steps/{steps[1]}/answer", lambda: right() | {"try_no": "2"}),
        "complete": post(f"/lessons/{fresh}/complete", last),
        "summary": get(learner, f"/lessons/{done}/attempts/{attempt}"),
        "ledger": get(learner, "/ledger"),
        "ledger, one entry": get(learner, f"/ledger/{entry}"),
        **{name: get(learner, path) for name, path in GAME.items()},
        "league, taking part": taking_part,
        "bell, nothing new": lambda: partial(learner.client.get, GAME["bell"], headers=tagged()),
        "public page": get(stranger, f"/u/{handle}"),
        "settings": get(learner, "/settings"),
        "tokens": get(learner, "/settings/tokens"),
        "new token": post("/settings/tokens", lambda: {"name": "Bot", "scopes": "game:read", "days": "30"}),
        "preferences": post("/settings/preferences", lambda: {"goal_intensity": "casual", "theme": "dark"}),
        "profile": post(
            "/settings/profile", lambda: {"display_name": "Ada", "time_zone": "UTC", "day_start_hour": "4"}
        ),
        "gallery": get(stranger, "/gallery"),
        "health": get(stranger, "/health/live"),
        "register form": get(stranger, "/register"),
        "register": as_stranger(
            "/register", {"display_name": "New", "email": f"new-{email}", "password": PASSWORD}
        ),
        "sign in form": get(stranger, "/login"),
        "sign in": as_stranger("/login", {"email": email, "password": PASSWORD}),
        "sign out": post("/logout", dict),
    }


def read_courses(stranger: Visitor, slug: str, *lessons: int) -> None:
    for path in ("/courses", f"/courses/{slug}"):
        stranger.client.get(path)
    for lesson_id in lessons:
        courses.reading(lesson_id)
    session.remove()


def newest_attempt(user_id: int) -> int:
    found = session.execute(
        text("select max(id) from attempts where user_id = :u"), {"u": user_id}
    ).scalar_one()
    session.remove()  # what a request commits must not lie within an open savepoint of the test
    return int(found)


def newest_entry(user_id: int) -> int:
    newest = text("select max(id) from ledger_entries where user_id = :u")
    found = session.execute(newest, {"u": user_id}).scalar_one()
    session.remove()
    return int(found)


def db_app() -> Flask:
    from flask import current_app

    return current_app._get_current_object()


def cost(asks: dict[str, Ask]) -> dict[str, list[str]]:
    found = {}
    for name, ask in asks.items():
        send = ask()
        versions.look_again()
        with counted() as seen:
            status = send().status_code
        assert status == STATUS.get(name, 200), f"{name}: {status}"
        found[name] = seen
    return found


@pytest.fixture
def costs(app: Flask, time_machine) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of a small site and of one ten times as large, at the same moment of the week."""
    time_machine.move_to("2026-06-17T12:00:00Z", tick=False)
    return cost(a_site(1)), cost(a_site(10))


def test_every_page_has_its_ceiling_and_keeps_it_at_ten_times_the_size(costs) -> None:
    small, large = costs
    assert set(small) == set(CEILINGS)
    counts = {name: len(statements) for name, statements in small.items()}
    over = {name: (count, small[name]) for name, count in counts.items() if count > CEILINGS[name]}
    assert over == {}
    assert {name: len(statements) for name, statements in large.items()} == counts
    assert db.engine is not None
