"""Behind a real PgBouncer that pools transactions: each transaction may run on another connection of PostgreSQL."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from codyverse import create_app, jobs
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.idempotency import Once
from codyverse.core.locks import only_one
from codyverse.gamification.services import verify_ledger
from codyverse.progress.services import complete_attempt
from config import load_settings
from tests.domains.study import Plan, answer_all, make_course, start
from tests.factories import make_user
from tests.ports import free_port
from tests.resilience.conftest import SETTINGS
from tests.resilience.postgres import own_postgres
from tests.waiting import eventually
from tools.machine import server

pytestmark = pytest.mark.drill
INI = """
[databases]
codyverse = host={host} port={port} user=codyverse dbname=codyverse
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
server_round_robin = 1
logfile = {folder}/pgbouncer.log
"""


@pytest.fixture(scope="module")
def behind() -> Iterator[Flask]:
    """The application behind PgBouncer, which shares three connections among all of its own."""
    program = server("pgbouncer")
    assert program, "No PgBouncer was found: apt install pgbouncer, or `make drill`, which does it."
    with own_postgres() as postgres:
        query, listen = make_url(postgres.url).query, free_port()
        folder = Path(str(query["host"])).parent / "pgbouncer"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        config = folder / "pgbouncer.ini"
        config.write_text(INI.format(host=query["host"], port=query["port"], listen=listen, folder=folder))
        as_owner = {"user": Path(str(query["host"])).stat().st_uid} if os.geteuid() == 0 else {}
        pooler = subprocess.Popen([str(program), "-q", str(config)], start_new_session=True, **as_owner)
        try:
            _wait_for(listen)
            address = f"postgresql://codyverse@127.0.0.1:{listen}/codyverse"
            more = {
                "DATABASE_URL": address,
                "DATABASE_POOLING": "transaction",
                "STREAM_DATABASE_URL": postgres.url,
            }
            app = create_app(load_settings(SETTINGS | more | {"STATEMENT_TIMEOUT_MS": "700"}))
            with app.app_context():
                upgrade()
                yield app
                db.session.remove()
                db.engine.dispose()
        finally:
            pooler.terminate()
            pooler.wait(30)


def at_once(app: Flask, act: Callable[[], Any]) -> list[Any]:
    """What eight threads get; none holds a transaction while it waits for the others, for there are three connections."""
    gate = Barrier(8)

    def one(_: int) -> Any:
        with app.app_context():
            gate.wait(30)
            return act()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


def _wait_for(port: int) -> None:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    assert eventually(answers), "PgBouncer does not start"


def test_connections_are_really_shared(behind: Flask) -> None:
    """Eight connections of ours are three of PostgreSQL's."""

    def whose() -> int:
        pid = session.execute(text("select pg_backend_pid() from pg_sleep(0.1)")).scalar_one()
        session.rollback()
        return int(pid)

    pids = at_once(behind, whose)
    assert 1 < len(set(pids)) <= 3, pids


def test_each_transaction_has_its_statement_timeout_and_leaves_none_behind(behind: Flask) -> None:
    for _ in range(6):
        assert session.execute(text("show statement_timeout")).scalar_one() == "700ms"
        session.rollback()
    with pytest.raises(OperationalError, match="statement timeout"):
        session.execute(text("select pg_sleep(5)"))
    session.rollback()
    plain = psycopg2.connect(behind.extensions["settings"].database_url.replace("+psycopg2", ""))
    with plain.cursor() as cursor:
        cursor.execute("show statement_timeout")
        assert cursor.fetchone() == ("0",)
    plain.close()


def test_who_waits_for_an_idempotency_key_has_the_timeout_of_the_transaction_again(behind: Flask) -> None:
    with unit_of_work():
        Once.of("person:1", "op", "a-key", b"{}", "secret").begin(3)
        limits = session.execute(
            text("select current_setting('statement_timeout'), current_setting('lock_timeout')")
        ).one()
    assert tuple(limits) == ("700ms", "0")


def test_a_lock_holds_while_other_transactions_come_and_go(behind: Flask) -> None:
    with only_one("test") as mine:
        assert mine
        for _ in range(6):
            session.execute(text("select 1"))
            session.rollback()
            with only_one("test") as second:
                assert not second
    with only_one("test") as after:
        assert after


def test_a_lesson_and_all_jobs(behind: Flask) -> None:
    [lesson_id] = make_course(Plan(asks=2, teaches=0))
    user_id = make_user()
    attempt_id = start(user_id, lesson_id)
    answer_all(user_id, attempt_id)

    def finish() -> None:
        with unit_of_work():
            complete_attempt(user_id, attempt_id)

    at_once(behind, finish)
    paid = text(
        "select count(*) from ledger_entries where user_id = :id and rule = 'lesson' and currency = 'xp'"
    )
    assert session.execute(paid, {"id": user_id}).scalar_one() == 1
    session.rollback()
    for each in jobs.JOBS:
        jobs.run(each.name)
    assert verify_ledger() == ()
    session.rollback()
