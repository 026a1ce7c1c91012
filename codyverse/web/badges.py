"""The badges: what is earned, and how far it is to the others."""

from flask import Blueprint
from werkzeug.wrappers import Response

from codyverse.gamification import badge_queries
from codyverse.http.access import access, principal
from codyverse.web.render import left_out, page

bp = Blueprint("badges", __name__)


@bp.get("/badges")
@access("learner")
def show() -> Response:
    """Every badge there is, the earned ones in their metal."""
    who = principal()
    if "badges" in who.preferences.hidden:
        return left_out("Badges")
    return page("pages/badges/badges.html", board=badge_queries.badge_board(who.id, who.preferences.hidden))
