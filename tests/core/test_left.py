"""What brings nothing back is left for the commit: sent with it, before whatever is asked first, or not at all."""

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from codyverse.accounts.models import User
from codyverse.core.asking import ask_one, leave, send, send_one
from codyverse.core.database import current_writer, savepoint, session, unit_of_work
from codyverse.core.resilience import again
from tests.core.test_writers import BROKEN, PID, RENAME, name_of
from tests.factories import make_user


def test_what_is_left_goes_with_the_commit(committed_app: Flask) -> None:
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    with unit_of_work():
        send(RENAME, {"id": ada, "name": "Countess"})
        leave(RENAME, {"id": bob, "name": "100 % Robert"})
        writer = current_writer()
        assert writer is not None
        assert [each.text for each in writer.left] == [
            "update users set display_name = %(name)s where id = %(id)s"
        ]
    assert (name_of(ada), name_of(bob)) == ("Countess", "100 % Robert")


@pytest.mark.parametrize("how", ["sent", "asked", "by the session", "in a savepoint"])
def test_whoever_asks_next_finds_what_was_left(committed_app: Flask, how: str) -> None:
    ada = make_user(name="Ada")
    name = text("select display_name from users where id = :id")
    with unit_of_work():
        send(PID)
        leave(RENAME, {"id": ada, "name": "Countess"})
        if how == "sent":
            found = send_one(name, {"id": ada}).display_name
        elif how == "asked":
            found = ask_one(name, {"id": ada}).display_name
        elif how == "by the session":
            found = session.scalar(select(User.display_name).where(User.id == ada))
        else:
            with savepoint():
                found = session.execute(name, {"id": ada}).scalar_one()
        assert found == "Countess"
    assert name_of(ada) == "Countess"


def test_what_is_left_within_a_savepoint_is_undone_with_it(committed_app: Flask) -> None:
    ada, bob = make_user(name="Ada"), make_user(name="Bob")

    def fail_within() -> None:
        with savepoint():
            leave(RENAME, {"id": bob, "name": "Robert"})
            raise RuntimeError("no")

    with unit_of_work():
        send(RENAME, {"id": ada, "name": "Countess"})
        with pytest.raises(RuntimeError, match="no"):
            fail_within()
    assert (name_of(ada), name_of(bob)) == ("Countess", "Bob")


def test_what_was_left_before_a_savepoint_outlives_it(committed_app: Flask) -> None:
    ada = make_user(name="Ada")
    with unit_of_work():
        send(PID)
        leave(RENAME, {"id": ada, "name": "Countess"})
        with pytest.raises(IntegrityError), savepoint():
            send(BROKEN, {"id": ada})
    assert name_of(ada) == "Countess"


def test_what_is_left_and_fails_keeps_nothing(committed_app: Flask) -> None:
    ada = make_user(name="Ada")

    def leave_what_fails() -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})
            leave(BROKEN, {"id": ada})

    with pytest.raises(IntegrityError) as told:
        leave_what_fails()
    assert "insert into users" in str(told.value)
    assert name_of(ada) == "Ada"
    with unit_of_work():
        send(RENAME, {"id": ada, "name": "Later"})
    assert name_of(ada) == "Later"


def test_a_fault_of_the_commit_says_what_was_sent_without_its_values(committed_app: Flask) -> None:
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    refuse = (
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$"
    )
    late = (
        "create constraint trigger late after update on users deferrable initially deferred for each row "
        "execute function refuse()"
    )
    for sql in (refuse, late):
        session.execute(text(sql))
    session.commit()

    def rename(*left: int) -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})
            for each in left:
                leave(RENAME, {"id": each, "name": "Robert"})

    renaming = "update users set display_name = %(name)s where id = %(id)s"
    for left, told in (((), "commit"), ((bob,), f"{renaming}; commit")):
        with pytest.raises(DBAPIError) as fault:
            rename(*left)
        assert fault.value.statement == told
    assert (name_of(ada), name_of(bob)) == ("Ada", "Bob")


@pytest.mark.parametrize("asked", [False, True])
def test_a_slow_one_says_whether_the_commit_went_with_it(
    committed_app: Flask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    settings = committed_app.extensions["settings"].model_copy(update={"slow_query_ms": 50})
    monkeypatch.setitem(committed_app.extensions, "settings", settings)
    slow = text("select pg_sleep(:seconds)")
    with unit_of_work():
        send(PID)
        leave(slow, {"seconds": 1.5 * settings.slow_query_ms / 1000})
        if asked:
            send(PID)
    said = [each.getMessage() for each in caplog.records if each.name == "codyverse.statements"]
    [told] = [each for each in said if "pg_sleep" in each]
    what, _, text_of_it = told.partition(": ")
    assert what == ("slow statement" if asked else "slow statement with its commit")
    assert text_of_it.endswith("ms: select pg_sleep(%(seconds)s)")


def test_what_is_left_and_fails_in_passing_is_done_again(committed_app: Flask) -> None:
    ada = make_user(name="Ada")
    passing = text("do $$ begin raise exception 'again' using errcode = 'serialization_failure'; end $$")
    tries: list[int] = []

    def act() -> None:
        tries.append(1)
        with unit_of_work():
            send(RENAME, {"id": ada, "name": f"Countess {len(tries)}"})
            if len(tries) < 3:
                leave(passing, {})

    again(act)
    assert (len(tries), name_of(ada)) == (3, "Countess 3")


def test_what_was_left_is_forgotten_with_the_unit(committed_app: Flask) -> None:
    ada = make_user(name="Ada")

    def fail_later() -> None:
        with unit_of_work():
            send(PID)
            leave(RENAME, {"id": ada, "name": "Countess"})
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail_later()
    with unit_of_work():
        send(PID)
    assert name_of(ada) == "Ada"


def test_alone_it_is_sent_at_once(committed_app: Flask) -> None:
    """Without a statement before it there is no transaction yet, and nothing to save."""
    ada = make_user(name="Ada")
    with unit_of_work():
        leave(RENAME, {"id": ada, "name": "Countess"})
        writer = current_writer()
        assert writer is not None
        assert writer.left == []
        assert writer.begun
    assert name_of(ada) == "Countess"
