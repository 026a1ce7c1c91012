"""One's own data: take it along, or have it erased."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, make_response, redirect, session, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import people, second_factor
from codyverse.archives import prepared
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Invalid
from codyverse.http import access as gate
from codyverse.http.access import access, principal
from codyverse.http.limits import exports_per_person, failures_per_person
from codyverse.web import htmx, owner
from codyverse.web.forms import OwnerForm
from codyverse.web.render import fragment, page

bp = Blueprint("data", __name__)
LEAVING = "leaving"


SLOW_AFTER, NO_LOOKING_AFTER = timedelta(minutes=1), timedelta(minutes=15)
"""When the page says that it takes long; when it stops looking by itself, for no worker seems to run."""


def _export() -> dict[str, Any]:
    """How the archive stands, for the page and for the part of it that looks again."""
    found = prepared.state(principal().id)
    waited = now() - found.asked_at if found.is_under_way and found.asked_at else timedelta()
    looks = found.is_under_way and waited < NO_LOOKING_AFTER
    return {
        "archive": found,
        "slow": waited > SLOW_AFTER,
        "look_every": prepared.LOOK_AGAIN_S if looks else 0,
    }


def _page(form: OwnerForm, status: int = 200) -> Response:
    state = second_factor.state(principal().id)
    return page(
        "pages/data/data.html", status, form=form, state=state, options=owner.options(state), **_export()
    )


@bp.get("/settings/data")
@access("learner")
def show() -> Response:
    """What can be done with one's data. Asked for by htmx, only how the archive stands."""
    if htmx.wants_fragment():
        return fragment("pages/data/data.html", "take_along", hud=None, bell=None, **_export())
    return _page(OwnerForm())


@bp.post("/settings/data/archive")
@exports_per_person
@access("learner")
def prepare() -> Response:
    """Have everything about the person prepared as one file."""
    with unit_of_work():
        prepared.ask(principal().id)
    return redirect(url_for("data.show"), 303)


@bp.get("/settings/data/archive")
@access("learner")
def archive() -> Response:
    """The file, the same each time; where there is none, the page that says why."""
    found, made = prepared.archive(principal().id)
    if made is None or found.prepared_at is None:
        if found.state == "over":
            flash("That archive is not there any more. Prepare a new one.")
        return redirect(url_for("data.show"), 303)
    response = make_response(made.data)
    response.headers["Content-Type"] = "application/zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{made.name}"'
    response.headers["Cache-Control"] = "no-store"
    response.last_modified = found.prepared_at
    return response


@bp.post("/settings/data/erase")
@failures_per_person
@access("learner")
def erase() -> Response:
    """Ask for the erasure, and end the session. The receipt stands on the page that follows and in a mail."""
    form = OwnerForm()
    try:
        with unit_of_work():
            leaving = people.leave(principal().id, owner.shown(form))
    except Invalid as fault:
        form.take(fault)
        return _page(form, 422)
    gate.end_session()
    session[LEAVING] = [leaving.when.isoformat(), leaving.receipt]
    return redirect(url_for("data.goodbye"), 303)


@bp.get("/goodbye")
@access("stranger")
def goodbye() -> Response:
    """What was just asked for, for as long as this browser stays open and nobody signs in; the landing page for others."""
    left = session.get(LEAVING)
    if left is None:
        return redirect(url_for("pages.landing"), 303)
    response = page(
        "pages/data/leaving.html", leaving=people.Leaving(datetime.fromisoformat(left[0]), left[1])
    )
    response.headers["Cache-Control"] = "no-store"
    return response
