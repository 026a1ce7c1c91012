"""The landing page, the gallery of components, health."""

from datetime import UTC, datetime

from flask import Blueprint, abort, current_app, make_response, redirect, url_for
from werkzeug.wrappers import Response

from codyverse.courses import queries as courses
from codyverse.http.access import access, principal_or_none
from codyverse.http.away import opens_while_away
from codyverse.http.limits import exempt
from codyverse.web.render import page

bp = Blueprint("pages", __name__)
FIRST_SEEN = (
    "pages/landing/landing.html",
    "layouts/page.html",
    "components/nav.html",
    "components/course_card.html",
    "components/meter.html",
)
"""The templates of the landing page: a web process that waits until it may serve compiles them meanwhile."""


@bp.get("/")
@access("anyone")
@opens_while_away()
def landing() -> Response:
    """What this is; a learner who is signed in goes straight to their own page."""
    if principal_or_none() is not None:
        return redirect(url_for("dashboard.show"))
    return page("pages/landing/landing.html", courses=courses.catalogue())


@bp.get("/gallery")
@access("anyone")
def gallery() -> Response:
    """Every component in every state, for those who build; not in production."""
    if current_app.config["CODYVERSE_ENV"] in {"staging", "production"}:
        abort(404)
    return page("pages/gallery/gallery.html", moment=datetime(2026, 10, 9, 14, 5, tzinfo=UTC))


@bp.get("/health/live")
@exempt
@access("anyone")
def live() -> Response:
    """The process answers; nothing else is asked."""
    response = make_response("ok\n")
    response.mimetype = "text/plain"
    response.headers["Cache-Control"] = "no-store"
    return response
