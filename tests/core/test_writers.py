"""What a unit of work writes past the session, and with it, is one transaction: all of it or nothing, on one connection."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError

from codyverse.accounts.models import User
from codyverse.core.asking import ask_one, look, send, send_one
from codyverse.core.database import current_writer, db, savepoint, session, undo, unit_of_work
from codyverse.core.holding import MOST_KEPT, RECYCLED_AFTER_S, held_of
from codyverse.core.libpq import words_of
from codyverse.core.resilience import again
from tests.api.conftest import actor
from tests.factories import make_user
from tests.waiting import eventually

PID = text("select pg_backend_pid() as pid, pg_current_xact_id()::text as xact")
RENAME = text("update users set display_name = :name where id = :id")
BROKEN = text("insert into users select * from users where id = :id")
KILL = text("select pg_terminate_backend(:pid)")
MINE = text("select count(*) as number from pg_stat_activity where datname = current_database()")


def kill(app: Flask, pid: int) -> None:
    """End a connection from one that is none of the application's."""
    with (
        closing(psycopg2.connect(**words_of(app.extensions["settings"].database_url))) as other,
        other,
        other.cursor() as cursor,
    ):
        cursor.execute("select pg_terminate_backend(%s)", (pid,))


def name_of(user_id: int) -> str:
    return str(look(text("select display_name from users where id = :id"), {"id": user_id}).display_name)


def test_units_use_one_connection_again_and_again(committed_app: Flask) -> None:
    pids = []
    for _ in range(3):
        with unit_of_work():
            first, second = send_one(PID), send_one(PID)
            assert first == second
            pids.append(first.pid)
    assert len(set(pids)) == 1


def test_the_session_joins_in_and_both_are_kept(committed_app: Flask) -> None:
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    with unit_of_work():
        send(RENAME, {"id": ada, "name": "Countess"})
        past = send_one(PID)
        user = session.scalars(select(User).where(User.id == bob)).one()
        user.display_name = "Robert"
        joined = session.connection().execute(PID).one()
        assert tuple(past) == tuple(joined)
        assert session.scalar(select(User.display_name).where(User.id == ada)) == "Countess"
    session.remove()
    assert (name_of(ada), name_of(bob)) == ("Countess", "Robert")


@pytest.mark.parametrize("session_first", [False, True])
def test_both_are_undone_together(committed_app: Flask, session_first: bool) -> None:
    ada, bob = make_user(name="Ada"), make_user(name="Bob")

    def through_the_session() -> None:
        session.scalars(select(User).where(User.id == bob)).one().display_name = "Robert"
        session.flush()

    def write_and_fail() -> None:
        with unit_of_work():
            if session_first:
                through_the_session()
            send(RENAME, {"id": ada, "name": "Countess"})
            if not session_first:
                through_the_session()
            assert (current_writer() is None) == session_first
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        write_and_fail()
    session.remove()
    assert (name_of(ada), name_of(bob)) == ("Ada", "Bob")
    with unit_of_work():
        send(RENAME, {"id": ada, "name": "Countess"})
    assert name_of(ada) == "Countess"


def test_what_fails_in_a_savepoint_takes_nothing_else_with_it(committed_app: Flask) -> None:
    ada = make_user(name="Ada")
    with unit_of_work():
        send(RENAME, {"id": ada, "name": "Countess"})
        with pytest.raises(IntegrityError), savepoint():
            send(BROKEN, {"id": ada})
        assert send_one(PID) is not None
    assert name_of(ada) == "Countess"


def test_a_fault_that_is_passed_over_keeps_nothing(committed_app: Flask) -> None:
    """As with the session: after a fault without a savepoint nothing of the transaction can be kept, and it says so."""
    ada = make_user(name="Ada")

    def pass_over() -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})
            with pytest.raises(IntegrityError):
                send(BROKEN, {"id": ada})
            send(RENAME, {"id": ada, "name": "Later"})

    with pytest.raises(DBAPIError) as told:
        pass_over()
    assert told.value.orig.pgcode == "25P02"  # type: ignore[union-attr]
    assert name_of(ada) == "Ada"


