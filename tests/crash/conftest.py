"""A real server on a database of its own."""

import os
from collections.abc import Iterator

import pytest

from codyverse import create_app
from codyverse.core.database import db
from tests.conftest import drop_database, make_database, settings_for
from tests.crash.hall import Hall
from tests.domains.study import Plan, make_course
from tests.e2e.conftest import environment, stop
from tests.ports import free_port


@pytest.fixture
def hall(cluster: str) -> Iterator[Hall]:
    """A server on a database of its own with three short lessons."""
    name = f"cv_crash_{os.getpid()}"
    env = environment(make_database(cluster, name), PORT=str(free_port()))
    app = create_app(settings_for(env["DATABASE_URL"], SECRET_KEY=env["SECRET_KEY"]))
    with app.app_context():
        made = Hall(app, env, make_course(*[Plan(asks=2, teaches=0)] * 3))
        try:
            yield made
        finally:
            if made.process is not None:
                stop(made.process)
            db.session.remove()
            db.engine.dispose()
            drop_database(cluster, name)
