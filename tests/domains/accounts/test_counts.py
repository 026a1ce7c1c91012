"""How many accounts there are is kept exactly, whatever happens to them, and by many at once."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import text

from codyverse.accounts import people, services
from codyverse.core.database import session, unit_of_work
from tests.factories import make_user


def kept() -> dict[str, int]:
    counted = dict(session.execute(text("select role, count(*) from users group by role")).all())
    for role in ("learner", "author", "operator"):
        assert people.people(0, 1, role)[1] == counted.get(role, 0), role
    assert people.people(0, 1)[1] == sum(counted.values())
    return counted


def test_made_changed_gone(app: Flask) -> None:
    assert kept() == {}
    for number in range(3):
        make_user(email=f"p{number}@example.org")
    make_user(role="author")
    assert kept() == {"learner": 3, "author": 1}
    with unit_of_work():
        services.set_role("p0@example.org", "operator")
        services.set_role("p1@example.org", "operator")
        services.set_role("p1@example.org", "operator")
    assert kept() == {"learner": 1, "author": 1, "operator": 2}
    session.execute(text("delete from users where role <> 'author'"))
    assert kept() == {"author": 1}
    session.execute(text("truncate users cascade"))
    assert kept() == {}


def test_what_is_undone_does_not_count(app: Flask) -> None:
    make_user()
    with session.begin_nested() as attempt:
        session.execute(text("delete from users"))
        attempt.rollback()
    assert kept() == {"learner": 1}


def test_many_at_once(committed_app: Flask) -> None:
    def register(number: int) -> None:
        with committed_app.app_context():
            make_user(email=f"many{number}@example.org", role="author" if number % 3 else "learner")
            session.remove()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(register, range(24)))
    assert kept() == {"learner": 8, "author": 16}
