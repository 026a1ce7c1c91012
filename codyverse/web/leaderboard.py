"""The league of the week and what its members do together; only for those who asked for it."""

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.gamification.leagues import queries, services
from codyverse.http.access import access, principal
from codyverse.web.render import left_out, page

bp = Blueprint("leaderboard", __name__, url_prefix="/leaderboard")


@bp.get("")
@access("learner")
def show() -> Response:
    """This week's league or last week's result; before opting in, what a league is."""
    period = request.args.get("period")
    chosen = period if period in queries.PERIODS else "this"
    who = principal()
    if "leagues" in who.preferences.hidden:
        return left_out("Leagues")
    taking_part = who.preferences.leagues
    return page(
        "pages/leaderboard/leaderboard.html",
        board=queries.board(who.id, now(), chosen) if taking_part else None,
        taking_part=taking_part,
        period=chosen,
    )


@bp.post("/join")
@access("learner")
def join() -> Response:
    """Opt in: the next lesson of the week puts the learner into a league."""
    with unit_of_work():
        accounts.choose_leagues(principal().id, wanted=True)
        services.come_back(principal().id)
    flash("You take part. Your next lesson of this week puts you into a league.")
    return redirect(url_for(".show"), 303)


@bp.post("/leave")
@access("learner")
def leave() -> Response:
    """Opt out: nobody sees the learner on a board any more."""
    with unit_of_work():
        accounts.choose_leagues(principal().id, wanted=False)
        services.leave(principal().id)
    flash("You are out of the leagues. All that you earned stays yours.")
    return redirect(url_for(".show"), 303)
