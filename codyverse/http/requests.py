"""Each request's identity and its line in the log."""

import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

from codyverse.core import metrics

log = structlog.get_logger("codyverse.requests")
_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _path() -> str:
    """The path without a key that stands in it: who reads the log must not be able to use it."""
    key = str((request.view_args or {}).get("key", ""))
    return request.path.replace(key, "…") if key else request.path


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    seconds = time.perf_counter() - g.began
    endpoint = request.endpoint or "none"
    metrics.requests.labels(endpoint, request.method, response.status_code).inc()
    metrics.request_seconds.labels(endpoint).observe(seconds)
    who = g.get("principal")
    log.info(
        "request",
        method=request.method,
        endpoint=request.endpoint,
        path=_path(),
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        statements=g.get("statements", 0),
        user_id=who.id if who else None,
    )
    return response


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
