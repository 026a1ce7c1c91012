"""One place that turns every failure into an answer: a page, or a short alert for htmx."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, make_response, redirect, request, url_for
from flask_limiter.errors import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from codyverse.core import errors
from codyverse.web import held, htmx, limits
from codyverse.web.security import RefusedText, drain, safe_next

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


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The error as a page or, for htmx, as an alert. Needs neither database nor session."""
    from flask import current_app

    fragment = htmx.wants_fragment()
    name = "errors/alert.html" if fragment else "errors/error.html"
    html = current_app.jinja_env.get_template(name).render(
        status=status,
        title=HTTPStatus(status).phrase,
        message=message,
        request_id=g.get("request_id", ""),
    )
    response = make_response(html, status, headers or {})
    response.headers["Cache-Control"] = "no-store"
    return htmx.vary(response)


def _domain(fault: errors.DomainError) -> AnyResponse:
    if isinstance(fault, errors.NotSignedIn) and not htmx.wants_fragment():
        held.hold()
        here = request.full_path.rstrip("?") if request.method == "GET" else _referring_path()
        return redirect(url_for("accounts.sign_in", next=here), 303)
    headers = {}
    if isinstance(fault, errors.TooMany | errors.Unavailable):
        headers["Retry-After"] = str(fault.retry_after)
    return _answer(STATUS[type(fault)], fault.message, headers)


def _referring_path() -> str | None:
    from urllib.parse import urlsplit

    parts = urlsplit(request.referrer or "")
    return safe_next(parts.path) if parts.netloc == request.host else None


def _http(fault: HTTPException) -> AnyResponse:
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
    return _answer(status, message, headers)


def _wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    if seconds <= 10:
        return "Wait a moment"
    return f"Wait {seconds} seconds" if seconds <= 90 else f"Wait {minutes} minutes"


def _database(fault: Exception) -> AnyResponse:
    """The database does not answer, or refuses: the first can pass, the second is ours to mend."""
    gone = isinstance(fault, OperationalError | PoolTimeout) or getattr(
        fault, "connection_invalidated", False
    )
    log.error("database failed", exc_info=fault)
    if gone:
        return _answer(503, SAY[503], {"Retry-After": "5"})
    return _answer(500, SAY[500])


def _unknown(fault: Exception) -> AnyResponse:
    log.error("unhandled", exc_info=fault)
    return _answer(500, SAY[500])


def install(app: Flask) -> None:
    """Register the mapping. Unknown errors are raised through in tests."""
    handlers: dict[Any, Any] = {errors.DomainError: _domain, HTTPException: _http}
    for kind, handler in handlers.items():
        app.register_error_handler(kind, handler)
    if app.config.get("PROPAGATE_EXCEPTIONS") is not True:
        app.register_error_handler(DBAPIError, _database)
        app.register_error_handler(PoolTimeout, _database)
        app.register_error_handler(Exception, _unknown)
