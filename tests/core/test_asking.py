"""Statements that go to the driver at once: the same rows, transactions, counts and errors as through the session."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import Integer, Numeric, Text, bindparam, cast, column, func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError

from codyverse.core.asking import ask, ask_one, look
from codyverse.core.database import count_statements, db, limit_each_transaction, session, unit_of_work
from codyverse.core.holding import MOST_KEPT
from tests.factories import make_user
from tests.waiting import eventually

TOLD = select(
    literal(7, Integer).label("number"),
    cast(literal("1.50"), Numeric(5, 2)).label("price"),
    cast(bindparam("given", type_=JSONB), JSONB).label("kept"),
    func.make_date(2026, 11, 28).label("day"),
    cast(bindparam("at"), Text).label("words"),
)
VALUES = {"given": {"a": [1, "%s %(x)s"]}, "at": "50 %"}
PID = text("select pg_backend_pid() as pid, pg_current_xact_id()::text as xact")
KILL = text("select pg_terminate_backend(:pid)")
NAME = text("update users set display_name = :name where id = :id returning display_name")
NAMED = text("select display_name from users where id = :id")


def test_rows_are_what_the_session_gives(committed_app: Flask) -> None:
    [told] = ask(TOLD, VALUES)
    usual = session.execute(TOLD, VALUES).one()
    assert tuple(told) == tuple(usual)
    assert (told.number, told.price, told.kept, told.day) == (
        7,
        Decimal("1.50"),
        {"a": [1, "%s %(x)s"]},
        date(2026, 11, 28),
    )
    assert told._fields == tuple(usual._fields)


def test_one_or_none(committed_app: Flask) -> None:
    rows = text("select n from generate_series(1, :most) as n")
    assert ask_one(rows, {"most": 0}) is None
    assert ask_one(rows, {"most": 1}).n == 1
    with pytest.raises(ValueError, match="several"):
        ask_one(rows, {"most": 2})
    assert ask(text("select 100 % 7 as rest"))[0].rest == 2


def test_outside_a_unit_each_is_a_transaction_of_its_own_and_the_connection_stays(
    committed_app: Flask,
) -> None:
    first, second = ask_one(PID), look(PID)
    assert first.pid == second.pid
    assert first.xact != second.xact
    assert not session().in_transaction()


def test_within_a_unit_of_work_it_sees_what_was_written_and_is_undone_with_it(committed_app: Flask) -> None:
    ada = make_user(name="Ada")

    def write_and_fail() -> None:
        with unit_of_work():
            assert ask_one(NAME, {"id": ada, "name": "Grace"}).display_name == "Grace"
            assert ask_one(NAMED, {"id": ada}).display_name == "Grace"
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        write_and_fail()
    assert ask_one(NAMED, {"id": ada}).display_name == "Ada"
    with unit_of_work():
        ask(NAME, {"id": ada, "name": "Grace"})
    assert look(NAMED, {"id": ada}).display_name == "Grace"


def test_each_is_counted(committed_app: Flask) -> None:
    sent: list[str] = []
    count_statements(db.engine, sent.append)
    ask(PID)
    with unit_of_work():
        ask(PID)
    assert len(sent) == 2


def test_errors_are_those_of_the_session(committed_app: Flask) -> None:
    ada = make_user()
    with pytest.raises(DBAPIError) as told:
        ask(text("select 1 / (1 - :one) as nothing"), {"one": 1})
    assert told.value.orig.pgcode == "22012"  # type: ignore[union-attr]
    with pytest.raises(IntegrityError), unit_of_work():
        ask(text("insert into users select * from users where id = :id"), {"id": ada})
    assert ask_one(NAMED, {"id": ada}) is not None


def test_a_connection_that_broke_is_told_as_such_and_not_used_again(committed_app: Flask) -> None:
    gone = ask_one(PID).pid
    with unit_of_work():
        session.connection().execute(KILL, {"pid": gone})
    with pytest.raises(DBAPIError) as told:
        ask(PID)
    assert told.value.connection_invalidated
    assert ask_one(PID).pid != gone


def test_disposing_the_engine_closes_those_that_wait(committed_app: Flask) -> None:
    pid = ask_one(PID).pid
    db.engine.dispose()
    left = text("select count(*) from pg_stat_activity where pid = :pid and backend_start < :at")
    at = datetime.now(UTC)

    assert eventually(lambda: ask(left, {"pid": pid, "at": at})[0].count == 0)


def test_a_statement_that_depends_on_its_values_is_refused(committed_app: Flask) -> None:
    with pytest.raises(TypeError, match="session"):
        ask(
            select(literal(1)).where(column("x", Integer).in_(bindparam("some", expanding=True))),
            {"some": [1]},
        )


def test_many_at_once_open_few_connections_and_all_are_answered(committed_app: Flask) -> None:
    slow = text("select pg_backend_pid() as pid from pg_sleep(0.2)")

    def one(_number: int) -> int:
        with committed_app.app_context():
            return int(ask_one(slow).pid)

    with ThreadPoolExecutor(4 * MOST_KEPT) as pool:
        pids = list(pool.map(one, range(4 * MOST_KEPT)))
    assert len(pids) == 4 * MOST_KEPT
    kept = text("select count(*) from pg_stat_activity where datname = current_database()")
    most = MOST_KEPT + committed_app.extensions["settings"].pool_size
    assert eventually(lambda: ask(kept)[0].count <= most)
    db.engine.dispose()
    assert eventually(lambda: ask(kept)[0].count <= 1)


def test_where_only_transactions_have_a_limit_of_time_it_holds_here_too(committed_app: Flask) -> None:
    limit_each_transaction(db.engine, 200)
    with pytest.raises(DBAPIError) as told:
        ask(text("select 1 from pg_sleep(:seconds)"), {"seconds": 30})
    assert told.value.orig.pgcode == "57014"  # type: ignore[union-attr]
    assert ask_one(PID) is not None


def test_a_connection_that_was_closed_under_us_is_told_as_the_session_tells_it(committed_app: Flask) -> None:
    with unit_of_work():
        session.connection().connection.driver_connection.close()  # type: ignore[union-attr]
        with pytest.raises(DBAPIError) as told:
            ask(PID)
        session.rollback()
    assert told.value.connection_invalidated
