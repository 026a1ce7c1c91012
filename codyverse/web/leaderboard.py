"""The league of the week and what its members do together; only for those who asked for it."""

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.gamification.leagues import queries, rules, services
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
        quest_coins=rules.QUEST_COINS,
    )


@bp.post("/join")
@access("learner")
def join() -> Response:
    """Opt in: the next new lesson puts the learner into a league, unless they are in one this week."""
    with unit_of_work():
        stands = services.choose(principal().id, wanted=True)
    if stands:
        flash("You take part, and you stand on this week's board.")
    else:
        flash("You take part. Your next new lesson puts you into a league.")
    return redirect(url_for(".show"), 303)


@bp.post("/leave")
@access("learner")
def leave() -> Response:
    """Opt out: nobody sees the learner on this week's board any more; weeks that are over stay as they were."""
    with unit_of_work():
        services.choose(principal().id, wanted=False)
    flash("You are out of the leagues. All that you earned stays yours.")
    return redirect(url_for(".show"), 303)
