"""The learner's own page: level, streak, goals, where to go on."""

from flask import Blueprint
from werkzeug.wrappers import Response

from codyverse.core.clock import now
from codyverse.courses import queries as courses
from codyverse.http.access import access, principal
from codyverse.notifications.dashboard import board_with_bell
from codyverse.progress import queries as progress
from codyverse.web.render import page

bp = Blueprint("dashboard", __name__)


@bp.get("/dashboard")
@access("learner")
def show() -> Response:
    """Everything at one glance, right at once after a lesson."""
    who = principal()
    board, bell = board_with_bell(who, now())
    return page(
        "pages/dashboard/dashboard.html",
        hud=board.card,
        bell=bell,
        goals=board.goals,
        resume=progress.continue_with(who.id),
        courses=courses.catalogue(),
        done=progress.course_progress(who.id),
    )
