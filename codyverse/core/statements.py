"""What each statement costs: counted for metrics and the request's log line; the slow ones are told in the log.

What a request or a job has sent is added up with it, and goes to the metrics in one piece when it is over.
"""

import logging
import time
from typing import Any

from flask import Flask, current_app
from sqlalchemy import event
from sqlalchemy.engine import Engine

from codyverse.core import metrics
from codyverse.core.heartbeat import recorder
from codyverse.core.notes import notes, notes_or_none

log = logging.getLogger("codyverse.statements")
_BEGAN = "codyverse_began"
LEAST_SLOW_MS = 1
"""What the setting of what is slow is at least."""


@event.listens_for(Engine, "before_cursor_execute")
def begin(conn: Any, *_rest: Any) -> None:
    """A statement is about to be sent through SQLAlchemy."""
    conn.info[_BEGAN] = time.perf_counter()


@event.listens_for(Engine, "after_cursor_execute")
def _end(conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    sent(statement, time.perf_counter() - conn.info.pop(_BEGAN, time.perf_counter()))


def sent(statement: str, seconds: float, with_commit: bool = False) -> None:
    """Count a statement that took so long, `with_commit` if the commit went with it. Its text has no values in it, so that
    nothing personal reaches the log."""
    noted = notes_or_none()
    if noted is None:
        _count(1, seconds)
        return
    noted["statements"] = noted.get("statements", 0) + 1
    noted["statement_seconds"] = noted.get("statement_seconds", 0.0) + seconds
    if seconds * 1000 < LEAST_SLOW_MS:
        return
    settings = current_app.extensions.get("settings")
    if settings is not None and seconds * 1000 >= settings.slow_query_ms:
        metrics.slow_statements.inc()
        what = "statement with its commit" if with_commit else "statement"
        log.warning("slow %s: %d ms: %s", what, seconds * 1000, " ".join(statement.split())[:500])


def _count(number: int, seconds: float) -> None:
    metrics.statements.inc(number)
    metrics.statement_seconds.inc(seconds)


def _tell(_fault: BaseException | None) -> None:
    noted = notes()
    number, seconds = noted.pop("statements", 0), noted.pop("statement_seconds", 0.0)
    if number:
        _count(number, seconds)
        recorder().counted("statements", number=number, total=seconds)


def install(app: Flask) -> None:
    """Tell what a request or a job has sent when it is over, however it ended."""
    app.teardown_appcontext(_tell)