def test_a_fault_that_was_swallowed_is_told_at_the_commit(committed_app: Flask) -> None:
    """PostgreSQL answers the commit of what has failed with ROLLBACK; nobody may take that for kept."""
    ada = make_user(name="Ada")

    def swallow() -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})
            with pytest.raises(IntegrityError):
                send(BROKEN, {"id": ada})

    with pytest.raises(InvalidRequestError):
        swallow()
    assert name_of(ada) == "Ada"


def test_what_never_left_begins_nothing(committed_app: Flask) -> None:
    """A value that the driver refuses is refused before anything is sent; what follows is a transaction all the same."""
    ada = make_user(name="Ada")

    def fail_later() -> None:
        with unit_of_work():
            with pytest.raises(ValueError, match="NUL"):
                send(RENAME, {"id": ada, "name": "A\0da"})
            send(RENAME, {"id": ada, "name": "Countess"})
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail_later()
    assert name_of(ada) == "Ada"


@pytest.mark.parametrize("past_the_session", [True, False])
def test_a_unit_that_was_undone_writes_nothing_more(committed_app: Flask, past_the_session: bool) -> None:
    ada = make_user(name="Ada")

    def go_on() -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})
            undo()
            if past_the_session:
                send(RENAME, {"id": ada, "name": "Later"})
            else:
                session.connection().execute(RENAME, {"id": ada, "name": "Later"})

    with pytest.raises(InvalidRequestError, match="undone"):
        go_on()
    session.remove()
    assert name_of(ada) == "Ada"


def test_what_is_kept_is_counted_and_replaced_after_a_while(committed_app: Flask) -> None:
    with unit_of_work():
        first = send_one(PID).pid
        assert held_of(db.engine)[0] >= 1
    used, idle = held_of(db.engine)
    assert (used, idle >= 1) == (0, True)
    old = time.monotonic() + RECYCLED_AFTER_S
    with unit_of_work():
        assert send_one(PID).pid == first
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: old)
        with unit_of_work():
            assert send_one(PID).pid != first


def test_a_token_is_looked_up_again_where_its_connection_broke(committed_app: Flask) -> None:
    ada = actor(committed_app, "ada@example.org", "Ada")
    ada.program.get("/users/me")
    kill_all = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
    session.remove()
    url = committed_app.extensions["settings"].database_url
    with closing(psycopg2.connect(**words_of(url))) as other, other, other.cursor() as cursor:
        cursor.execute(kill_all)
    assert ada.program.get("/users/me").status == 200


def test_a_connection_that_broke_between_two_units_is_met_once(committed_app: Flask) -> None:
    ada = make_user(name="Ada")

    def rename() -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})

    with unit_of_work():
        gone = send_one(PID).pid
    kill(committed_app, gone)
    with pytest.raises(DBAPIError) as told:
        rename()
    assert told.value.connection_invalidated
    assert name_of(ada) == "Ada"
    again(rename)
    assert name_of(ada) == "Countess"
    with unit_of_work():
        assert send_one(PID).pid != gone


def test_a_connection_that_breaks_within_leaves_nothing(committed_app: Flask) -> None:
    ada = make_user(name="Ada")

    def cut_off() -> None:
        with unit_of_work():
            send(RENAME, {"id": ada, "name": "Countess"})
            ask_outside(send_one(PID).pid)

    def ask_outside(pid: int) -> None:
        with committed_app.app_context():
            look(KILL, {"pid": pid})

    with pytest.raises(DBAPIError) as told:
        cut_off()
    assert told.value.connection_invalidated
    assert name_of(ada) == "Ada"


def test_many_units_at_once_open_few_connections_and_all_are_kept(committed_app: Flask) -> None:
    people = [
        make_user(email=f"learner{number}@example.org", name="Before") for number in range(4 * MOST_KEPT)
    ]
    nap = text("select 1 as one from pg_sleep(0.1)")

    def rename(user_id: int) -> None:
        with committed_app.app_context(), unit_of_work():
            send(RENAME, {"id": user_id, "name": "After"})
            send(nap)

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(rename, people))
    assert {name_of(each) for each in people} == {"After"}
    most = MOST_KEPT + committed_app.extensions["settings"].pool_size
    assert eventually(lambda: ask_one(MINE).number <= most)
    db.engine.dispose()
    assert eventually(lambda: ask_one(MINE).number <= 1)
