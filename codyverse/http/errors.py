"""One place that names every failure: its status, its code and what a person is told. The face that was asked answers."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Flask, current_app, request
from flask_limiter.errors import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from codyverse.core import errors, metrics
from codyverse.core.sqlstates import is_away
from codyverse.http import limits
from codyverse.http.security import RefusedText, drain

log = logging.getLogger(__name__)

STATUS: dict[type[errors.DomainError], int] = {
    errors.NotFound: 404,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
"""The status of a domain's errors; those of `STATUS_OF_CODE` have one of their own."""
STATUS_OF_CODE = {
    "INVALID_USER_ID": 400,
    "MALFORMED_JSON": 400,
    "PRECONDITION_FAILED": 412,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "IDEMPOTENCY_KEY_REUSED": 422,
}
CODES = {
    400: "MALFORMED_JSON",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
    503: "SERVICE_UNAVAILABLE",
}
"""The contract's code of a status that the framework answers with."""
SAY = {
    400: "The browser sent something that could not be read. Go back, reload the page and try again.",
    403: "This page is not open to you.",
    404: "There is nothing at this address. It may have moved, or the link has a slip.",
    405: "This address cannot be used in this way.",
    413: "That was too much to send at once. Shorten it and send it again.",
    415: "The browser sent a kind of content that is not read here.",
    429: "That was a lot in a short time. Wait a moment and try again; nothing is lost.",
    500: "Something broke on our side. It has been noted. What you had finished is safe.",
    503: "A part of the site does not answer right now. What you had finished is safe; try again in a moment.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What failed, fit to be told: no SQL, no path, no stack. `fields` maps a field's name to its faults."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=dict)


Answer = Callable[[Fault], Response]


def register_face(app: Flask, prefix: str, answer: Answer) -> None:
    """Let `answer` tell the faults of all paths that begin with `prefix`; the longest prefix wins."""
    app.extensions.setdefault("faces", {})[prefix] = answer


def _told(fault: Fault) -> Response:
    faces: dict[str, Answer] = current_app.extensions["faces"]
    path = request.path
    fits = [prefix for prefix in faces if path == prefix or path.startswith(prefix.rstrip("/") + "/")]
    return faces[max(fits, key=len)](fault)


CATEGORIES = {
    errors.Invalid: "validation",
    errors.Unavailable: "external service",
}
"""What failed, for metrics and logs; everything else of a domain is a business rule."""


def of_domain(fault: errors.DomainError) -> Fault:
    """A domain's error as the faces tell it."""
    metrics.faults.labels(CATEGORIES.get(type(fault), "business rule")).inc()
    headers = {}
    if isinstance(fault, errors.TooMany | errors.Unavailable):
        headers["Retry-After"] = str(fault.retry_after)
    status = STATUS_OF_CODE.get(fault.code) or STATUS[type(fault)]
    fields = fault.fields if isinstance(fault, errors.Invalid) else {}
    return Fault(status, fault.code, fault.message, headers, fields)


def _domain(fault: errors.DomainError) -> Response:
    return _told(of_domain(fault))


def _http(fault: HTTPException) -> Response:
    status = fault.code or 500
    if fault.response is not None or status < 400:
        return fault.get_response()
    message = SAY.get(status, HTTPStatus(status).phrase + ".")
    if isinstance(fault, CSRFError):
        message = "This page was open for too long or in another session. Go back, reload it and send again."
    elif isinstance(fault, RefusedText):
        message = fault.message
    elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        drain()
    keep = {"Allow", "Retry-After"}
    headers = {key: value for key, value in fault.get_headers() if key in keep}
    if isinstance(fault, RateLimitExceeded):
        wait = limits.seconds_to_wait()
        message = f"That was a lot in a short time. {_wait(wait)} and try again; nothing is lost."
        headers["Retry-After"] = str(wait)
    return _told(Fault(status, CODES.get(status, "INTERNAL_ERROR"), message, headers))


def _wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    if seconds <= 10:
        return "Wait a moment"
    return f"Wait {seconds} seconds" if seconds <= 90 else f"Wait {minutes} minutes"


def of_database(fault: Exception) -> Fault:
    """The database does not answer, or refuses: the first can pass, the second is ours to mend."""
    metrics.faults.labels("system").inc()
    wait = getattr(getattr(fault, "orig", None), "retry_after", None)
    if wait is not None:  # the breaker has said so once, and refuses each request since
        log.warning("the database is away")
        return Fault(503, CODES[503], SAY[503], {"Retry-After": str(wait)})
    log.error("database failed", exc_info=fault)
    if is_away(fault):
        return Fault(503, CODES[503], SAY[503], {"Retry-After": "5"})
    return Fault(500, "INTERNAL_ERROR", SAY[500])


def _database(fault: Exception) -> Response:
    return _told(of_database(fault))


def _unknown(fault: Exception) -> Response:
    metrics.faults.labels("system").inc()
    log.error("unhandled", exc_info=fault)
    return _told(Fault(500, "INTERNAL_ERROR", SAY[500]))


def install(app: Flask) -> None:
    """Register the mapping. Unknown errors are raised through in tests."""
    handlers: dict[Any, Any] = {errors.DomainError: _domain, HTTPException: _http}
    for kind, handler in handlers.items():
        app.register_error_handler(kind, handler)
    if app.config.get("PROPAGATE_EXCEPTIONS") is not True:
        app.register_error_handler(DBAPIError, _database)
        app.register_error_handler(PoolTimeout, _database)
        app.register_error_handler(Exception, _unknown)
