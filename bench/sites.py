"""Sites of any size, to be measured beside each other: the same courses, learners with the same kind of history."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bench.serving import ROOT, SETTINGS
from codyverse import create_app
from codyverse.core.database import db
from config import load_settings

LESSONS = 200
PATIENCE_S = 120
TABLES = ("users", "lessons", "attempts", "answers", "ledger_entries", "daily_goals", "notifications")
_PATIENT = {"STATEMENT_TIMEOUT_MS": "600000"}


def named(url: str, database: str, user: str | None = None) -> str:
    """The address of another database of the same PostgreSQL."""
    told = make_url(url).set(database=database)
    return (told.set(username=user) if user else told).render_as_string(hide_password=False)


def statement(url: str, *said: str) -> None:
    """Statements outside of any transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for each in said:
            connection.execute(text(each))
    engine.dispose()


def taught(url: str, lessons: int = LESSONS) -> None:
    """Tables, and courses with so many lessons, in the database at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        _enlarged(Path(folder), lessons)
        _run(url, "db", "upgrade")
        _run(url, "content", "apply", folder)


def peopled(url: str, learners: int, *, weeks: int, answers_every: int) -> None:
    """Learners with up to so many weeks behind them, on a site that is taught."""
    words = ["--learners", str(learners), "--weeks", str(weeks), "--answers-every", str(answers_every)]
    _run(url, "demo", "seed", *words)


def application(url: str) -> Flask:
    """The application on a site that is ready, after PostgreSQL has had a look at it."""
    _looked_at(url)
    return create_app(load_settings(SETTINGS | _PATIENT | {"DATABASE_URL": url, "METRICS_EVERY_S": "0"}))


_UNSEEN = text("""
    select string_agg(relname, ', ') from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = 'public' and relkind = 'r' and relallvisible < relpages
""")


def _looked_at(url: str) -> None:
    """Vacuum until it has seen every page: it passes over rows whose commit is not on the disk yet, or not old enough.

    Raises RuntimeError if that stays.
    """
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for _ in range(PATIENCE_S):
            connection.execute(text("vacuum analyze"))
            unseen = connection.execute(_UNSEEN).scalar_one()
            if unseen is None:
                break
            time.sleep(1)
        else:
            raise RuntimeError(f"a vacuum does not get to see all of {unseen}")
    engine.dispose()


def _enlarged(folder: Path, lessons: int) -> None:
    """The real courses, again and again under other names, until there are so many lessons."""
    found = 0
    for number in itertools.count(1):
        for course in sorted(path.parent for path in (ROOT / "content").glob("*/course.md")):
            if found >= lessons:
                return
            copy = folder / (course.name if number == 1 else f"{course.name}-{number}")
            shutil.copytree(course, copy)
            page = copy / "course.md"
            page.write_text(page.read_text().replace(f"key: {course.name}\n", f"key: {copy.name}\n", 1))
            found += sum(1 for path in copy.rglob("*.md") if path.name not in {"course.md", "module.md"})


def _run(url: str, *words: str) -> None:
    """A command as an operator calls it. Raises RuntimeError with what it said if it fails."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env = keep | SETTINGS | _PATIENT | {"DATABASE_URL": url}
    command = [sys.executable, "-m", "flask", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"flask {' '.join(words)}: {done.stderr or done.stdout}")


def sizes(app: Flask) -> dict[str, int]:
    """Rows by table, counted."""
    with app.app_context(), db.engine.connect() as connection:
        return {
            name: connection.execute(text(f"select count(*) from {name}")).scalar_one() for name in TABLES
        }
