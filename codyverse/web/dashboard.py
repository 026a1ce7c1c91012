"""The learner's own page: level, streak, goals, where to go on."""

from flask import Blueprint
from werkzeug.wrappers import Response

from codyverse.core.clock import now
from codyverse.courses import queries as courses
from codyverse.http.access import access, principal
from codyverse.notifications.dashboard import own_page
from codyverse.web.render import page

bp = Blueprint("dashboard", __name__)


@bp.get("/dashboard")
@access("learner")
def show() -> Response:
    """Everything at one glance, right at once after a lesson."""
    shown = own_page(principal(), now())
    return page(
        "pages/dashboard/dashboard.html",
        hud=shown.board.card,
        bell=shown.bell,
        goals=shown.board.goals,
        resume=shown.resume,
        courses=courses.catalogue(),
        done=shown.done,
    )
