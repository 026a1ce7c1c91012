"""Daily goals: today's, how much they ask, and how past days went."""

from datetime import date

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import services as accounts
from codyverse.accounts.game_days import today_of
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.gamification import queries as game
from codyverse.gamification import services
from codyverse.http.access import access, principal
from codyverse.web.render import left_out, page

bp = Blueprint("goals", __name__, url_prefix="/goals")
DAYS = 14


@bp.get("")
@access("learner")
def show() -> Response:
    """Today's three goals, what each intensity asks, and the past, two weeks a page."""
    who = principal()
    if "goals" in who.preferences.hidden:
        return left_out("Daily goals")
    before = _date(request.args.get("before", ""))
    today = today_of(who.id, now())
    past = game.past_goals(who.id, min(before or today, today), DAYS + 1)
    return page(
        "pages/goals/goals.html",
        goals=game.goals(who.id, now()),
        past=past[:DAYS],
        older=past[DAYS - 1].date if len(past) > DAYS else None,
        asked=game.goal_targets(),
        is_past=before is not None,
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


@bp.post("/intensity")
@access("learner")
def change_intensity() -> Response:
    """Ask for more or less from tomorrow on; today's goals stay as they are."""
    with unit_of_work():
        services.keep_todays_goals(principal().id)
        accounts.change_goal_intensity(principal().id, request.form.get("goal_intensity", ""))
    flash("Saved. Tomorrow's goals follow it.")
    return redirect(url_for(".show"), 303)
