"""What is drawn once and kept shows each person their own page, whoever looked before; and addresses fit the request."""

import re

import pytest
from flask import Flask

from codyverse.accounts import services as accounts
from codyverse.accounts.queries import account_by_email
from codyverse.core.database import count_statements, db, unit_of_work
from codyverse.web.render import kept_card, kept_url
from tests.domains.study import Plan, answer_all, do_lesson, make_course, start
from tests.factories import make_user
from tests.web.visits import HTMX, Visitor

PATHS = ("/dashboard", "/courses", "/progress", "/goals", "/badges", "/ledger", "/shop", "/notifications")
TOKEN = re.compile(r'name="(csrf_token|nonce)" value="[^"]*"|<code>[0-9a-f]{16}</code>')


def forget(app: Flask) -> None:
    """As a process that has just begun, as far as templates go."""
    app.jinja_env.cache.clear()  # type: ignore[union-attr]
    app.jinja_env.imported.clear()  # type: ignore[attr-defined]
    kept_card.cache_clear()


def shown(who: Visitor, path: str) -> str:
    return TOKEN.sub("", who.client.get(path).text)


@pytest.fixture
def people(app: Flask) -> list[Visitor]:
    """Four who differ in what they did, what they are called and what they left out, one of them at a lesson."""
    lessons = make_course(*[Plan(asks=2)] * 3)
    found = []
    for number, hidden in enumerate([(), (), ("coins",), ("xp", "streak")]):
        address = f"who{number}@example.org"
        who = make_user(email=address, name=f"Person <{number}>")
        for lesson in lessons[:number]:
            do_lesson(who, lesson)
        with unit_of_work():
            accounts.change_preferences(
                who,
                goal_intensity="regular",
                hidden=frozenset(hidden),
                theme=("auto", "light", "dark", "dark")[number],
            )
        found.append(Visitor(app).sign_in(address))
    return found


def test_each_sees_their_own_whoever_looked_before(app: Flask, people: list[Visitor]) -> None:
    for path in PATHS:
        fresh = []
        for who in people:
            forget(app)
            fresh.append(shown(who, path))
        forget(app)
        for _ in range(2):
            for number in (0, 1, 2, 3, 1, 0, 3, 2):
                page = shown(people[number], path)
                assert page == fresh[number], f"{path} of {number} after others"
                assert f"Person &lt;{number}&gt;" in page
                assert not re.search(rf"Person &lt;[^{number}]", page), path


def test_a_step_is_shown_as_its_learner_left_it_whoever_looked_before(app: Flask) -> None:
    [lesson] = make_course(Plan(asks=3))
    visitors = []
    for name in ("one", "two"):
        who = make_user(email=f"{name}@example.org", name=name)
        attempt = start(who, lesson)
        if name == "two":
            answer_all(who, attempt)
        visitors.append(Visitor(app).sign_in(f"{name}@example.org"))
    fresh = []
    for who in visitors:
        forget(app)
        fresh.append(shown(who, f"/lessons/{lesson}"))
    assert "right at once" in fresh[1]
    assert "right at once" not in fresh[0]
    assert [shown(who, f"/lessons/{lesson}") for who in reversed(visitors)] == fresh[::-1]


def test_the_own_page_and_a_step_ask_little_of_the_database(app: Flask, people: list[Visitor]) -> None:
    lessons = make_course(Plan(asks=2))
    start(account_by_email("who1@example.org").id, lessons[0])
    seen: list[str] = []
    count_statements(db.engine, seen.append)
    for path, most in (("/dashboard", 2), (f"/lessons/{lessons[0]}?step=2", 3)):
        for _ in range(2):  # what courses say is held after the first time
            seen.clear()
            people[1].client.get(path, headers=HTMX if "step" in path else {})
        asked = [sql for sql in seen if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]
        assert len(asked) <= most, asked


def test_addresses_fit_the_request(app: Flask) -> None:
    for host, root in (
        ("http://one.example", ""),
        ("http://two.example", "/school"),
        ("http://one.example", ""),
    ):
        with app.test_request_context("/courses", base_url=host + root):
            assert kept_url("dashboard.show") == f"{root}/dashboard"
            assert kept_url("lessons.show", lesson_id=1) == f"{root}/lessons/1"
            assert kept_url("badges.show", _anchor="a-b") == f"{root}/badges#a-b"
            assert kept_url("dashboard.show", _external=True) == f"{host}{root}/dashboard"
            assert kept_url(".show", slug="tea") == f"{root}/courses/tea"
        with app.test_request_context("/shop", base_url=host + root):
            assert kept_url(".show") == f"{root}/shop"
