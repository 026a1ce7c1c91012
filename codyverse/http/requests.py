"""Each request's identity, its line in the log, and its place in the figures."""

import re
import time
from functools import lru_cache
from random import getrandbits
from typing import Any

from flask import Flask, Request, Response, current_app, g, request

from codyverse.core import heartbeat, metrics
from codyverse.core.notes import REQUEST_ID, notes
from codyverse.core.telemetry import Line
from codyverse.http.admission import WAITED
from codyverse.http.pipeline import asked, tell

_line = Line("codyverse.requests", "request")
_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_STARTED = re.compile(r"(?:t=)?(\d{9,11}\.\d{1,6})")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
PLAIN = ("slug", "item")
"""Parts of paths that may stand in the log beside numbers. Others can be secrets, or lead to a person."""


def _begin() -> None:
    environ, noted = asked().environ, notes()
    given = environ.get("HTTP_X_REQUEST_ID", "")
    noted[REQUEST_ID] = given if given and _ID.fullmatch(given) else f"{getrandbits(64):016x}"
    noted["began"] = time.perf_counter()
    heartbeat.of(current_app).begin()
    if WAITED in environ or "HTTP_X_REQUEST_START" in environ:
        _note_wait()


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


@lru_cache(5_000)
def _counters(endpoint: str, method: str, status: int) -> tuple[Any, Any]:
    """Where requests of this kind are counted, and their times. Methods that somebody made up are counted as one."""
    named = method if method in METHODS else "other"
    return metrics.requests.labels(endpoint, named, status), metrics.request_seconds.labels(endpoint)


def _end(response: Response) -> Response:
    request, noted = asked(), notes()
    seconds = time.perf_counter() - noted["began"]
    tell([("X-Request-Id", noted[REQUEST_ID])])
    status, endpoint = response.status_code, request.endpoint
    number, times = _counters(endpoint or "none", request.method, status)
    number.inc()
    times.observe(seconds)
    heart = heartbeat.of(current_app)
    heart.busy(seconds)
    heart.recorder.timed("requests", endpoint or "none", str(status), seconds)
    who = noted.get("principal")
    counted = {
        "method": request.method,
        "endpoint": endpoint,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "statements": noted.get("statements", 0),
        "statement_milliseconds": round(noted.get("statement_seconds", 0.0) * 1000, 1),
        "user_id": who.id if who else None,
    }
    if "category" in noted:
        counted["category"] = noted["category"]
    if noted.get("waited", 0) >= 0.001:
        counted["waited_milliseconds"] = round(noted["waited"] * 1000, 1)
    _line.write({"path": _plain_path(request)}, counted)
    return response


def _plain_path(request: Request) -> str:
    """The path without what could be a secret: `/mails/unsubscribe/<token>`; of an unknown one its first part."""
    rule, parts = request.url_rule, request.view_args
    if rule is None:
        first, more, _ = request.path[1:].partition("/")
        return f"/{first[:40]}" + ("/…" if more else "")
    if all(name in PLAIN or str(value).isdigit() for name, value in (parts or {}).items()):
        return request.path
    return rule.rule


def _join_vary(response: Response) -> Response:
    """One Vary header instead of several, of which the compression that follows would drop all but the first."""
    given = [value for name, value in response.headers if name == "Vary"]
    if len(given) > 1:
        names = dict.fromkeys(each.strip() for line in given for each in line.split(","))
        response.headers["Vary"] = ", ".join(names)
    return response


def install(app: Flask) -> None:
    """Give every request an id (a well-formed one of a proxy is kept) and log it when it is answered."""
    app.before_request(_begin)
    app.after_request(_end)
    app.after_request(_join_vary)
