"""An application as it is served, on a PostgreSQL of its own that a test may stop."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from flask_migrate import upgrade

from codyverse import create_app
from codyverse.core import heartbeat
from codyverse.core.database import db
from config import load_settings
from tests.conftest import FreshClient
from tests.resilience.postgres import Postgres, own_postgres

SETTINGS = {
    "CODYVERSE_ENV": "development",  # not testing: there, faults are raised through
    "SECRET_KEY": "a-key-for-these-tests-and-nothing-else",
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "1024",
    "RATELIMIT_DEFAULT": "100000 per minute",
    "BREAKER_REST_S": "1",
    "LOG_LEVEL": "CRITICAL",
}


@dataclass(frozen=True)
class Served:
    """The application and its database."""

    app: Flask
    postgres: Postgres


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """Migrated; stopped and started by the tests of one module."""
    with own_postgres() as made:
        app = create_app(load_settings(SETTINGS | {"DATABASE_URL": made.url}))
        with app.app_context():
            upgrade()
            db.engine.dispose()
        yield made


@pytest.fixture
def served(own_server: Postgres) -> Iterator[Served]:
    """A fresh application on the running server; at the end the server runs again."""
    app = create_app(load_settings(SETTINGS | {"DATABASE_URL": own_server.url}))
    app.test_client_class = FreshClient
    try:
        yield Served(app, own_server)
    finally:
        own_server.start_again()
        heartbeat.of(app).end()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
