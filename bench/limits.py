"""What PostgreSQL can do at most: pgbench, which comes with it, sends the statements of a page."""

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

from bench.people import Learner
from codyverse.core.database import db
from codyverse.core.embedded.programs import find

SECONDS = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """So many times a second all of the selects."""

    rate: float
    selects: int


@contextmanager
def _listening(app: Flask) -> Iterator[list[str]]:
    """The statements with their values, as they are sent."""
    sent: list[str] = []

    def note(_conn: Any, cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        sent.append(" ".join(cursor.mogrify(statement, values).decode().split()))

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(db.engine, "before_cursor_execute", note)


def selects_of_page(app: Flask, url: str, who: Learner) -> Limit:
    """pgbench with what the dashboard's page asks, for learners of whom each time another one is asked for."""
    client = app.test_client(use_cookies=False)
    with _listening(app) as sent:
        for _ in range(2):
            sent.clear()
            client.get("/dashboard", headers={"Cookie": who.cookie})
        db.engine.dispose()
    if not sent:
        raise RuntimeError("the dashboard's page asked nothing: nobody was signed in")
    asked = [re.sub(rf"\b{who.id}\b", ":learner", each) for each in sent]
    script = f"\\set learner random({who.id}, {who.id + 5000})\n" + "".join(f"{each};\n" for each in asked)
    return Limit(_run(url, script), len(asked))


def _run(url: str, script: str) -> float:
    parts = make_url(url)
    where = {
        "host": str(parts.query.get("host") or parts.host),
        "port": str(parts.port or parts.query.get("port") or 5432),
    }
    words = [
        find().path("pgbench"),
        "-n",
        "-c",
        "16",
        "-j",
        "1",
        "-T",
        str(SECONDS),
        "-h",
        where["host"],
        "-p",
        where["port"],
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.sql")
        file.write_text(script, encoding="utf-8")
        words += ["-f", str(file), "-U", str(parts.username or parts.query.get("user")), str(parts.database)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench: {done.stderr[-2000:]}")
    return float(found[1])
