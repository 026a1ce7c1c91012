"""What each statement costs: counted for metrics and the request's log line; the slow ones are told in the log."""

import logging
import time
from typing import Any

from flask import current_app, g, has_app_context
from sqlalchemy import event
from sqlalchemy.engine import Engine

from codyverse.core import metrics

log = logging.getLogger("codyverse.statements")
_BEGAN = "codyverse_began"


@event.listens_for(Engine, "before_cursor_execute")
def _begin(conn: Any, *_rest: Any) -> None:
    conn.info[_BEGAN] = time.perf_counter()


@event.listens_for(Engine, "after_cursor_execute")
def _end(conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    """The text of a statement has no values in it, so that nothing personal reaches the log."""
    took = (time.perf_counter() - conn.info.pop(_BEGAN, time.perf_counter())) * 1000
    metrics.statements.inc()
    if not has_app_context():
        return
    g.statements = g.get("statements", 0) + 1
    settings = current_app.extensions.get("settings")
    if settings is not None and took >= settings.slow_query_ms:
        metrics.slow_statements.inc()
        log.warning("slow statement: %d ms: %s", took, " ".join(statement.split())[:500])
