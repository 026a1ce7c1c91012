"""What PostgreSQL can do at most: pgbench, which comes with it, sends the statements of a request."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import make_url

from bench.load import CLIENTS
from bench.people import Learner
from codyverse.core.database import db
from codyverse.core.embedded.programs import find

SECONDS = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """So many times a second all of the statements, of which there are `number`."""

    rate: float
    number: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement with its values; `alone`: it was a transaction of its own."""

    text: str
    alone: bool


@contextmanager
def listening(app: Flask) -> Iterator[list[Sent]]:
    """The statements as they are sent."""
    sent: list[Sent] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        text = " ".join(cursor.mogrify(statement, values).decode().split())
        sent.append(Sent(text, not connection.in_transaction()))

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(db.engine, "before_cursor_execute", note)


def selects_of_page(app: Flask, url: str, who: Learner) -> Limit:
    """pgbench with what the dashboard's page asks, for learners of whom each time another one is asked for."""
    client = app.test_client(use_cookies=False)
    with listening(app) as sent:
        for _ in range(2):
            sent.clear()
            client.get("/dashboard", headers={"Cookie": who.cookie})
        db.engine.dispose()
    if not sent:
        raise RuntimeError("the dashboard's page asked nothing: nobody was signed in")
    asked = [re.sub(rf"\b{who.id}\b", ":learner", each.text) for each in sent]
    script = f"\\set learner random({who.id}, {who.id + 5000})\n" + "".join(f"{each};\n" for each in asked)
    return Limit(pgbench(url, script, "-T", str(SECONDS)), len(asked))


def pgbench(url: str, script: str, *more: str) -> float:
    """Transactions a second of 16 clients; `more` says how many, or for how long."""
    parts = make_url(url)
    told = parts.query
    words = [find().path("pgbench"), "-n", "-c", str(CLIENTS), "-j", "1", *more]
    words += ["-h", str(told.get("host") or parts.host), "-p", str(parts.port or told.get("port") or 5432)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "script.sql")
        file.write_text(script, encoding="utf-8")
        words += ["-f", str(file), "-U", str(parts.username or told.get("user")), str(parts.database)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or not found or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench: {done.stderr[-2000:]}")
    return float(found[1])
