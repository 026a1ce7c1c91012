"""Commands in this process, and sites to restore on."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import Result
from flask import Flask
from sqlalchemy import text

from codyverse import create_app
from codyverse.core.database import db, session
from tests.conftest import drop_database, make_database, settings_for

_numbers = itertools.count(1)


def run(app: Flask, *words: str) -> Result:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@contextmanager
def empty_site(cluster: str) -> Iterator[Flask]:
    """The application on a database without tables."""
    name = f"cv_restored_{next(_numbers)}"
    url = make_database(cluster, name, like=None)
    made = create_app(settings_for(url, STATEMENT_TIMEOUT_MS="60000"))
    with made.app_context():
        try:
            yield made
        finally:
            session.remove()
            db.engine.dispose()
    drop_database(cluster, name)


def tables(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return connection.execute(
            text("select count(*) from information_schema.tables where table_schema = 'public'")
        ).scalar_one()


def keep_data_in(app: Flask, folder: Path) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"data_dir": folder})
