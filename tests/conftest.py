"""Real parts for every test: an own PostgreSQL per worker, migrated once; each test in a transaction that is rolled back."""

import contextvars
import gc
import itertools
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import scoped_session

from codyverse import create_app
from codyverse.core.database import db
from codyverse.core.embedded.lease import Lease
from codyverse.gamification import badge_catalogue
from config import load_settings
from tests.places import quick_folder

TEMPLATE = "cv_template"
INSUFFICIENT_PRIVILEGE = "42501"
_numbers = itertools.count(1)
MOST_WORKERS = 6


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, for tests wait for servers and browsers a quarter of their time."""
    return min(
        MOST_WORKERS,
        len(os.sched_getaffinity(0)) + 1 if sys.platform == "linux" else (os.cpu_count() or 1) + 1,
    )


def pytest_collection_finish() -> None:
    """As app.py does: what is loaded by now stays, and is not looked through again and again for what could go."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


class FreshClient(FlaskClient):
    """Each request in a context of its own, as a server makes it, though the test holds an application context."""

    def open(self, *args, **kwargs):
        return contextvars.Context().run(super().open, *args, **kwargs)


def settings_for(url: str, **more: str):
    """Settings of a test: nothing of the process's environment, cheap hashing, limits far away."""
    values = {
        "CODYVERSE_ENV": "testing",
        "DATABASE_URL": url,
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "1024",
        "RATELIMIT_DEFAULT": "100000 per minute",
        "RATELIMIT_SIGN_IN": "100000 per minute",
        "RATELIMIT_SIGN_IN_ADDRESS": "100000 per minute",
        "RATELIMIT_REGISTER": "100000 per minute",
        "RATELIMIT_EXPORT": "100000 per minute",
        "LOG_LEVEL": "WARNING",
        "SLOW_QUERY_MS": "600000",  # nobody is told that the machine is slow
        "METRICS_EVERY_S": "0",
    }
    return load_settings(values | more)


def named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def statement(url: str, sql: str) -> None:
    """One statement outside any transaction, from another database than the one it is about."""
    engine = create_engine(named(url, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(sql))
    engine.dispose()


def make_database(url: str, name: str, *, like: str | None = TEMPLATE) -> str:
    """A database, copied from the migrated one or (None) without tables, by copying files: that is quickest. Its URL."""
    statement(url, f"create database {name} template {like or 'template1'} strategy file_copy")
    return named(url, name)


def drop_database(url: str, name: str) -> None:
    """Drop it with whoever is still connected. A worker of autovacuum belongs to the superuser, and is waited for."""
    for patience in range(300, -1, -1):
        try:
            statement(url, f"drop database {name} with (force)")
            break
        except ProgrammingError as fault:
            if getattr(fault.orig, "pgcode", None) != INSUFFICIENT_PRIVILEGE or patience == 0:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """A throw-away PostgreSQL with a migrated template database; its URL."""
    folder = quick_folder("codyverse-test-")
    try:
        with Lease(folder, throwaway=True).take() as lease:
            made = create_app(settings_for(make_database(lease.url, TEMPLATE, like=None)))
            with made.app_context():
                upgrade()
                db.engine.dispose()
            yield lease.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _application(cluster: str) -> Iterator[Flask]:
    made = create_app(settings_for(make_database(cluster, "cv_tests")))
    made.test_client_class = FreshClient
    db.session.session_factory.configure(join_transaction_mode="create_savepoint")
    yield made
    with made.app_context():
        db.engine.dispose()


@contextmanager
def undone(application: Flask) -> Iterator[None]:
    """Whatever the application commits within is gone afterwards; one within another goes back to where that one was.

    So a module may make once what all its tests begin with: in a fixture of its scope that yields within this.
    """
    with application.app_context():
        engines = db.engines
    engine = engines[None]
    if isinstance(engine, Connection):
        savepoint = engine.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()
        return
    with engine.connect() as connection:
        outer = connection.begin()
        engines[None] = connection
        try:
            yield
        finally:
            engines[None] = engine
            outer.rollback()


@pytest.fixture
def app(_application: Flask) -> Iterator[Flask]:
    """The application; whatever the test commits is gone afterwards."""
    with undone(_application), _application.app_context():
        try:
            yield _application
        finally:
            db.session.remove()


@pytest.fixture
def db_session(app: Flask) -> scoped_session:
    """The session of a test that calls services and queries; commits are rolled back at the end."""
    return db.session


@pytest.fixture
def committed_app(cluster: str) -> Iterator[Flask]:
    """The application on a fresh database of its own, where commits are real: for threads and crashes."""
    name = f"cv_own_{next(_numbers)}"
    url = make_database(cluster, name)
    made = create_app(settings_for(url, POOL_MAX="60", STATEMENT_TIMEOUT_MS="300000"))
    made.test_client_class = FreshClient
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()
    drop_database(cluster, name)


@pytest.fixture
def committed_database(committed_app: Flask) -> Flask:
    """The same under the name that says what it is for."""
    return committed_app


@pytest.fixture
def no_badges() -> Iterator[None]:
    """There are no badges: for tests that reckon what lessons and goals alone bring."""
    badge_catalogue.play_for(())
    yield
    badge_catalogue.play_for(None)
