"""Two sites: what somebody takes from one to the other. Commits are real, for dumps are taken."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from codyverse import create_app
from codyverse.core.database import db
from tests.conftest import FreshClient, drop_database, make_database, settings_for

_numbers = itertools.count(1)
Site = Callable[[], Flask]


@contextmanager
def made(cluster: str, folder: Path) -> Iterator[Flask]:
    name = f"cv_life_{next(_numbers)}"
    app = create_app(settings_for(make_database(cluster, name), CODYVERSE_DATA=str(folder / name)))
    app.test_client_class = FreshClient
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        drop_database(cluster, name)


@pytest.fixture
def here(cluster: str, tmp_path: Path) -> Iterator[Flask]:
    """The site that somebody comes from."""
    with made(cluster, tmp_path) as app:
        yield app


@pytest.fixture
def there(cluster: str, tmp_path: Path) -> Iterator[Flask]:
    """An empty one."""
    with made(cluster, tmp_path) as app:
        yield app
