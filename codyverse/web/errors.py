"""How pages tell a failure: a page of its own, or a short alert for htmx. Which failure it is stands in `http.errors`."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, current_app, g, make_response, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from codyverse.http import access as gate
from codyverse.http import repeating
from codyverse.http.errors import Fault, register_face
from codyverse.http.security import safe_next
from codyverse.web import held, htmx

SECRET = re.compile("password|secret|code|credential")
"""Fields that no page repeats."""
MOST_UNSENT = 100_000


def _answer(fault: Fault) -> Response:
    """The fault as a page or, for htmx, as an alert. Needs neither database nor session, but to be sent to sign in."""
    fragment = htmx.wants_fragment()
    if fault.status == HTTPStatus.UNAUTHORIZED and not fragment:
        return _to_sign_in()
    if fault.status == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "GET" and (way := _above()):
        return redirect(way, 303)
    # a form that belongs to a session that is over
    if fragment and fault.status == HTTPStatus.BAD_REQUEST and gate.is_signed_out():
        fault = Fault(401, "UNAUTHORIZED", "Please sign in first.")
    name = "errors/alert.html" if fragment else "errors/error.html"
    unsent = _unsent() if fault.status == HTTPStatus.SERVICE_UNAVAILABLE and not fragment else []
    html = current_app.jinja_env.get_template(name).render(
        status=fault.status,
        title=HTTPStatus(fault.status).phrase,
        message=fault.message,
        request_id=g.get("request_id", ""),
        unsent=unsent,
        action=request.full_path.rstrip("?"),
        once=repeating.is_harmless(),
    )
    response = make_response(html, fault.status, fault.headers)
    response.headers["Cache-Control"] = "no-store"
    return htmx.vary(response)


def busy_page(app: Flask, message: str) -> str:
    """What browsers are shown that are told to come again before anything of their request was read."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return app.jinja_env.get_template("errors/error.html").render(
        status=status.value,
        title=status.phrase,
        message=message,
        request_id="",
        unsent=[],
        action="",
        once=False,
    )


def _unsent() -> list[tuple[str, str]]:
    """The fields of a form that could not be stored, so that the page can send the same again: an answer under the same
    number of its try, a purchase under the same nonce. Empty where something secret was typed, or far too much.
    """
    if request.method != "POST" or request.mimetype != "application/x-www-form-urlencoded":
        return []
    fields = [(name, value) for name, value in request.form.items(multi=True)]
    if "csrf_token" not in request.form or any(SECRET.search(name) for name, _ in fields):
        return []
    return fields if sum(len(value) for _, value in fields) <= MOST_UNSENT else []


def _to_sign_in() -> Response:
    held.hold()
    here = request.full_path.rstrip("?") if request.method == "GET" else _referring_path()
    return redirect(url_for("accounts.sign_in", next=here), 303)


def _above() -> str | None:
    """The nearest address above this one that can be looked at.

    A browser that opens a closed tab again asks for the address to which a form was sent, if its answer was a page.
    """
    places, path = current_app.url_map.bind(""), request.path
    while path := path.rpartition("/")[0]:
        try:
            places.match(path, method="GET")
        except HTTPException:
            continue
        return request.script_root + path
    return None


def _referring_path() -> str | None:
    parts = urlsplit(request.referrer or "")
    return safe_next(parts.path) if parts.netloc == request.host else None


def install(app: Flask) -> None:
    """Answer for every path that no other face answers for."""
    register_face(app, "/", _answer)
