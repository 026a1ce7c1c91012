"""Sites of any size, to be measured beside each other: the same courses, learners with the same kind of history."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url

from bench.serving import ROOT, SETTINGS
from codyverse import create_app
from codyverse.core.database import db
from codyverse.stories.rows import COLUMNS
from config import load_settings

LESSONS = 200
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


def multiplied(url: str, times: int) -> None:
    """Everybody `times` times, under other names: faster than living each life, the same to PostgreSQL's eyes.

    `url` must be a superuser's, for what refers to what has been checked already.
    """
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        connection.execute(text("set local statement_timeout = 0"))
        spans = {name: _span(connection, name) for name in ("users", "attempts")}
        counts = {name: _last(connection, name) for name in ("ledger_entries", "answers", "notifications")}
        for number in range(1, times):
            for table in COLUMNS:
                where = f"where id <= {counts[table]}" if table in counts else _where(table, spans)
                connection.execute(text(_copy(table, number, spans, where)))
        for name, span in spans.items():
            connection.execute(text(f"select setval('{name}_id_seq', {span * times})"))
    engine.dispose()


def _last(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"select coalesce(max(id), 0) from {table}")).scalar_one())


_span = _last


def _where(table: str, spans: dict[str, int]) -> str:
    """The rows of the first ones only, not those of copies that were made before."""
    columns = COLUMNS[table].split(", ")
    whose = next(name for name in ("user_id", "attempt_id", "id") if name in columns)
    return f"where {whose} <= {spans['users' if table == 'users' or whose == 'user_id' else 'attempts']}"


def _copy(table: str, number: int, spans: dict[str, int], where: str) -> str:
    users, attempts = (f"+ {spans[name] * number}" for name in ("users", "attempts"))
    other = {
        "id": f"id {users if table == 'users' else attempts}",
        "user_id": f"user_id {users}",
        "attempt_id": f"attempt_id {attempts}",
        "email": f"'{number}-' || email",
        "email_key": f"'{number}-' || email_key",
        "handle": f"handle || '-{number}'",
    }
    if table == "ledger_entries":
        again = f"'attempt:' || cast(substr(source, 9) as bigint) {attempts}"
        other["source"] = f"case when rule = 'lesson_again' then {again} else source end"
    selected = ", ".join(other.get(name, name) for name in COLUMNS[table].split(", "))
    return f"insert into {table} ({COLUMNS[table]}) select {selected} from {table} {where}"


def application(url: str) -> Flask:
    """The application on a site that is ready, after PostgreSQL has had a look at it."""
    statement(url, "vacuum analyze")
    return create_app(load_settings(SETTINGS | _PATIENT | {"DATABASE_URL": url, "METRICS_EVERY_S": "0"}))


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
