"""Answers that are kept: right at once after every change, one statement, and never somebody else's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.accounts import tokens
from codyverse.core import cache
from codyverse.core.clock import now
from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.courses import versions
from codyverse.notifications import services as news
from tests.api.client import Program
from tests.api.conftest import Actor, actor
from tests.domains import study
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, do_lesson, make_course

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


@pytest.fixture
def site(committed_app: Flask, time_machine) -> tuple[Flask, Actor, Any]:
    """Commits are real, so that what a process keeps meets what the database says."""
    time_machine.move_to(NOON, tick=False)
    return committed_app, actor(committed_app, "ada@example.org", "Ada"), time_machine


def path_of(who: Actor) -> str:
    return f"/gamification/dashboard/{who.id}"


def changes_of(ada: Actor, clock: Any) -> dict[str, Callable[[], object]]:
    """Everything that a dashboard shows, changed one after the other."""
    first, second, third = make_course(*[Plan(asks=2, minutes=30)] * 3)

    def settings(**changed: Any) -> None:
        with unit_of_work():
            chosen = {
                "goal_intensity": "regular",
                "hidden": frozenset(),
                "theme": "auto",
                "streak_mode": None,
            }
            accounts.change_preferences(ada.id, **chosen | changed)

    def begin_and_answer() -> None:
        attempt = study.start(ada.id, second)
        clock.move_to(now() + timedelta(minutes=1), tick=False)
        study.answer_all(ada.id, attempt)

    def read_news() -> None:
        with unit_of_work():
            news.mark_all_read(ada.id)

    def tell() -> None:
        with unit_of_work():
            news.tell("level", "level:2", {"level": 2, "name": "Beginner", "gems": 2}, [ada.id], now())

    return {
        "a lesson": lambda: do_lesson(ada.id, first),
        "an answer": begin_and_answer,
        "news": tell,
        "news read": read_news,
        "coins left out": lambda: settings(hidden=frozenset({"coins"})),
        "coins taken back": settings,
        "coins": lambda: give(ada.id, coins=500),
        "a purchase": lambda: ada.program.post(
            "/gamification/shop/scarf/purchases", status=201, headers={"Idempotency-Key": "scarf-1"}
        ),
        "a reported lesson": lambda: ada.program.post(
            f"/gamification/lesson-complete/{ada.id}", {"lessonId": third, "timeSpent": 5, "score": 90}
        ),
        "another day": lambda: clock.move_to(now() + timedelta(days=1), tick=False),
        "a day missed": lambda: clock.move_to(now() + timedelta(days=1), tick=False),
        "the hours to mend it": lambda: clock.move_to(now() + timedelta(days=2), tick=False),
        "lessons to come": lambda: make_course(*[Plan(asks=1)] * 4),
        "another name": lambda: ada.program.patch("/users/me", {"name": "Ada L."}),
    }


def test_a_dashboard_that_is_kept_is_never_stale(site: tuple[Flask, Actor, Any]) -> None:
    app, ada, clock = site
    ada = Actor(ada.id, ada.email, Program(app, all_scopes(ada.id)))
    seen = []
    for name, change in changes_of(ada, clock).items():
        ada.program.get(path_of(ada))
        change()
        session.remove()
        kept = ada.program.get(path_of(ada)).data
        cache.levels(app).clear()
        assert kept == ada.program.get(path_of(ada)).data, name
        seen.append(kept)
    assert len({str(each) for each in seen}) >= len(seen) - 2, "most changes can be seen"


def all_scopes(user_id: int) -> str:
    with unit_of_work():
        return tokens.issue_token(
            user_id, "all", list(tokens.SCOPES.keys() - {"admin", "courses:write"}), by_operator=True
        )[0]


def test_it_costs_one_statement_and_no_more(site: tuple[Flask, Actor, Any]) -> None:
    app, ada, _ = site
    do_lesson(ada.id, *make_course(Plan()))
    session.remove()
    seen: list[str] = []
    ada.program.get(path_of(ada))
    count_statements(db.engine, seen.append)
    told = ada.program.get(path_of(ada))
    assert len(seen) == 1
    again = ada.program.get(path_of(ada), status=304, headers={"If-None-Match": told.headers["ETag"]})
    assert (again.headers["ETag"], len(seen)) == (told.headers["ETag"], 2)
    cache.levels(app).clear()
    seen.clear()
    ada.program.get(path_of(ada))
    assert len(seen) <= 4


def test_nobody_gets_what_was_kept_for_another(site: tuple[Flask, Actor, Any]) -> None:
    app, ada, _ = site
    ben, olu = actor(app, "ben@example.org", "Ben"), actor(app, "olu@example.org", "Olu", "operator")
    give(ada.id, coins=77)
    session.remove()
    for _ in range(2):
        for asking, whose, status in (
            (ada, ada, 200),
            (ben, ben, 200),
            (ben, ada, 403),
            (olu, ada, 200),
            (olu, olu, 200),
            (ada, ben, 403),
        ):
            told = asking.program.get(path_of(whose), status=status)
            if status == 200:
                assert told.data["user"]["id"] == whose.id
                assert told.data["wallet"]["coins"] == (77 if whose is ada else 0)
            else:
                assert "77" not in str(told.json)
    Program(app).get(path_of(ada), status=401)


def test_who_is_signed_out_gets_nothing_more_at_once(site: tuple[Flask, Actor, Any]) -> None:
    app, ada, _ = site
    ada.program.get(path_of(ada))
    with unit_of_work():
        tokens.revoke_all(ada.id)
    ada.program.get(path_of(ada), status=401)
    ada = Actor(ada.id, ada.email, Program(app, all_scopes(ada.id)))
    ada.program.get(path_of(ada))
    with unit_of_work():
        session.execute(text("update users set deactivated_at = now() where id = :id"), {"id": ada.id})
    ada.program.get(path_of(ada), status=401)


def test_courses_cost_one_statement_and_change_at_once(site: tuple[Flask, Actor, Any]) -> None:
    app, ada, _ = site
    [lesson_id] = make_course(Plan(), key="tea")
    session.remove()
    seen: list[str] = []
    paths = ["/courses", "/courses?page=2", f"/lessons/{lesson_id}"]
    before = [ada.program.get(path) for path in paths]
    count_statements(db.engine, seen.append)
    for path, first in zip(paths, before, strict=True):
        assert ada.program.get(path).data == first.data
        ada.program.get(path, status=304, headers={"If-None-Match": first.headers["ETag"]})
        versions.look_again()  # strangers share a look
        Program(app).get(path)
    assert len(seen) == 3 * len(paths)
    make_course(Plan(), Plan(), key="tea")
    session.remove()
    [course] = ada.program.get("/courses", headers={"If-None-Match": before[0].headers["ETag"]}).data["items"]
    assert course["lessons"] == 2
