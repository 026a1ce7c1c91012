"""A PostgreSQL that takes what is sent and says nothing: who waits for it is let go, and when it goes on, so does the site."""

import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import click
import psycopg2
import pytest
from flask.cli import with_appcontext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from codyverse.cli.faults import speaks_plainly
from codyverse.cli.jobs import _run_in_context
from codyverse.core import health
from codyverse.core.database import db
from codyverse.core.health import Monitor
from codyverse.core.resilience import breaker_state
from codyverse.core.unanswered import Connections, sever
from tests.api.client import token_for
from tests.factories import make_user
from tests.frozen import freeze, frozen, thaw
from tests.resilience.conftest import Served
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """As short as they can be without taking a slow machine for one that hangs."""
    monkeypatch.setattr(health, "HANGS_AFTER_S", 1.0)
    monkeypatch.setattr(health, "PULSE_SECONDS", 0.2)


@pytest.fixture
def monitor(served: Served) -> Iterator[Monitor]:
    found: Monitor = served.app.extensions["health"]
    try:
        yield found
    finally:
        found.end()


@pytest.fixture
def token(served: Served) -> str:
    with served.app.app_context():
        made = token_for(make_user())
        db.session.remove()
    return made


def ask(served: Served, token: str) -> TestResponse:
    """Somebody whom the database has to be asked about asks for something."""
    told: TestResponse = served.app.test_client().get(
        "/api/courses", headers={"Authorization": f"Bearer {token}"}
    )
    return told


def test_who_waits_is_let_go_the_next_are_refused_at_once_and_it_goes_on(
    served: Served, monitor: Monitor, token: str
) -> None:
    assert ask(served, token).status_code == 200
    assert monitor.current().database == "connected"  # from here on it looks by itself, every half a minute
    with frozen(served.postgres.pid), ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask, served, token).result(60).status_code == 503
        assert eventually(lambda: monitor.current().database != "connected")
        with served.app.app_context():
            assert breaker_state() != "closed"
        refused = ask(served, token)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
    assert eventually(lambda: ask(served, token).status_code == 200)
    assert eventually(lambda: monitor.current().database == "connected")


def test_who_waits_is_let_go_also_when_the_look_has_to_connect_first(
    served: Served, monitor: Monitor
) -> None:
    """Connections that are kept are not the pool's, which may be empty; the server then takes the look's knock and says nothing."""
    with served.app.app_context(), db.engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(text("select 1"))
        monitor.begin()
        freeze(served.postgres.pid)
        try:
            waits = pool.submit(lambda: connection.execute(text("select 1")))
            assert eventually(waits.done), "it waits for ever"
        finally:
            thaw(served.postgres.pid)
        assert isinstance(waits.exception(), DBAPIError)


def test_one_connection_that_hangs_costs_nobody_else_theirs(served: Served, monitor: Monitor) -> None:
    """A firewall forgets a connection that nobody used for long: what is sent on it is lost, and new ones work."""
    with served.app.app_context(), db.engine.connect() as other, db.engine.connect() as dead:
        pid = dead.execute(text("select pg_backend_pid()")).scalar_one()
        with frozen(pid), ThreadPoolExecutor(1) as pool:
            waits = pool.submit(lambda: other.execute(text("select 7 from pg_sleep(4)")).scalar_one())
            raw = dead.connection.dbapi_connection
            with health.at_most(1, raw) as limit, pytest.raises(DBAPIError):
                dead.execute(text("select 1"))
            assert limit.is_over
            assert monitor.look().database == "connected"
            assert waits.result(60) == 7
        assert breaker_state() == "closed"


def test_who_waits_for_a_process_that_stands_still_is_let_go_though_the_database_is_well(
    served: Served, monitor: Monitor
) -> None:
    monitor.begin()
    with served.app.app_context(), db.engine.connect() as dead:
        pid = dead.execute(text("select pg_backend_pid()")).scalar_one()
        with frozen(pid), ThreadPoolExecutor(1) as pool:
            waits = pool.submit(lambda: dead.execute(text("select 1")))
            try:
                assert eventually(waits.done), "it waits for ever"
            finally:
                thaw(pid)
            assert isinstance(waits.exception(), DBAPIError)
        assert monitor.current().database == "connected"
        assert breaker_state() == "closed"


def test_a_command_ends_although_the_database_hangs(served: Served) -> None:
    """It was in the middle of asking: no timeout of its own or of the server's ends that."""

    @click.command()
    @with_appcontext
    @speaks_plainly
    def asks() -> None:
        with db.engine.connect() as connection:
            connection.execute(text("select 1"))
            freeze(served.postgres.pid)
            connection.execute(text("select 1"))

    with ThreadPoolExecutor(1) as pool:
        runs = pool.submit(served.app.test_cli_runner().invoke, asks)
        try:
            assert eventually(runs.done), "it waits for ever"
        finally:
            thaw(served.postgres.pid)
    assert runs.result().exit_code == 1
    assert runs.result().stderr.startswith("Error: The database does not answer")


def test_jobs_that_find_it_away_say_so_on_one_line(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.postgres.stop()
    with caplog.at_level("DEBUG", logger="codyverse.cli.jobs"):
        _run_in_context(served.app, "mails")
    [said] = caplog.records
    assert said.exc_info is None
    assert "the database does not answer" in said.getMessage()


def test_a_statement_that_only_takes_long_is_left_alone(served: Served, monitor: Monitor) -> None:
    monitor.begin()
    with served.app.app_context(), db.engine.connect() as connection:
        before = monitor.current().checked_at
        assert connection.execute(text("select 7 from pg_sleep(2)")).scalar_one() == 7
        assert eventually(lambda: monitor.current().checked_at > before), "it was not looked into"


def test_a_limit_that_is_kept_changes_nothing(served: Served) -> None:
    with served.app.app_context(), db.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        with health.at_most(0.1, raw) as limit:
            connection.execute(text("select 1"))
        time.sleep(0.3)
        assert not limit.is_over
        assert connection.execute(text("select 7")).scalar_one() == 7


def test_connections_that_are_closed_wait_for_nothing_and_are_forgotten(served: Served) -> None:
    connections = Connections()
    raw = connections.keep(psycopg2.connect(served.postgres.url.replace("+psycopg2", "", 1)))
    raw.close()
    assert connections.unanswered() == frozenset()
    assert sever([raw]) == 0
    gone = weakref.ref(raw)
    del raw
    assert gone() is None
