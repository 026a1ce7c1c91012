"""Each request's identity, its line in the log, and its place in the figures."""

import re
import time
from random import getrandbits

import structlog
from flask import Flask, Request, Response, current_app, g, request

from codyverse.core import heartbeat, metrics
from codyverse.core.telemetry import Line
from codyverse.http.admission import WAITED

_line = Line("codyverse.requests", "request")
_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_STARTED = re.compile(r"(?:t=)?(\d{9,11}\.\d{1,6})")
PLAIN = ("slug", "item")
"""Parts of paths that may stand in the log beside numbers. Others can be secrets, or lead to a person."""


def _begin() -> None:
    environ, noted = request.environ, g._get_current_object()
    given = environ.get("HTTP_X_REQUEST_ID", "")
    noted.request_id = name = given if given and _ID.fullmatch(given) else f"{getrandbits(64):016x}"
    noted.began = time.perf_counter()
    heartbeat.of(current_app).begin()
    if WAITED in environ or "HTTP_X_REQUEST_START" in environ:
        _note_wait()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=name)


def _note_wait() -> None:
    """How many seconds the request waited: at the door of this process, or since a trusted proxy wrote down when it came."""
    waited: float | None = request.environ.get(WAITED)
    given = request.headers.get("X-Request-Start", "")
    found = _STARTED.fullmatch(given.strip()) if given else None
    if found and current_app.extensions["settings"].proxy_hops:
        waited = max(0.0, time.time() - float(found[1]))
    if waited is not None:
        g.waited = waited
        metrics.queue_seconds.observe(waited)
        heartbeat.recorder().timed("queue", "", "", waited)


def _end(response: Response) -> Response:
    asked, noted = request._get_current_object(), g._get_current_object()  # type: ignore[attr-defined]
    seconds = time.perf_counter() - noted.began
    response.headers.add("X-Request-Id", noted.request_id)
    status, endpoint = response.status_code, asked.endpoint or "none"
    metrics.requests.labels(endpoint, asked.method, status).inc()
    metrics.request_seconds.labels(endpoint).observe(seconds)
    heart = heartbeat.of(current_app)
    heart.busy(seconds)
    heart.recorder.timed("requests", endpoint, str(status), seconds)
    who = noted.get("principal")
    counted = {
        "method": asked.method,
        "endpoint": asked.endpoint,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "statements": noted.get("statements", 0),
        "statement_milliseconds": round(noted.get("statement_seconds", 0.0) * 1000, 1),
        "user_id": who.id if who else None,
    }
    if "category" in noted:
        counted["category"] = noted.category
    if noted.get("waited", 0) >= 0.001:
        counted["waited_milliseconds"] = round(noted.waited * 1000, 1)
    _line.write({"path": _plain_path(asked)}, counted)
    return response


def _plain_path(asked: Request) -> str:
    """The path without what could be a secret: `/mails/unsubscribe/<token>`; of an unknown one its first part."""
    rule, parts = asked.url_rule, asked.view_args
    if rule is None:
        first, more, _ = asked.path[1:].partition("/")
        return f"/{first[:40]}" + ("/…" if more else "")
    if all(name in PLAIN or str(value).isdigit() for name, value in (parts or {}).items()):
        return asked.path
    return rule.rule


def _join_vary(response: Response) -> Response:
    """One Vary header instead of several, of which the compression that follows would drop all but the first."""
    given = response.headers.getlist("Vary")
    if len(given) > 1:
        names = dict.fromkeys(each.strip() for line in given for each in line.split(","))
        response.headers["Vary"] = ", ".join(names)
    return response


def install(app: Flask) -> None:
    """Give every request an id (a well-formed one of a proxy is kept) and log it when it is answered."""
    app.before_request(_begin)
    app.after_request(_end)
    app.after_request(_join_vary)
